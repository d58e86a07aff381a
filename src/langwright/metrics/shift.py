"""Whether two samples come from one distribution: lengths, shares, classes, vectors; and how far they are apart.

Every p-value here is of a permutation test: of all ways to part the pooled values into two samples of these sizes, the
share in which the statistic is at least as large as it is, the observed one counted among them. That is exact for any
statistic, however small the samples and however many values are equal; the usual tables of Smirnov's and Pearson's
statistics are not (lengths tie, rare classes have small counts). The stability index has no permutations: it says how
far, by a scale that people who watch models know.

Shapes    M values of the reference    N values now    P both pooled    R permutations    D width of a vector
Sources   Smirnov 1939, Bull. Math. Univ. Moscou 2 (two samples); Pearson 1900, Phil. Mag. 50:157 (counts)
          Phipson & Smyth 2010, arXiv:1603.05766, section 3 ((b + 1) / (m + 1): a p-value that is never zero)
          Gretton et al. 2012, JMLR 13:723, lemma 6 (the unbiased estimate), section 8 (the median heuristic)
          Yurdakul & Naranjo 2020, J. Risk Model Validation 14(4) (the stability index is about a chi-square)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PERMUTATIONS = 999
LEAST = 0.5  # what an empty class counts as in the stability index
_AT_ONCE = 2_000_000  # numbers held at once


@dataclass(frozen=True)
class Shift:
    """A statistic of two samples, and the share of permutations in which it is as large."""

    statistic: float
    p: float


def smirnov(before: Sequence[float], now: Sequence[float], *, seed: int, permutations: int = PERMUTATIONS) -> Shift:
    """The largest distance between the two distribution functions."""
    import numpy as np

    pooled_P = np.concatenate([np.asarray(before, float), np.asarray(now, float)])
    order_P = np.argsort(pooled_P, kind="stable")
    sorted_P = pooled_P[order_P]
    ends_P = np.append(sorted_P[1:] > sorted_P[:-1], True)  # the last of each run of equal values

    def statistic(marks_RP: Floats) -> Floats:
        in_order_RP = marks_RP[:, order_P]
        first_RP = np.cumsum(in_order_RP, axis=1) / len(before)
        second_RP = np.cumsum(1 - in_order_RP, axis=1) / len(now)
        distance_R: Floats = np.abs(first_RP - second_RP)[:, ends_P].max(axis=1)
        return distance_R

    return permuted(statistic, len(before), len(now), seed, permutations)


def pearson(
    before: Sequence[Hashable], now: Sequence[Hashable], *, seed: int, permutations: int = PERMUTATIONS
) -> Shift:
    """Pearson's chi-square of the two rows of counts, over all classes that occur."""
    import numpy as np

    pooled = [*before, *now]
    names = {name: number for number, name in enumerate(dict.fromkeys(pooled))}
    member_PC = np.zeros((len(pooled), len(names)))
    member_PC[np.arange(len(pooled)), [names[value] for value in pooled]] = 1.0
    totals_C = member_PC.sum(axis=0)
    share = len(before) / len(pooled)

    def statistic(marks_RP: Floats) -> Floats:
        counts_RC = marks_RP @ member_PC
        off_R: Floats = ((counts_RC - share * totals_C) ** 2 / totals_C).sum(axis=1) / (share * (1 - share))
        return off_R

    return permuted(statistic, len(before), len(now), seed, permutations)


def discrepancy(before_MD: Floats, now_ND: Floats, *, seed: int, permutations: int = PERMUTATIONS) -> Shift:
    """The squared maximum mean discrepancy under a Gaussian kernel, whose width is the median distance.

    The estimate is unbiased, so it is about zero, and as often below, where nothing changed.
    """
    import numpy as np

    kernel_PP = gaussian(np.concatenate([before_MD, now_ND]).astype(float))
    m, n = len(before_MD), len(now_ND)
    np.fill_diagonal(kernel_PP, 0.0)
    whole = float(kernel_PP.sum())

    def statistic(marks_RP: Floats) -> Floats:
        rows_RP = marks_RP @ kernel_PP
        first_R = (rows_RP * marks_RP).sum(axis=1)
        touching_R = rows_RP.sum(axis=1)
        across_R = touching_R - first_R
        second_R = whole - 2 * across_R - first_R
        found_R: Floats = first_R / (m * (m - 1)) + second_R / (n * (n - 1)) - 2 * across_R / (m * n)
        return found_R

    return permuted(statistic, m, n, seed, permutations)


