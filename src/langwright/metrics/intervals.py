"""95 % intervals: Wilson's for a share, the bootstrap for a ratio of sums, the jackknife for counts of distinct things,
Student's t for a mean over a few runs, order statistics for a quantile.

Shapes    N independent items (documents, texts, rows)    R bootstrap draws    K statistics taken together
Sources   Wilson 1927, JASA 22:209 (score interval)
          Student 1908, Biometrika 6:1 (mean of a few normal values)
          Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 11 and 13 (jackknife, percentile interval)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from langwright.metrics.yardsticks import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Z = 1.959963984540054  # the normal distribution's 0.975 quantile
DRAWS = 2000
FEWEST = 5  # fewer independent items than this say too little about their spread
_CELLS = 4_000_000  # weights held at once: 32 MB of int64


def wilson(successes: int, n: int) -> Interval:
    """Wilson's 95 % score interval of a share of n independent trials.

    Unlike the textbook interval it is never empty at 0 or n successes and never leaves [0, 1].

    raises  ValueError when n is 0 or successes are not in 0..n

    >>> low, high = wilson(0, 50)
    >>> (low, round(high, 5))
    (0.0, 0.07135)
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} successes of {n} trials")
    share = successes / n
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    # at the ends the formula gives 0 and 1 exactly; floating point does not
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Interval(low, high)


def resamples(n: int, seed: int, draws: int = DRAWS) -> Iterator[NDArray[np.int64]]:
    """How often each of n items is drawn in each of `draws` samples with replacement, in blocks (r, N) int64."""
    import numpy as np

    rng = np.random.default_rng(seed)
    shares_N = np.full(n, 1.0 / n)
    block = max(1, _CELLS // n)
    for start in range(0, draws, block):
        yield rng.multinomial(n, shares_N, size=min(block, draws - start))


def bootstrap_ratio(
    numerators: Sequence[float], denominators: Sequence[float], *, seed: int, draws: int = DRAWS
) -> Interval | None:
    """Percentile interval of sum(numerators) / sum(denominators) over items drawn with replacement.

    Items whose denominator is zero take part in the drawing. None with fewer than FEWEST items.
    """
    import numpy as np

    def ratio(sums_R2: Floats) -> Floats:
        given_R = sums_R2[:, 1] > 0
        values_R: Floats = np.divide(sums_R2[:, 0], sums_R2[:, 1], out=np.full(len(sums_R2), np.nan), where=given_R)
        return values_R

    values_N2 = np.stack([np.asarray(numerators, float), np.asarray(denominators, float)], axis=-1)
    return bootstrap_sums(values_N2, ratio, seed=seed, draws=draws)


def bootstrap_sums(
    values_NK: Floats, statistic: Callable[[Floats], Floats], *, seed: int, draws: int = DRAWS
) -> Interval | None:
    """Percentile interval of a statistic of sums over items drawn with replacement.

    values_NK  what is summed, K numbers an item
    statistic  sums (r, K) -> values (r,); draws whose value is not a number are left out
    returns    None with fewer than FEWEST items, or where no draw has a value
    """
    import numpy as np

    if len(values_NK) < FEWEST:
        return None
    drawn_R = np.concatenate(
        [statistic(weights_RN @ values_NK) for weights_RN in resamples(len(values_NK), seed, draws)]
    )
    drawn_R = drawn_R[~np.isnan(drawn_R)]
    return percentiles(drawn_R) if len(drawn_R) else None


def bootstrap_mean(values: Sequence[float], *, seed: int, draws: int = DRAWS) -> Interval | None:
    """Percentile interval of a mean over items drawn with replacement; None with fewer than FEWEST items."""
    return bootstrap_ratio(values, [1.0] * len(values), seed=seed, draws=draws)


def percentiles(statistics: NDArray[np.float64]) -> Interval:
    """The middle 95 % of bootstrap statistics."""
    import numpy as np

    low, high = np.quantile(statistics, [0.025, 0.975])
    return Interval(float(low), float(high))


def jackknife(value: float, without: Sequence[float], *, least: float = 0.0, most: float = math.inf) -> Interval | None:
    """Normal interval from a statistic and its values with one item left out at a time, kept inside [least, most].

    For counts of distinct things the bootstrap is wrong: an item drawn twice adds nothing new, so every
    draw has too few distinct ones. Leaving one out has no such bias.

    value    the statistic over all N items
    without  N values, the i-th without item i; None is returned for fewer than FEWEST
    """
    n = len(without)
    if n < FEWEST:
        return None
    mean = sum(without) / n
    deviation = math.sqrt((n - 1) / n * sum((w - mean) ** 2 for w in without))
    return Interval(max(least, value - Z * deviation), min(most, value + Z * deviation))


def student(values: Sequence[float]) -> Interval | None:
    """Student's t interval of a mean over a few runs, such as seeds; None for fewer than two."""
    import statistics

    from scipy.stats import t

    if len(values) < 2:
        return None
    mean = statistics.fmean(values)
    half = float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return Interval(mean - half, mean + half)


def quantile(values: Sequence[float], share: float) -> tuple[float, Interval | None]:
    """The value that this share of a sample does not exceed, and a 95 % interval of the population's.

    The interval runs between two values of the sample: how many of n lie below the population's quantile is
    binomial, whatever the distribution (David & Nagaraja 2003, Order Statistics, section 7.1). None where the sample
    is too small for one, as for a 99th percentile of a hundred values.

    >>> quantile([float(number) for number in range(1, 101)], 0.5)
    (50.0, Interval(low=40.0, high=61.0))

    raises  ValueError for no values or a share outside 0..1
    """
    from scipy.stats import binom

    if not values or not 0 <= share <= 1:
        raise ValueError(f"the {share} quantile of {len(values)} values")
    ordered, n = sorted(values), len(values)
    found = ordered[max(0, math.ceil(share * n) - 1)]
    low, high = int(binom.ppf(0.025, n, share)), int(binom.ppf(0.975, n, share)) + 1
    if low < 1 or high > n:
        return found, None
    return found, Interval(ordered[low - 1], ordered[high - 1])
