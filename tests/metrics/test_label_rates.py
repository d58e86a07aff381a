"""Precision, recall and Matthews correlation against scikit-learn, and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import matthews_corrcoef, precision_recall_fscore_support

from langwright.metrics.label_rates import rates

pytestmark = pytest.mark.filterwarnings("ignore:A single label was found")  # scikit-learn's own advice

labelled = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abce")), min_size=1, max_size=60)


@pytest.mark.spec("EV1", "precision, recall and Matthews correlation equal scikit-learn's, macro and of each label")
@given(labelled)
@settings(max_examples=60, deadline=None)
def test_values_equal_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    predicted, right = zip(*pairs, strict=True)
    labels = sorted({*predicted, *right})
    got = {measure.name: measure.value for measure in rates(predicted, right)}
    precision, recall, _, _ = precision_recall_fscore_support(right, predicted, labels=labels, zero_division=0)
    assert [got[f"precision of {label}"] for label in labels] == pytest.approx(list(precision))
    assert [got[f"recall of {label}"] for label in labels] == pytest.approx(list(recall))
    assert got["macro precision"] == pytest.approx(precision.mean())
    assert got["macro recall"] == pytest.approx(recall.mean())
    assert got["Matthews correlation"] == pytest.approx(matthews_corrcoef(right, predicted), abs=1e-12)


def test_matthews_by_hand() -> None:
    # TP 4, FN 2, FP 1, TN 3: (12 - 2) / sqrt(5 · 6 · 4 · 5)
    right, predicted = "pppppp" + "nnnn", "pppp" + "nn" + "p" + "nnn"
    got = {measure.name: measure for measure in rates(list(predicted), list(right))}
    assert got["Matthews correlation"].value == pytest.approx(10 / np.sqrt(600))
    assert got["precision of p"].value == 4 / 5 and got["recall of p"].value == 4 / 6


def test_an_interval_of_drawn_cells_is_one_of_drawn_items() -> None:
    rng = np.random.default_rng(2)
    right = rng.choice(list("abc"), 300, p=[0.6, 0.3, 0.1])
    predicted = np.where(rng.random(300) < 0.7, right, rng.choice(list("abc"), 300))
    got = {m.name: m for m in rates(list(predicted), list(right), seed=4)}["Matthews correlation"]
    items = rng.integers(0, 300, (600, 300))
    drawn = [matthews_corrcoef(right[one], predicted[one]) for one in items]
    width = np.quantile(drawn, 0.975) - np.quantile(drawn, 0.025)
    assert got.low == pytest.approx(np.quantile(drawn, 0.025), abs=0.12 * width)
    assert got.high == pytest.approx(np.quantile(drawn, 0.975), abs=0.12 * width)


def test_few_items_have_no_interval_and_no_items_no_value() -> None:
    assert all(measure.low is None for measure in rates(["a", "b"], ["a", "a"]))
    with pytest.raises(ValueError, match="0 predictions"):
        rates([], [])
