"""The order of rows is a bijection for any count, the same for the same seed, and costs nothing to resume."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.data.order import Order, feistel


@given(rows=st.integers(1, 3000), seed=st.integers(0, 2**63), epoch=st.integers(0, 10**6))
def test_every_row_comes_once_an_epoch(rows: int, seed: int, epoch: int) -> None:
    assert sorted(Order(seed, rows).epoch(epoch).tolist()) == list(range(rows))


@pytest.mark.parametrize("bits", range(1, 13))
def test_the_network_is_a_bijection_of_a_power_of_two(bits: int) -> None:
    values = np.arange(1 << bits, dtype=np.uint64)
    assert len(np.unique(feistel(values, bits, (3, 1, 4, 1, 5, 9)))) == 1 << bits


@given(rows=st.integers(1, 500), positions=st.lists(st.integers(0, 5000), min_size=1, max_size=20))
def test_one_position_and_many_agree(rows: int, positions: list[int]) -> None:
    order = Order(7, rows)
    assert order.many(np.array(positions)).tolist() == [order.at(position) for position in positions]


def test_seeds_and_epochs_differ() -> None:
    first = Order(0, 1000)
    assert (first.epoch(0) == Order(0, 1000).epoch(0)).all()
    for other in (first.epoch(1), Order(1, 1000).epoch(0)):
        assert (first.epoch(0) == other).mean() < 0.02  # a random permutation keeps one row in a thousand


def test_neighbours_do_not_stay_neighbours() -> None:
    """The rank correlation of places and rows, and of neighbouring rows, is that of chance: standard error 0.01."""
    rows = Order(3, 10_000).epoch(0).astype(float)
    assert abs(np.corrcoef(np.arange(10_000), rows)[0, 1]) < 0.04
    assert abs(np.corrcoef(rows[:-1], rows[1:])[0, 1]) < 0.04


def test_small_counts_reach_every_order() -> None:
    """With 3 rows there are 6 orders; over many seeds each comes about as often (chi-squared, 5 degrees, p = 0.0001)."""
    counts: dict[tuple[int, ...], int] = {}
    for seed in range(3000):
        order = tuple(Order(seed, 3).epoch(0).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert sum((count - 500) ** 2 / 500 for count in counts.values()) < 25.7


@pytest.mark.spec("TR16", "a position far into training is found at once, whatever came before")
def test_a_late_position_costs_no_more_than_an_early_one() -> None:
    order = Order(0, 50_000_000)
    begin = time.process_time()
    order.at(10**12)
    assert time.process_time() - begin < 0.05


def test_no_rows_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        Order(0, 0)
