"""Several sources in one stream: shares, whole epochs, and a position that stands by itself."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langwright.training.mixing import BLOCK, Blend, MixedOrder, Tasks, slots, temperature_shares


@pytest.mark.spec("F8", "tasks are mixed in shares p ∝ n^(1/T)")
@pytest.mark.parametrize(("temperature", "expected"), [(1, [8 / 9, 1 / 9]), (3, [2 / 3, 1 / 3]), (1e9, [0.5, 0.5])])
def test_shares_by_temperature(temperature, expected):
    assert temperature_shares([800, 100], temperature) == pytest.approx(expected)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=8), st.floats(1, 20))
@settings(max_examples=60, deadline=None)
def test_slots_add_up_and_stay_near_their_shares(sizes, temperature):
    shares = temperature_shares(sizes, temperature)
    found = slots(shares)
    assert sum(found) == BLOCK and min(found) >= 1
    assert all(abs(count - share * BLOCK) <= len(sizes) for count, share in zip(found, shares, strict=True))


def test_every_block_has_its_shares_in_another_order():
    order = MixedOrder(3, (50, 7), temperature_shares((50, 7), 2))
    first = order.places(np.arange(BLOCK)).sources
    second = order.places(np.arange(BLOCK, 2 * BLOCK)).sources
    assert Counter(first.tolist()) == Counter(second.tolist()) == Counter(dict(enumerate(slots(order.shares))))
    assert not np.array_equal(first, second)
    assert len(set(first[:64].tolist())) == 2  # mixed, not one after the other


def test_each_source_is_read_in_whole_epochs():
    order = MixedOrder(1, (30, 11), (0.7, 0.3))
    found = order.places(np.arange(2 * BLOCK + 100))
    for source, size in enumerate(order.sizes):
        mine = found.sources == source
        rows, epochs = found.rows[mine], found.epochs[mine]
        assert (np.diff(epochs) >= 0).all()
        for epoch in range(int(epochs[-1])):
            assert sorted(rows[epochs == epoch]) == list(range(size))


def test_a_position_does_not_need_those_before_it():
    order = MixedOrder(9, (40, 9, 3), (0.6, 0.3, 0.1))
    all_rows = order.many(np.arange(3000))
    for start in (0, 17, 1020, 2047, 2990):
        assert np.array_equal(order.many(np.arange(start, start + 10)), all_rows[start : start + 10])
    assert all_rows.max() == 51 and all_rows.min() == 0


class Numbered:
    """Rows that are numbers from `first` on; a batch is the list of them."""

    def __init__(self, first, count):
        self.first, self.count = first, count

    def __len__(self):
        return self.count

    def arrange(self, rows):
        return np.argsort(rows, kind="stable")

    def batch(self, rows, epochs=None):
        return [self.first + int(row) for row in rows]


def test_sources_of_one_kind_are_blended_in_their_shares():
    sources = Tasks({"new": Numbered(0, 30), "old": Numbered(100, 10)})
    feed = Blend(sources, MixedOrder(5, (30, 10), (0.75, 0.25)), batch_rows=8, micro_rows=3)
    updates = [feed.update(number) for number in range(BLOCK // 8)]
    assert all(len(part) <= 3 and len({row >= 100 for row in part}) == 1 for update in updates for part in update)
    rows = [row for update in updates for part in update for row in part]
    assert len(rows) == BLOCK and sum(row >= 100 for row in rows) == BLOCK // 4
    shares = [feed.shared(rank, 2, 3) for rank in (0, 1)]
    for number in (0, 7):
        of_two = [row for share in shares for part in share.update(number) for row in part]
        assert sorted(of_two) == sorted(row for part in updates[number] for row in part)
