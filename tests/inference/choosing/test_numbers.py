"""Numbers by counter against numpy's own generator."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from langwright.inference.choosing.numbers import AT_ONCE, uniform


@pytest.mark.parametrize("seed", [0, 7, 2**32 + 5, 2**64 - 1])
@pytest.mark.parametrize("stream", [0, 3])
def test_the_number_at_a_position_is_numpys(seed: int, stream: int) -> None:
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, stream], dtype=np.uint64)))
    assert [uniform(seed, position, stream) for position in range(3 * AT_ONCE + 5)] == generator.random(
        3 * AT_ONCE + 5
    ).tolist()


def test_the_order_of_asking_does_not_matter() -> None:
    forwards = [uniform(5, position) for position in range(300)]
    assert [uniform(5, position) for position in reversed(range(300))] == forwards[::-1]


def test_neighbouring_seeds_and_streams_are_independent() -> None:
    numbers = np.array([[uniform(seed, position) for position in range(200)] for seed in range(60)])
    assert stats.kstest(numbers.ravel(), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(numbers[:-1].ravel(), numbers[1:].ravel())[0, 1]) < 0.04
    other = np.array([uniform(1, position, 1) for position in range(2000)])
    assert abs(np.corrcoef(other, [uniform(1, position) for position in range(2000)])[0, 1]) < 0.08
