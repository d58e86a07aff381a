"""pass@k: the chance that at least one of k programs drawn from those written passes its tests.

Source    Chen et al. 2021, arXiv:2107.03374, equation 1
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_mean
from langwright.metrics.yardsticks import Yardstick

PASS_AT = Yardstick(
    name="pass@{k}", unit="share", better="higher",
    method="chance that at least one of {of} programs drawn without replacement from those written for a problem passes its tests, mean over {n} problems (Chen et al. 2021, unbiased); interval: {draws} bootstrap draws over problems",
    does_not_show="whether programs that pass are right beyond the tests, or fast, or safe to run",
)  # fmt: skip


def pass_chance(written: int, passed: int, k: int) -> float:
    """1 - C(written - passed, k) / C(written, k); ValueError unless 0 <= passed <= written and 1 <= k <= written.

    >>> round(pass_chance(10, 3, 5), 7)
    0.9166667
    """
    if not 0 <= passed <= written or not 1 <= k <= written:
        raise ValueError(f"{passed} of {written} programs pass, {k} are drawn")
    return 1 - math.comb(written - passed, k) / math.comb(written, k)


def pass_at(written: Sequence[int], passed: Sequence[int], k: int, *, seed: int = 0) -> Measure:
    """Mean over problems.

    written, passed  programs written for each problem, and those of them that pass
    raises           ValueError when lengths differ, nothing is given, or a problem has fewer than k programs
    """
    if len(written) != len(passed) or not written:
        raise ValueError(f"{len(written)} and {len(passed)} problems")
    chances = [pass_chance(n, c, k) for n, c in zip(written, passed, strict=True)]
    return PASS_AT.measure(
        sum(chances) / len(chances), bootstrap_mean(chances, seed=seed), n=len(chances), seed=seed,
        name=PASS_AT.name.format(k=k), of=k, draws=DRAWS,
    )  # fmt: skip
