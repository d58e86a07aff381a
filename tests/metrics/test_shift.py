"""Tests of two samples: against scipy and by hand, with how often they are wrong when nothing changed, and how often right."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from langwright.metrics.shift import (
    discrepancy,
    gaussian,
    pearson,
    smirnov,
    stability_index,
    stability_limit,
    tallies,
    tenths,
)


def samples(seed: int, m: int = 60, n: int = 40) -> tuple[list[float], list[float]]:
    draw = np.random.default_rng(seed)
    return list(draw.normal(size=m)), list(draw.normal(0.3, 1.2, size=n))


@pytest.mark.parametrize("seed", range(5))
def test_smirnov_agrees_with_scipy(seed: int) -> None:
    before, now = samples(seed)
    theirs = stats.ks_2samp(before, now, method="exact")
    ours = smirnov(before, now, seed=0, permutations=9999)
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-12)
    assert ours.p == pytest.approx(theirs.pvalue, abs=4 * math.sqrt(theirs.pvalue / 9999) + 1e-3)


def test_smirnov_with_ties_agrees_with_scipy() -> None:
    draw = np.random.default_rng(3)
    before, now = draw.integers(0, 6, 80).tolist(), draw.integers(1, 7, 50).tolist()
    assert smirnov(before, now, seed=0).statistic == pytest.approx(stats.ks_2samp(before, now).statistic, abs=1e-12)


def test_a_permutation_test_by_hand() -> None:
    """Of the 20 ways to part six values, D is 1 in two: p is 0.1 but for the draw."""
    ways = [
        stats.ks_2samp([x for i, x in enumerate(range(6)) if i in chosen], [x for i, x in enumerate(range(6)) if i not in chosen]).statistic
        for chosen in itertools.combinations(range(6), 3)
    ]  # fmt: skip
    assert sum(way == 1 for way in ways) == 2
    assert smirnov([0, 1, 2], [3, 4, 5], seed=1, permutations=20_000).p == pytest.approx(0.1, abs=0.01)


def test_chi_square_agrees_with_scipy() -> None:
    draw = np.random.default_rng(1)
    before = draw.choice(list("abc"), 300, p=[0.5, 0.3, 0.2]).tolist()
    now = draw.choice(list("abc"), 200, p=[0.45, 0.3, 0.25]).tolist()
    counts = np.array(tallies(before, now))
    theirs = stats.chi2_contingency(counts, correction=False)
    ours = pearson(before, now, seed=0, permutations=9999)
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-12)
    assert ours.p == pytest.approx(theirs.pvalue, abs=0.02)  # scipy's is of the limit, ours of these counts


def test_discrepancy_by_the_formula() -> None:
    """Lemma 6 of Gretton et al., term by term, over all pairs."""
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(7, 3)), draw.normal(1.0, 1.0, size=(5, 3))
    both = np.concatenate([x, y])
    distances = [math.dist(a, b) for a, b in itertools.combinations(both, 2)]
    width = math.sqrt(float(np.median(np.square(distances))))

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return math.exp(-(math.dist(a, b) ** 2) / (2 * width**2))

    xx = sum(k(a, b) for a, b in itertools.permutations(x, 2)) / (7 * 6)
    yy = sum(k(a, b) for a, b in itertools.permutations(y, 2)) / (5 * 4)
    xy = sum(k(a, b) for a in x for b in y) / (7 * 5)
    assert discrepancy(x, y, seed=0).statistic == pytest.approx(xx + yy - 2 * xy, abs=1e-12)
    assert gaussian(np.zeros((4, 2))).min() == 1.0


@pytest.mark.spec("SV8", "tests for drift keep the rate of false alarms that they state, and find what changed")
def test_false_alarms_and_power() -> None:
    """400 times two samples of one distribution: at 5 % each test is wrong about so often. A change is found."""
    draw = np.random.default_rng(7)
    wrong = {"length": 0, "script": 0, "vectors": 0}
    found = dict(wrong)
    times = 400
    for time in range(times):
        shape = {"seed": time, "permutations": 199}
        lengths = draw.geometric(0.05, 160)  # many are equal
        scripts = draw.choice(["LATIN", "CJK", "KANA"], 160, p=[0.7, 0.28, 0.02])  # one is rare
        vectors = draw.normal(size=(60, 8))
        wrong["length"] += smirnov(lengths[:100], lengths[100:], **shape).p <= 0.05
        wrong["script"] += pearson(scripts[:100].tolist(), scripts[100:].tolist(), **shape).p <= 0.05
        wrong["vectors"] += discrepancy(vectors[:35], vectors[35:], **shape).p <= 0.05
        if time < 40:
            found["length"] += smirnov(lengths[:100], draw.geometric(0.025, 60), **shape).p <= 0.05
            found["script"] += pearson(scripts[:100].tolist(), ["CJK"] * 40 + ["LATIN"] * 20, **shape).p <= 0.05
            found["vectors"] += discrepancy(vectors[:35], vectors[35:] + 0.8, **shape).p <= 0.05
    low, high = stats.binom.interval(0.9999, times, 0.05)
    assert all(count <= high for count in wrong.values()), wrong
    assert wrong["vectors"] >= low and wrong["length"] >= low / 2, wrong  # not a test that never speaks
    assert all(count >= 36 for count in found.values()), found


def test_stability_index_by_hand_and_its_limit() -> None:
    assert stability_index([10, 30, 60], [10, 30, 60]) == 0
    assert stability_index([50, 50], [90, 10]) == pytest.approx(0.4 * math.log(1.8) - 0.4 * math.log(0.2))
    assert math.isfinite(stability_index([100, 0], [0, 100]))
    draw = np.random.default_rng(0)
    shares = np.full(10, 0.1)
    limit = stability_limit(1000, 500, 10, 0.05)
    over = sum(
        stability_index(draw.multinomial(1000, shares).tolist(), draw.multinomial(500, shares).tolist()) > limit
        for _ in range(1000)
    )
    low, high = stats.binom.interval(0.9999, 1000, 0.05)
    assert low <= over <= high


def test_tenths() -> None:
    before, now = tenths(list(range(1, 101)), [1, 5, 100, 1000])
    assert before == [10] * 10 and now == [2, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert tenths([0.0] * 50, [0.0, 1.0]) == ([50, 0], [1, 1])  # equal values make one class


def test_samples_too_small_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        smirnov([1.0], [1.0, 2.0], seed=0)
