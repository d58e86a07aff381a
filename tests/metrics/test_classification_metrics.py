"""Accuracy and F1 against scikit-learn, intervals against resampling item by item."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from langwright.metrics.classification import accuracy, confusion, f1
from langwright.metrics.intervals import wilson

pytestmark = pytest.mark.filterwarnings("ignore:A single label was found")  # scikit-learn's own advice

labelled = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abce")), min_size=1, max_size=60)


def by_name(measures):
    return {measure.name: measure for measure in measures}


@given(labelled)
@settings(max_examples=60, deadline=None)
def test_values_equal_scikit_learn(pairs):
    predicted, right = zip(*pairs, strict=True)
    labels = sorted({*predicted, *right})
    got = by_name(f1(predicted, right))
    assert accuracy(predicted, right).value == pytest.approx(accuracy_score(right, predicted))
    for average in ("macro", "micro"):
        theirs = f1_score(right, predicted, average=average, labels=labels, zero_division=0)
        assert got[f"{average} F1"].value == pytest.approx(theirs)
    each = f1_score(right, predicted, average=None, labels=labels, zero_division=0)
    assert [got[f"F1 of {label}"].value for label in labels] == pytest.approx(list(each))
    assert (confusion(predicted, right, labels) == confusion_matrix(right, predicted, labels=labels)).all()


def test_by_hand():
    # a: 2 right of 3, named 3 times -> 2·2/(3+3); b: 1 right of 2, named twice -> 1/2; c: never right -> 0
    predicted, right = ["a", "a", "b", "a", "b", "c"], ["a", "a", "a", "b", "b", "d"]
    got = by_name(f1(predicted, right))
    assert got["F1 of a"].value == pytest.approx(2 / 3)
    assert got["F1 of b"].value == pytest.approx(1 / 2)
    assert got["F1 of c"].value == got["F1 of d"].value == 0
    assert got["macro F1"].value == pytest.approx((2 / 3 + 1 / 2) / 4)
    assert got["micro F1"].value == accuracy(predicted, right).value == pytest.approx(1 / 2)


def test_accuracy_has_wilsons_interval():
    measure = accuracy(["a"] * 10, ["a"] * 7 + ["b"] * 3)
    assert (measure.low, measure.high) == wilson(7, 10)
    assert measure.n == 10


def test_bootstrap_of_cells_is_bootstrap_of_items():
    rng = np.random.default_rng(2)
    right = rng.choice(list("abc"), 300, p=[0.6, 0.3, 0.1])
    predicted = np.where(rng.random(300) < 0.7, right, rng.choice(list("abc"), 300))
    got = by_name(f1(list(predicted), list(right), seed=4))["macro F1"]
    drawn = []
    for _ in range(600):
        items = rng.integers(0, 300, 300)
        drawn.append(f1_score(right[items], predicted[items], average="macro", labels=list("abc"), zero_division=0))
    width = np.quantile(drawn, 0.975) - np.quantile(drawn, 0.025)
    assert got.low == pytest.approx(np.quantile(drawn, 0.025), abs=0.1 * width)
    assert got.high == pytest.approx(np.quantile(drawn, 0.975), abs=0.1 * width)


def test_labels_given_but_never_seen_count_in_the_macro_mean():
    got = by_name(f1(["a", "b"], ["a", "b"], labels=["a", "b", "z"]))
    assert got["macro F1"].value == pytest.approx(2 / 3)
    assert got["macro F1"].low is None  # two items say nothing about spread


@pytest.mark.parametrize(("predicted", "right"), [([], []), (["a"], ["a", "b"])])
def test_unequal_or_empty_sides_are_refused(predicted, right):
    for function in (accuracy, f1):
        with pytest.raises(ValueError, match="predictions"):
            function(predicted, right)
