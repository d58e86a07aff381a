"""Two models on the same items: the difference with a paired interval, and McNemar's test for right-or-wrong.

Shapes    N items    R bootstrap draws
Sources   McNemar 1947, Psychometrika 12:153; exact form: two-sided binomial test on the items where the two differ
          Koehn 2004, EMNLP, "Statistical significance tests for machine translation evaluation" (paired bootstrap)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_ratio
from langwright.metrics.yardsticks import Yardstick

DIFFERENCE = Yardstick(
    name="difference in {of}", unit="", better="neither",
    method="first minus second on the same {n} items; interval: {draws} paired bootstrap draws over items",
    does_not_show="other data; that the two are equal, where the interval contains 0",
)  # fmt: skip

MCNEMAR = Yardstick(
    name="McNemar p-value", unit="probability", better="neither",
    method="exact two-sided McNemar test: {first} items only the first has right, {second} only the second",
    does_not_show="how large the difference is; that the two are equal, where it is high",
)  # fmt: skip


def difference(
    first: Sequence[float], second: Sequence[float], weights: Sequence[float] | None = None, *, of: str, unit: str, seed: int = 0
) -> Measure:  # fmt: skip
    """How much the first model's sum over items exceeds the second's, per unit of weight, items drawn in pairs.

    first, second  one number an item (hits, bits), in the same order
    weights        what the sums are divided by, one an item (bytes for bits per byte); default 1 each
    of             name of the measure compared
    raises         ValueError when lengths differ, nothing is given, or the weights sum to zero
    """
    weights = [1.0] * len(first) if weights is None else weights
    if not len(first) == len(second) == len(weights) or sum(weights) <= 0:
        raise ValueError(f"{len(first)} and {len(second)} items with {len(weights)} weights")
    gaps = [a - b for a, b in zip(first, second, strict=True)]
    interval = bootstrap_ratio(gaps, weights, seed=seed)
    measure = DIFFERENCE.measure(
        math.fsum(gaps) / math.fsum(weights), interval, n=len(gaps), seed=seed, name=DIFFERENCE.name.format(of=of), draws=DRAWS
    )  # fmt: skip
    return measure.model_copy(update={"unit": unit})


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> Measure:
    """Exact two-sided McNemar test that two models are right equally often; ValueError when lengths differ or are 0."""
    if len(first) != len(second) or not first:
        raise ValueError(f"{len(first)} and {len(second)} items")
    only_first = sum(a and not b for a, b in zip(first, second, strict=True))
    only_second = sum(b and not a for a, b in zip(first, second, strict=True))
    p = binomial_two_sided(min(only_first, only_second), only_first + only_second)
    return MCNEMAR.measure(p, n=len(first), first=only_first, second=only_second)


def binomial_two_sided(k: int, n: int) -> float:
    """Probability of a split of n fair coins at least as uneven as k : n - k, where k <= n - k."""
    if n == 0:
        return 1.0
    tail = term = 1
    for i in range(k):
        term = term * (n - i) // (i + 1)  # n choose i + 1
        tail += term
    return min(1.0, float(Fraction(tail, 2 ** (n - 1))))
