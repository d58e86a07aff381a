"""Several sources in one stream: shares, whole epochs, and a position that stands by itself."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langwright.training.mixing import BLOCK, MixedOrder, slots, temperature_shares


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
