"""Calibration: by hand, against scikit-learn, in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from langwright.metrics.calibration import (  # fmt: skip
    at_temperature,
    brier,
    brier_parts,
    calibration_error,
    fit_temperature,
    nats,
    reliability,
)

sure = st.lists(st.tuples(st.sampled_from([0.05, 0.3, 0.5, 0.61, 0.95, 1.0]), st.booleans()), min_size=1, max_size=40)


def test_error_by_hand() -> None:
    confidence, right = [0.95, 0.85, 0.85, 0.65, 0.55, 0.55], [1, 1, 0, 1, 0, 1]
    # bins (0.5, 0.6], (0.6, 0.7], (0.8, 0.9], (0.9, 1]: 2·0.05 + 1·0.35 + 2·0.35 + 1·0.05, over 6
    assert calibration_error(confidence, right, 10).value == pytest.approx(0.2)
    # by rising confidence in twos: (0.55 + 0.55 - 1) + (2 - 0.65 - 0.85) + (0.85 + 0.95 - 1)
    assert calibration_error(confidence, right, 3, adaptive=True).value == pytest.approx((0.1 + 0.5 + 0.8) / 6)


@given(sure)
@settings(max_examples=60, deadline=None)
def test_bins_are_scikit_learns(pairs: list[tuple[float, bool]]) -> None:
    confidence, right = map(list, zip(*pairs, strict=True))
    bars = [bar for bar in reliability(confidence, right, 7) if bar.items]
    accuracy, mean = calibration_curve(right, confidence, n_bins=7)
    assert [bar.accuracy for bar in bars] == pytest.approx(list(accuracy))
    assert [bar.confidence for bar in bars] == pytest.approx(list(mean))
    weighted = sum(bar.items * abs(bar.accuracy - bar.confidence) for bar in bars) / len(right)
    assert calibration_error(confidence, right, 7).value == pytest.approx(weighted)


def test_an_edge_belongs_to_the_bin_below_it() -> None:
    assert [bar.items for bar in reliability([0.0, 0.25, 0.5, 0.51, 1.0], [True] * 5, 2)] == [3, 2]


def test_equal_bins_hold_equally_many() -> None:
    confidence = [place / 40 for place in range(40)]
    assert [bar.items for bar in reliability(confidence, [True] * 40, 8, adaptive=True)] == [5] * 8


def test_confidence_that_is_accuracy_has_no_error_and_the_interval_holds_the_value() -> None:
    confidence, right = [0.8] * 50 + [0.6] * 50, ([True] * 40 + [False] * 10) + ([True] * 30 + [False] * 20)
    assert calibration_error(confidence, right).value == pytest.approx(0)
    off = calibration_error([0.9] * 100, right)
    assert off.value == pytest.approx(0.2) and off.low is not None and off.low < 0.2 < off.high
    with pytest.raises(ValueError, match="outside"):
        calibration_error([1.2], [True])


def test_brier_equals_scikit_learn_and_its_parts_add_up() -> None:
    rng = np.random.default_rng(0)
    given_NL, right = rng.dirichlet(np.ones(4), 50), rng.integers(0, 4, 50)
    assert brier(given_NL, right).value == pytest.approx(
        brier_score_loss(right, given_NL, labels=range(4), scale_by_half=False)
    )
    said, so = rng.choice([0.1, 0.4, 0.7], 50), rng.random(50) < 0.4
    parts = brier_parts(said, so)
    assert parts.reliability - parts.resolution + parts.uncertainty == pytest.approx(np.mean((said - so) ** 2))
    sure = brier([[1.0, 0.0], [1.0, 0.0]], [0, 1])
    assert sure.value == pytest.approx(1.0)  # 0 and 2


def test_temperature_in_closed_form() -> None:
    """A margin of 3 that is right 80 times of 100 should be ln 4."""
    logits, right = [[3.0, 0.0]] * 100, [0] * 80 + [1] * 20
    assert fit_temperature(logits, right) == pytest.approx(3 / math.log(4), rel=1e-5)


def test_temperature_mends_what_was_stretched_and_changes_no_prediction() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(4000, 5)) * 2
    drawn = np.array([rng.choice(5, p=p) for p in at_temperature(logits, 1.0)])
    found = fit_temperature(logits * 3, drawn)
    assert found == pytest.approx(3, rel=0.06)
    assert fit_temperature(logits * 6, drawn) == pytest.approx(2 * found, rel=1e-4)
    before, after = at_temperature(logits * 3, 1.0), at_temperature(logits * 3, found)
    assert (before.argmax(1) == after.argmax(1)).all()
    assert nats(logits * 3 / found, drawn) < nats(logits * 3, drawn)
    errors = [calibration_error(p.max(1), p.argmax(1) == drawn).value for p in (before, after)]
    assert errors[1] < 0.03 < 0.15 < errors[0]
