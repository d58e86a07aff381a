"""Wilson against scipy and by hand, bootstrap and jackknife against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from langwright.metrics.intervals import FEWEST, Z, bootstrap_mean, bootstrap_ratio, jackknife, resamples, wilson


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_scipy(case):
    successes, n = case
    theirs = binomtest(successes, n).proportion_ci(method="wilson")
    ours = wilson(successes, n)
    assert ours.low == pytest.approx(theirs.low, abs=1e-12)
    assert ours.high == pytest.approx(theirs.high, abs=1e-12)
    assert 0 <= ours.low <= successes / n <= ours.high <= 1


def test_wilson_by_hand():
    # 2 of 50: centre (0.04 + z²/100) / (1 + z²/50), half z/(1+z²/50) sqrt(0.04·0.96/50 + z²/10000)
    z2 = Z * Z
    half = Z / (1 + z2 / 50) * math.sqrt(0.04 * 0.96 / 50 + z2 / 10000)
    centre = (0.04 + z2 / 100) / (1 + z2 / 50)
    assert wilson(2, 50) == pytest.approx((centre - half, centre + half))
    assert wilson(2, 50) == pytest.approx((0.01104, 0.13460), abs=1e-5)


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 5)])
def test_wilson_refuses_what_is_no_share(successes, n):
    with pytest.raises(ValueError, match="trials"):
        wilson(successes, n)


def test_resamples_draw_n_items_each_time():
    drawn_RN = np.concatenate(list(resamples(7, seed=3, draws=50)))
    assert drawn_RN.shape == (50, 7)
    assert (drawn_RN.sum(axis=1) == 7).all()


def test_resamples_in_blocks_give_every_draw(monkeypatch):
    monkeypatch.setattr("langwright.metrics.intervals._CELLS", 30)
    assert sum(len(block) for block in resamples(10, seed=0, draws=50)) == 50


def test_bootstrap_of_a_mean_is_as_wide_as_the_central_limit_theorem_says():
    values = np.random.default_rng(0).normal(3, 2, 2000)
    low, high = bootstrap_mean(list(values), seed=1)
    standard_error = values.std() / math.sqrt(len(values))
    assert low == pytest.approx(values.mean() - Z * standard_error, abs=0.15 * standard_error)
    assert high == pytest.approx(values.mean() + Z * standard_error, abs=0.15 * standard_error)


def test_bootstrap_of_a_ratio_covers_the_truth_about_19_times_in_20():
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(200):
        sizes = rng.integers(1, 50, 60)
        sums = rng.poisson(2.0 * sizes)  # the truth is 2 a unit
        low, high = bootstrap_ratio(list(sums), list(sizes), seed=trial, draws=400)
        covered += low <= 2.0 <= high
    assert 180 <= covered <= 198


@given(st.lists(st.floats(-5, 5), min_size=FEWEST, max_size=20), st.integers(0, 9))
def test_bootstrap_is_the_same_for_the_same_seed_and_equal_items_have_no_width(values, seed):
    assert bootstrap_mean(values, seed=seed) == bootstrap_mean(values, seed=seed)
    same = bootstrap_mean([values[0]] * len(values), seed=seed)
    assert same == pytest.approx((values[0], values[0]))


def test_items_with_nothing_to_divide_by_take_part_in_the_drawing():
    assert bootstrap_ratio([0.0] * 10, [0.0] * 10, seed=0) is None
    with_zeros = bootstrap_ratio([4, 0, 9, 0, 1, 3], [2, 0, 3, 0, 1, 1], seed=0)
    assert with_zeros is not None
    assert with_zeros.low <= 17 / 7 <= with_zeros.high


def test_too_few_items_give_no_interval():
    assert bootstrap_mean([1.0] * (FEWEST - 1), seed=0) is None
    assert jackknife(1.0, [1.0] * (FEWEST - 1)) is None


def test_jackknife_of_a_mean_is_the_textbook_standard_error():
    values = [1.0, 4.0, 2.0, 8.0, 5.0, 7.0]
    mean, n = sum(values) / 6, 6
    without = [(sum(values) - v) / 5 for v in values]
    standard_error = math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1) / n)
    low, high = jackknife(mean, without, least=-math.inf)
    assert low == pytest.approx(mean - Z * standard_error)
    assert high == pytest.approx(mean + Z * standard_error)
    assert jackknife(0.99, [0.5, 1.0, 0.9, 0.8, 0.7], most=1.0).high == 1.0
