"""Risk and coverage by hand and in the limit."""

from __future__ import annotations

import numpy as np
import pytest

from langwright.metrics.abstaining import risk_area, risk_coverage, selective_accuracy
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
