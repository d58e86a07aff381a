"""The area under the ROC curve against scikit-learn, its variance against DeLong's definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from langwright.metrics.intervals import Z
from langwright.metrics.ranking import auc, macro_auc

scored = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=2, max_size=40).filter(
    lambda pairs: len({so for _, so in pairs}) == 2
)


@pytest.mark.spec("EV1", "the area under the ROC curve equals scikit-learn's, of one label and averaged over several")
@given(scored)
@settings(max_examples=60, deadline=None)
def test_area_equals_scikit_learn(pairs: list[tuple[int, bool]]) -> None:
    scores, so = zip(*pairs, strict=True)
    assert auc(scores, so).value == pytest.approx(roc_auc_score(so, scores))


def test_macro_area_equals_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    right, scores = rng.integers(0, 4, 80), rng.dirichlet(np.ones(4), 80)
    got = macro_auc(scores, np.eye(4)[right] > 0)
    assert got.value == pytest.approx(roc_auc_score(right, scores, multi_class="ovr", average="macro"))
    one_missing = macro_auc(scores, np.eye(5)[right][:, [0, 1, 2, 4]] > 0)  # the last label is never right
    assert one_missing.value == pytest.approx(np.mean([roc_auc_score(right == k, scores[:, k]) for k in range(3)]))


def delong_variance(scores: np.ndarray, so: np.ndarray) -> float:
    """S10 / m + S01 / n by the definition, pair by pair."""
    x, y = scores[so], scores[~so]
    wins = np.array([[1.0 if a > b else 0.5 if a == b else 0.0 for b in y] for a in x])
    return wins.mean(1).var(ddof=1) / len(x) + wins.mean(0).var(ddof=1) / len(y)


def test_the_interval_is_delongs() -> None:
    rng = np.random.default_rng(1)
    so = rng.random(60) < 0.4
    scores = np.round(rng.normal(size=60) + so, 1)
    got = auc(scores, so)
    half = Z * math.sqrt(delong_variance(scores, so))
    assert (got.low, got.high) == pytest.approx((got.value - half, min(1, got.value + half)))
    both = macro_auc(np.stack([scores, -scores], 1), np.stack([so, ~so], 1))  # two labels that say the same
    assert (both.low, both.high) == pytest.approx((got.low, got.high))


def test_perfect_order_has_no_interval_and_one_sided_items_no_area() -> None:
    perfect = auc([1, 2, 3, 4], [False, False, True, True])
    assert perfect.value == 1 and perfect.low is None
    for wrong in ([True, True], [False, False]):
        with pytest.raises(ValueError, match="positive"):
            auc([1, 2], wrong)
    with pytest.raises(ValueError, match="no label"):
        macro_auc([[1.0], [2.0]], [[True], [True]])
