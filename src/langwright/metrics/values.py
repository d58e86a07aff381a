"""How far numbers are off, and whether they come in the right order.

Source    Spearman 1904; its interval by Fisher's z with the variance of Bonett & Wright 2000, Psychometrika 65:23
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, Z, bootstrap_mean
from langwright.metrics.yardsticks import Interval, Yardstick

ABSOLUTE_ERROR = Yardstick(
    name="mean absolute error", unit="", better="lower",
    method="mean distance of {n} numbers from the right ones, in their own unit; interval: {draws} bootstrap draws over items",
    does_not_show="whether large errors are many small ones or few large ones",
)  # fmt: skip
SPEARMAN = Yardstick(
    name="Spearman correlation", unit="", better="higher",
    method="correlation of the ranks of {n} numbers with those of the right ones; interval by Fisher's z",
    does_not_show="how far the numbers are off: any that come in the same order give 1",
)  # fmt: skip


def value_scores(said: Sequence[float], right: Sequence[float], *, seed: int = 0) -> tuple[Measure, Measure]:
    """Mean absolute error and rank correlation, the latter 0 where all numbers on a side are equal.

    raises  ValueError when lengths differ or fewer than two are given
    """
    if len(said) != len(right) or len(right) < 2:
        raise ValueError(f"{len(said)} numbers for {len(right)}")
    off = [abs(one - other) for one, other in zip(said, right, strict=True)]
    rank = rank_correlation(said, right)
    return (
        ABSOLUTE_ERROR.measure(sum(off) / len(off), bootstrap_mean(off, seed=seed), n=len(off), seed=seed, draws=DRAWS),
        SPEARMAN.measure(rank, fisher(rank, len(off)), n=len(off)),
    )


def rank_correlation(said: Sequence[float], right: Sequence[float]) -> float:
    """Spearman's ρ, equal numbers sharing the mean of their ranks; 0 where all on a side are equal."""
    from scipy.stats import spearmanr

    if len(set(said)) < 2 or len(set(right)) < 2:
        return 0.0
    return float(spearmanr(said, right).statistic)


def fisher(correlation: float, n: int) -> Interval | None:
    """A 95 % interval of a rank correlation; None with fewer than 4 items, or where the order is perfect."""
    if n < 4 or abs(correlation) >= 1:
        return None
    half = Z * math.sqrt((1 + correlation**2 / 2) / (n - 3))
    return Interval(math.tanh(math.atanh(correlation) - half), math.tanh(math.atanh(correlation) + half))
