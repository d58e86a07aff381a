"""Elo by hand, Bradley-Terry by a published table and by logistic regression."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from langwright.metrics.preferences import Compared, bradley_terry, elo, elo_ratings, strengths

# American League East 1987, Agresti 2002, Categorical Data Analysis, table 10.10: wins of the row's team
TEAMS = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
WINS = np.array([
    [0, 7, 9, 7, 7, 9, 11], [6, 0, 7, 5, 11, 9, 9], [4, 6, 0, 7, 7, 8, 12], [6, 8, 6, 0, 6, 7, 10],
    [6, 2, 6, 7, 0, 7, 12], [4, 4, 5, 6, 6, 0, 6], [2, 4, 1, 3, 1, 7, 0],
], float)  # fmt: skip


def test_strengths_as_published() -> None:
    found = strengths(WINS)
    assert found - found[-1] == pytest.approx([1.58, 1.44, 1.29, 1.25, 1.11, 0.68, 0], abs=0.006)


def test_strengths_are_logistic_regression() -> None:
    rows, won = [], []
    for i, j in np.ndindex(WINS.shape):
        sides = np.eye(7)[i] - np.eye(7)[j]
        rows += [sides, -sides] * int(WINS[i, j])
        won += [1, 0] * int(WINS[i, j])
    theirs = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1000).fit(rows, won).coef_[0]
    assert strengths(WINS) == pytest.approx(theirs - theirs.mean(), abs=1e-4)


def test_elo_by_hand() -> None:
    assert elo([Compared("a", "b", 1.0)]) == {"a": 1016.0, "b": 984.0}
    twice = elo([Compared("a", "b", 1.0), Compared("b", "a", 0.5)])
    expected = 1 / (1 + 10 ** (32 / 400))  # of b, 32 points below
    assert twice["b"] == pytest.approx(984 + 32 * (0.5 - expected)) and sum(twice.values()) == pytest.approx(2000)


@pytest.mark.spec("EV4", "ratings from pairs recover the strengths that drew them, with intervals")
def test_ratings_recover_what_drew_them() -> None:
    drawing = random.Random(0)
    strength = {"weak": 0.0, "middle": 0.7, "strong": 1.4}
    compared = []
    for _ in range(600):
        a, b = drawing.sample(sorted(strength), 2)
        compared.append(Compared(a, b, float(drawing.random() < 1 / (1 + math.exp(strength[b] - strength[a])))))
    found = bradley_terry(compared)
    assert [measure.model for measure in found] == ["strong", "middle", "weak"]
    for measure in found:
        truth = 1000 + 400 / math.log(10) * (strength[measure.model] - 0.7)
        assert measure.low < truth < measure.high and measure.high - measure.low < 150
    rated = elo_ratings(compared)
    assert [measure.model for measure in rated] == ["strong", "middle", "weak"]
    assert all(measure.low < measure.value < measure.high for measure in rated)


def test_two_models_and_one_that_always_won() -> None:
    found = bradley_terry([Compared("a", "b", 1.0)] * 2 + [Compared("a", "b", 0.0)])
    # three comparisons and a tie: 2.5 against 1.5
    assert found[0].value - found[1].value == pytest.approx(400 * math.log10(2.5 / 1.5), abs=1e-3)
    best = bradley_terry([Compared("a", "b", 1.0)] * 9)
    assert best[0].value - best[1].value == pytest.approx(400 * math.log10(9.5 / 0.5), abs=1e-2)
    for rate in (elo_ratings, bradley_terry):
        with pytest.raises(ValueError, match="no comparisons"):
            rate([])
