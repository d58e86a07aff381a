"""Laws that words of texts follow, and how surprising it is that two stand together.

Sources   Zipf 1949, Human Behavior and the Principle of Least Effort (frequency by rank); fitted by maximum likelihood, as
          Clauset, Shalizi & Newman 2009, arXiv:0706.1062, appendix B, here over ranks and not over values
          Heaps 1978, Information Retrieval: Computational and Theoretical Aspects, section 7.5 (growth of vocabulary)
          Dunning 1993, Computational Linguistics 19(1):61, section 5 (log-likelihood ratio of two binomials)
Differs   Heaps' law is fitted by least squares of logarithms over places spread evenly on their axis
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from langwright.measures import Measure
from langwright.metrics.intervals import wilson
from langwright.metrics.yardsticks import Interval, Yardstick

ZIPF = Yardstick(
    name="Zipf exponent", unit="", better="neither",
    method="s of frequency ~ 1 / rank^s by maximum likelihood over {n} words of {distinct} kinds; interval: 1.96 standard errors by Fisher's information, as if words were drawn independently",
    does_not_show="how well the law fits: see the curve; words that hang together make the true interval wider",
)  # fmt: skip
HEAPS = Yardstick(
    name="vocabulary growth", unit="", better="neither",
    method="β of distinct words ~ words^β by least squares of logarithms at {places} places while reading {n} words in their order (Heaps 1978)",
    does_not_show="what another order of the texts would give",
)  # fmt: skip
DUPLICATES = Yardstick(
    name="duplicate texts", unit="share", better="lower",
    method="share of {n} texts that say what one before them says, spacing, case and width aside; interval: Wilson",
    does_not_show="texts that are nearly the same",
)  # fmt: skip
STEPS = 40  # bisections of the exponent's bounds, which leave 2e-11 of them


@dataclass(frozen=True)
class Law:
    """A fitted power law: value = factor · place^exponent."""

    factor: float
    exponent: float


def zipf(counts: Sequence[int]) -> Measure:
    """The exponent of words by rank; ValueError where there are fewer than two kinds of words."""
    import numpy as np

    ordered_R = np.sort(np.asarray(counts, dtype=float))[::-1]
    if len(ordered_R) < 2:
        raise ValueError("fewer than two kinds of words")
    logs_R = np.log(np.arange(1, len(ordered_R) + 1))
    words = ordered_R.sum()
    mean = float((ordered_R * logs_R).sum() / words)

    def moments(exponent: float) -> tuple[float, float]:
        """Mean and variance of the logarithm of a rank that is drawn by the law."""
        shares_R = np.exp(-exponent * logs_R)
        shares_R /= shares_R.sum()
        first = float((shares_R * logs_R).sum())
        return first, float((shares_R * logs_R**2).sum()) - first**2

    low, high = 0.0, 20.0  # the likelihood is concave, and largest where the law's mean of logarithms is the data's
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if moments(middle)[0] > mean else (low, middle)
    exponent = (low + high) / 2
    error = 1.96 / math.sqrt(max(words * moments(exponent)[1], 1e-12))
    interval = Interval(exponent - error, exponent + error)
    return ZIPF.measure(exponent, interval, n=int(words), distinct=len(ordered_R))


def growth_law(points: Sequence[tuple[int, int]]) -> Law:
    """Heaps' law of (words read, distinct words among them); ValueError for fewer than two different places."""
    import numpy as np

    words, distinct = np.log(np.asarray(points, dtype=float)).T
    if len(set(words.tolist())) < 2:
        raise ValueError("fewer than two places")
    exponent = float(((words - words.mean()) * (distinct - distinct.mean())).sum() / ((words - words.mean()) ** 2).sum())  # fmt: skip
    return Law(math.exp(float(distinct.mean()) - exponent * float(words.mean())), exponent)


def growth(points: Sequence[tuple[int, int]]) -> Measure:
    """The exponent of Heaps' law."""
    return HEAPS.measure(growth_law(points).exponent, n=points[-1][0], places=len(points))


def duplicates(repeated: int, texts: int) -> Measure:
    """The share of texts that were there before."""
    return DUPLICATES.measure(repeated / texts, wilson(repeated, texts), n=texts)


def log_likelihood_ratio(both: int, first: int, second: int, total: int) -> float:
    """Dunning's -2 log λ of two events in so many trials, 0 where they are independent; its sign says nothing of more or less.

    both    trials with both; first, second: with each, both included
    """
    cells = (both, first - both, second - both, total - first - second + both)
    rows, columns = (first, total - first), (second, total - second)
    expected = (
        rows[0] * columns[0] / total, rows[0] * columns[1] / total, rows[1] * columns[0] / total, rows[1] * columns[1] / total,
    )  # fmt: skip
    return 2 * sum(cell * math.log(cell / wanted) for cell, wanted in zip(cells, expected, strict=True) if cell)