def gaussian(vectors_PD: Floats) -> Floats:
    """exp(-d² / 2s²) of all pairs, s the median of their distances d; 1 everywhere when that is 0."""
    import numpy as np

    squares_P = (vectors_PD**2).sum(axis=1)
    squared_PP = np.maximum(squares_P[:, None] + squares_P[None] - 2 * vectors_PD @ vectors_PD.T, 0.0)
    middle = float(np.median(squared_PP[np.triu_indices(len(vectors_PD), 1)]))
    kernel_PP: Floats = np.exp(-squared_PP / (2 * middle)) if middle > 0 else np.ones_like(squared_PP)
    return kernel_PP


def permuted(statistic: Callable[[Floats], Floats], m: int, n: int, seed: int, permutations: int) -> Shift:
    """Shift of a statistic of marks (R, P), which are 1 for the values that are taken for the reference.

    raises  ValueError when a sample has fewer than two values
    """
    import numpy as np

    if min(m, n) < 2:
        raise ValueError(f"samples of {m} and {n} values cannot be compared")

    marks_P = np.concatenate([np.ones(m), np.zeros(n)])
    observed = float(statistic(marks_P[None])[0])
    draw = np.random.default_rng(seed)
    block = max(1, _AT_ONCE // (m + n))
    as_large = 0
    for start in range(0, permutations, block):
        marks_RP = draw.permuted(np.tile(marks_P, (min(block, permutations - start), 1)), axis=1)
        as_large += int((statistic(marks_RP) >= observed * (1 - 1e-12) - 1e-15).sum())
    return Shift(observed, (as_large + 1) / (permutations + 1))


# --- how far -------------------------------------------------------------------------------------


def stability_index(before: Sequence[int], now: Sequence[int]) -> float:
    """The population stability index of two rows of counts: the sum over classes of (q - p) ln(q / p).

    0 where the shares are the same; 0.1 and 0.25 are where people speak of some and of much change. An empty class
    counts as half a value, or the index were infinite.

    >>> round(stability_index([50, 50], [75, 25]), 4)
    0.2747
    """
    first, second = ([max(count, LEAST) for count in row] for row in (before, now))
    m, n = sum(first), sum(second)
    return math.fsum((q / n - p / m) * math.log((q / n) / (p / m)) for p, q in zip(first, second, strict=True))


def stability_limit(m: int, n: int, classes: int, alpha: float) -> float:
    """What the index exceeds in a share `alpha` of samples of one distribution, where no class is rare."""
    from scipy.stats import chi2

    return float(chi2.ppf(1 - alpha, classes - 1)) * (1 / m + 1 / n)


def tenths(before: Sequence[float], now: Sequence[float]) -> tuple[list[int], list[int]]:
    """Counts of both samples between the tenths of the first; fewer classes where many values are equal."""
    import numpy as np

    edges = np.unique(np.quantile(np.asarray(before, float), np.linspace(0.1, 0.9, 9)))
    first, second = (
        np.bincount(np.searchsorted(edges, np.asarray(values, float), side="left"), minlength=len(edges) + 1)
        for values in (before, now)
    )
    return [int(count) for count in first], [int(count) for count in second]


def tallies(before: Sequence[Hashable], now: Sequence[Hashable]) -> tuple[list[int], list[int]]:
    """Counts of each class in both samples."""
    names = list(dict.fromkeys([*before, *now]))
    return [list(before).count(name) for name in names], [list(now).count(name) for name in names]
