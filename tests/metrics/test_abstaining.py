"""Risk and coverage by hand and in the limit."""

from __future__ import annotations

import numpy as np
import pytest

from langwright.metrics.abstaining import bounded_risk, risk_area, risk_coverage, selective_accuracy, upper_bound
from langwright.metrics.intervals import wilson


def test_by_hand() -> None:
    coverage, risk = risk_coverage([0.6, 0.9, 0.8, 0.7], [False, True, True, False])
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert risk.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 2])
    assert risk_area([0.6, 0.9, 0.8, 0.7], [False, True, True, False]).value == pytest.approx((1 / 3 + 1 / 2) / 4)


def test_the_best_order_is_the_least_area_and_no_order_the_error_rate() -> None:
    right = np.array([True] * 70 + [False] * 30)
    best = risk_area(np.where(right, 0.9, 0.1), right).value
    assert best == pytest.approx(sum(k / (70 + k) for k in range(1, 31)) / 100)
    assert risk_area(np.where(right, 0.1, 0.9), right).value > 0.3
    assert risk_area([0.5] * 100, right).value == pytest.approx(0.3)  # equal confidence: whatever the order


def test_accuracy_on_the_surest() -> None:
    found = selective_accuracy([0.9, 0.8, 0.7, 0.6, 0.5], [True, True, False, True, False], 0.6)
    assert (found.name, found.value) == ("accuracy on the surest 60%", pytest.approx(2 / 3))
    assert (found.low, found.high) == wilson(2, 3)
    level = selective_accuracy([0.9, 0.8, 0.8, 0.6], [True, True, False, False], 0.5)
    assert level.value == pytest.approx(2 / 3)  # as sure as the last one kept
    with pytest.raises(ValueError, match="share"):
        selective_accuracy([0.5], [True], 0)


def test_bound_on_errors_is_clopper_and_pearsons() -> None:
    from scipy.stats import binom, binomtest

    for wrong, of in ((0, 20), (3, 50), (49, 50)):
        bound = upper_bound(wrong, of, 0.05)
        assert binom.cdf(wrong, of, bound) == pytest.approx(0.05)
        interval = binomtest(wrong, of).proportion_ci(0.9)  # two-sided 90 %: 5 % above
        assert bound == pytest.approx(interval.high)
    assert upper_bound(5, 5, 0.05) == 1


@pytest.mark.spec(
    "AP24", "the threshold of abstention keeps the share of wrong answers under a stated risk, on new rows too"
)
def test_bounded_risk_holds_on_new_items() -> None:
    broken, promised = 0, 0
    for seed in range(40):
        numbers = np.random.default_rng(seed)

        def items(count: int, numbers: np.random.Generator = numbers) -> tuple[np.ndarray, np.ndarray]:
            sure = numbers.random(count)
            return sure, numbers.random(count) < 0.5 + sure / 2  # the surer, the more often right

        found = bounded_risk(*items(500), risk=0.15, doubt=0.1)
        if found is None:
            continue
        promised += 1
        assert found.bound <= 0.15
        sure, right = items(20_000)
        broken += float(1 - right[sure >= found.threshold].mean()) > 0.15
    assert promised > 30
    assert broken <= 4 + 2 * 2  # a tenth of 40 are expected at most; two standard deviations more are not seen


def test_bounded_risk_by_hand_and_where_there_is_none() -> None:
    sure = [index / 200 for index in range(200)]
    right = [index >= 100 for index in range(200)]
    found = bounded_risk(sure, right, 0.1)
    assert found is not None
    assert found.threshold <= 0.5  # all above are right, and some wrong ones are allowed
    assert found.kept == pytest.approx(1 - found.threshold)
    assert bounded_risk([0.9, 0.8], [True, True], 0.1) is None  # two items promise nothing
    assert bounded_risk(sure, [False] * 200, 0.1) is None
    with pytest.raises(ValueError, match="a risk of 0"):
        bounded_risk(sure, right, 0.0)
