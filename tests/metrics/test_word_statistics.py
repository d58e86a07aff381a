"""Laws of words against scipy, and recovered from words that follow them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2_contingency, zipfian

from langwright.metrics.word_statistics import duplicates, growth, growth_law, log_likelihood_ratio, zipf


@pytest.mark.parametrize("exponent", [0.6, 1.0, 1.4])
def test_zipf_maximises_scipys_likelihood(exponent: float) -> None:
    numbers = np.random.default_rng(0)
    ranks = zipfian.rvs(exponent, 300, size=20_000, random_state=numbers)
    counts = sorted(np.bincount(ranks)[1:].tolist(), reverse=True)
    counts = [count for count in counts if count]
    found = zipf(counts)

    def likelihood(s: float) -> float:
        return float(np.dot(counts, zipfian.logpmf(np.arange(1, len(counts) + 1), s, len(counts))))

    assert likelihood(found.value) >= max(likelihood(found.value + step) for step in (-1e-3, 1e-3))
    assert found.value == pytest.approx(exponent, abs=0.05)
    assert found.low is not None and found.high is not None
    assert 0 < found.high - found.low < 0.05
    assert found.n == 20_000


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    numbers, hits = np.random.default_rng(1), 0
    for _ in range(200):  # few kinds, so that ranks by frequency are the true ranks
        counts = np.bincount(zipfian.rvs(1.0, 8, size=4000, random_state=numbers), minlength=9)[1:]
        found = zipf(counts.tolist())
        assert found.low is not None and found.high is not None
        hits += found.low <= 1.0 <= found.high
    assert 180 <= hits <= 199


def test_zipf_of_words_that_are_all_as_frequent_is_0() -> None:
    assert zipf([7] * 50).value == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="two kinds"):
        zipf([5])


def test_growth_by_hand() -> None:
    law = growth_law([(words, round(3 * words**0.5)) for words in (100, 10_000, 1_000_000)])
    assert law.exponent == pytest.approx(0.5, abs=1e-6)
    assert law.factor == pytest.approx(3, rel=1e-3)
    assert growth([(10, 10), (1000, 1000)]).value == pytest.approx(1)
    with pytest.raises(ValueError, match="two places"):
        growth_law([(5, 5)])


@pytest.mark.parametrize(("both", "first", "second", "total"), [(10, 12, 15, 500), (0, 20, 30, 100), (5, 5, 5, 50)])
def test_the_ratio_is_scipys_g_test(both: int, first: int, second: int, total: int) -> None:
    table = [[both, first - both], [second - both, total - first - second + both]]
    right = chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    assert log_likelihood_ratio(both, first, second, total) == pytest.approx(right, rel=1e-12)


def test_the_ratio_of_independent_words_is_0_and_that_of_one_pair_by_hand() -> None:
    assert log_likelihood_ratio(2, 10, 20, 100) == pytest.approx(0, abs=1e-12)
    # two words that stand together always, in half of the trials: 2 · n · ln 2
    assert log_likelihood_ratio(8, 8, 8, 16) == pytest.approx(2 * 16 * math.log(2))


def test_duplicates_is_a_share() -> None:
    found = duplicates(3, 10)
    assert found.value == 0.3
    assert found.low is not None and found.low < 0.3
