"""Draws are a function of seed, epoch, row and purpose, and of nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from langwright.data.drawing import draws

numbers = st.integers(0, 2**40)


@given(numbers, numbers, numbers, st.text(max_size=8))
def test_the_same_place_draws_the_same(seed: int, epoch: int, row: int, purpose: str) -> None:
    first, second = (draws(seed, epoch, row, purpose).random(5).tolist() for _ in range(2))
    assert first == second


@given(numbers, numbers, numbers)
def test_another_seed_epoch_row_or_purpose_draws_otherwise(seed: int, epoch: int, row: int) -> None:
    here = draws(seed, epoch, row, "mask").random(5).tolist()
    others = [
        (seed + 1, epoch, row, "mask"),
        (seed, epoch + 1, row, "mask"),
        (seed, epoch, row + 1, "mask"),
        (seed, epoch, row, "word"),
    ]
    assert all(draws(*other).random(5).tolist() != here for other in others)


def test_rows_are_spread_evenly() -> None:
    """The first number of 4,000 rows: mean 1/2 and variance 1/12, each within four standard errors."""
    import numpy as np

    first = np.array([draws(3, 1, row).random() for row in range(4000)])
    assert abs(first.mean() - 0.5) < 4 * (1 / 12 / 4000) ** 0.5
    assert abs(first.var() - 1 / 12) < 4 * (1 / 180 / 4000) ** 0.5
