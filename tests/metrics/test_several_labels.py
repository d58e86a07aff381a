"""Several labels a text: thresholds by trying every cut, values against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, hamming_loss

from langwright.metrics.several_labels import above, choose_thresholds, several_labels_scores

table = st.integers(1, 12).flatmap(
    lambda n: st.tuples(*[st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=n, max_size=n)] * 2)
)


@pytest.mark.spec("EV1", "macro F1, exact share and Hamming loss of texts with several labels equal scikit-learn's")
@given(table)
@settings(max_examples=60, deadline=None)
def test_values_equal_scikit_learn(both: tuple[list[list[bool]], list[list[bool]]]) -> None:
    named, right = both
    macro, exact, wrong = several_labels_scores(named, right)
    assert macro.value == pytest.approx(f1_score(np.array(right), np.array(named), average="macro", zero_division=0))
    assert exact.value == pytest.approx(np.mean([a == b for a, b in zip(named, right, strict=True)]))
    assert wrong.value == pytest.approx(hamming_loss(np.array(right), np.array(named)))


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=14))
@settings(max_examples=40, deadline=None)
def test_no_cut_is_better_than_the_one_chosen(pairs: list[tuple[int, bool]]) -> None:
    scores, right = np.array([[s] for s, _ in pairs], float), np.array([[r] for _, r in pairs])
    (cut,) = choose_thresholds(scores, right)
    if not right.any():
        assert cut == math.inf
        return

    def value(at: float) -> float:
        return f1_score(right[:, 0], above(scores, [at])[:, 0], zero_division=0)

    assert value(cut) == pytest.approx(max(value(at) for at in np.arange(-0.5, 7.5, 0.5)))


def test_each_label_has_its_own_cut() -> None:
    scores = [[0.9, 0.3], [0.8, 0.2], [0.4, 0.1], [0.2, 0.05]]
    cuts = choose_thresholds(scores, [[True, True], [False, True], [False, True], [False, False]])
    assert cuts == pytest.approx([0.85, 0.075])
    assert above(scores, cuts).tolist() == [[True, True], [False, True], [False, True], [False, False]]
    with pytest.raises(ValueError, match="shape"):
        choose_thresholds([[0.1]], [[True, False]])
    with pytest.raises(ValueError, match="shape"):
        several_labels_scores([], [])
