"""pass@k by the published numbers and by drawing."""

from __future__ import annotations

import itertools

import pytest

from langwright.metrics.programs import pass_at, pass_chance


@pytest.mark.parametrize(
    ("written", "passed", "k", "chance"),
    [(5, 2, 1, 0.4), (5, 2, 2, 0.7), (10, 3, 5, 0.9166667), (200, 10, 100, 0.99922897), (3, 0, 2, 0), (3, 3, 1, 1)],
)
def test_known_chances(written: int, passed: int, k: int, chance: float) -> None:
    assert pass_chance(written, passed, k) == pytest.approx(chance, abs=5e-8)


def test_it_is_the_share_of_draws_with_one_that_passes() -> None:
    for written, passed, k in itertools.product(range(1, 7), range(7), range(1, 7)):
        if passed <= written and k <= written:
            draws = list(itertools.combinations(range(written), k))
            assert pass_chance(written, passed, k) == pytest.approx(sum(min(d) < passed for d in draws) / len(draws))


def test_over_problems() -> None:
    found = pass_at([5, 10], [2, 3], 2)
    assert (found.name, found.value, found.n) == ("pass@2", pytest.approx((0.7 + 1 - 21 / 45) / 2), 2)
    with pytest.raises(ValueError, match="3 are drawn"):
        pass_at([2], [1], 3)
    with pytest.raises(ValueError, match="problems"):
        pass_at([], [], 1)
