"""Which rows are drawn, and how texts begin."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.evaluation.measuring.sampling import blocks, drawn, evenly, opening
from langwright.metrics.units import units


@given(st.integers(0, 60), st.integers(1, 70), st.integers(0, 5))
def test_drawn_rows_are_some_of_them_in_their_order(n, limit, seed):
    found = drawn(range(n), limit, seed)
    assert len(found) == min(n, limit)
    assert found == sorted(set(found))
    assert found == drawn(iter(range(n)), limit, seed)
    assert drawn(range(n), None, seed) == list(range(n))


def test_every_row_is_drawn_about_equally_often():
    counts = Counter(row for seed in range(4000) for row in drawn(range(10), 3, seed))
    assert all(1080 < counts[row] < 1320 for row in range(10))  # 1,200 expected, standard deviation 29


@given(st.text("ab", max_size=40), st.integers(1, 9), st.integers(0, 5))
def test_rows_drawn_by_group_are_each_groups_own_draw(letters, limit, seed):
    found = drawn(enumerate(letters), limit, seed, group=lambda row: row[1])
    assert found == sorted(found) and set(found) <= set(enumerate(letters))
    assert Counter(letter for _, letter in found) == {k: min(n, limit) for k, n in Counter(letters).items()}


@given(st.integers(0, 200), st.floats(0.01, 1))
def test_evenly_takes_the_share_spread_over_the_whole(n, share):
    found = list(evenly(range(n), share))
    assert abs(len(found) - n * share) <= 1
    gaps = [b - a for a, b in itertools.pairwise(found)]
    assert not gaps or max(gaps) - min(gaps) <= 1 + 1e-9


@given(st.lists(st.integers(), max_size=20), st.integers(1, 7))
def test_blocks_hold_everything_in_order(items, size):
    found = list(blocks(items, size))
    assert [item for block in found for item in block] == items
    assert all(len(block) == size for block in found[:-1])


@given(st.text(alphabet="ab 你好，\n", max_size=30), st.integers(1, 12))
def test_an_opening_is_a_beginning_with_so_many_pieces(text, pieces):
    begun = opening(text, pieces)
    assert text.startswith(begun)
    assert units(begun) == units(text)[:pieces]


@pytest.mark.parametrize(("text", "begun"), [("Don't stop", "Don't stop"), ("", ""), ("  白日", "  白日")])
def test_openings_by_hand(text, begun):
    assert opening(text, 5) == begun
