"""Two models on the same items: the difference with a paired interval, and McNemar's test for right-or-wrong.

Shapes    N items    R bootstrap draws
Sources   McNemar 1947, Psychometrika 12:153; exact form: two-sided binomial test on the items where the two differ
          Koehn 2004, EMNLP, "Statistical significance tests for machine translation evaluation" (paired bootstrap)
          Noreen 1989, Computer-Intensive Methods for Testing Hypotheses; Yeh 2000, COLING
          (approximate randomisation)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_ratio, bootstrap_sums
from langwright.metrics.yardsticks import Yardstick

if TYPE_CHECKING:
    from langwright.metrics.intervals import Floats

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

RANDOMISATION = Yardstick(
    name="randomisation p-value", unit="probability", better="neither",
    method="share of {draws} draws, in each of which every one of {n} items is given to the two models anew by the toss of a coin, whose difference in {of} is at least as large (approximate randomisation, two-sided, Noreen 1989)",
    does_not_show="how large the difference is; that the two are equal, where it is high; other data",
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


SIGNS = 4_000_000  # coins tossed at once


def paired_test(
    first_NK: Floats,
    second_NK: Floats,
    statistic: Callable[[Floats], Floats],
    *,
    of: str,
    unit: str = "",
    seed: int = 0,
) -> tuple[Measure, Measure]:
    """Difference of any score that is made from sums over items, its paired bootstrap interval, and its p-value.

    first_NK, second_NK  what is summed, K numbers an item, the same items for both models
    statistic            sums (R, K) -> scores (R,), such as `Counted.score` of `metrics.translation`
    of                   name of the measure compared
    raises               ValueError when shapes differ or nothing is given
    """
    import numpy as np

    if first_NK.shape != second_NK.shape or first_NK.ndim != 2 or not len(first_NK):
        raise ValueError(f"counts of shape {first_NK.shape} and {second_NK.shape}")
    n, size = first_NK.shape

    def gap(sums_RK: Floats) -> Floats:
        return statistic(sums_RK[:, :size]) - statistic(sums_RK[:, size:])

    both_NK = np.concatenate([first_NK, second_NK], axis=1)
    seen = float(gap(both_NK.sum(0)[None])[0])
    interval = bootstrap_sums(both_NK, gap, seed=seed)
    change_NK, total_K = second_NK - first_NK, both_NK.sum(0)
    beyond = 0
    for signs_RN in tosses(n, seed):
        moved_RK = signs_RN @ change_NK
        drawn_R = gap(total_K + np.concatenate([moved_RK, -moved_RK], axis=1))
        beyond += int((np.abs(drawn_R) >= abs(seen) - 1e-12).sum())
    named = {"name": DIFFERENCE.name.format(of=of), "draws": DRAWS}
    difference = DIFFERENCE.measure(seen, interval, n=n, seed=seed, **named)  # type: ignore[arg-type]
    # the data as they are count as one draw, so that no p-value is 0
    p_value = RANDOMISATION.measure((beyond + 1) / (DRAWS + 1), n=n, seed=seed, of=of, draws=DRAWS)
    return difference.model_copy(update={"unit": unit}), p_value


def tosses(n: int, seed: int) -> Iterator[Floats]:
    """DRAWS rows of n coins, 0 or 1, in blocks."""
    import numpy as np

    rng = np.random.default_rng(seed)
    block = max(1, SIGNS // n)
    for start in range(0, DRAWS, block):
        yield rng.integers(0, 2, (min(block, DRAWS - start), n)).astype(float)
