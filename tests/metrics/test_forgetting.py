"""Continual learning's numbers, by hand on a matrix of three tasks."""

from __future__ import annotations

import pytest
from scipy import stats

from langwright.metrics.forgetting import average_accuracy, backward_transfer, forgetting, forward_transfer
from langwright.metrics.intervals import student

A = [[0.9, 0.4, 0.3], [0.7, 0.8, 0.5], [0.8, 0.5, 0.7]]
B = [0.5, 0.5, 0.25]


@pytest.mark.spec("F13", "average accuracy, forgetting and transfer from the matrix of accuracies, by hand")
def test_the_measures_of_a_matrix():
    assert average_accuracy(A) == pytest.approx((0.8 + 0.5 + 0.7) / 3)
    assert forgetting(A) == pytest.approx(((0.9 - 0.8) + (0.8 - 0.5)) / 2)
    assert backward_transfer(A) == pytest.approx(((0.8 - 0.9) + (0.5 - 0.8)) / 2)
    assert forward_transfer(A, B) == pytest.approx(((0.4 - 0.5) + (0.5 - 0.25)) / 2)


def test_forgetting_is_from_the_best_there_was_and_backward_transfer_from_the_first():
    later_better = [[0.6, 0, 0], [0.9, 0.8, 0], [0.7, 0.8, 0.7]]
    assert forgetting(later_better) == pytest.approx(((0.9 - 0.7) + 0) / 2)
    assert backward_transfer(later_better) == pytest.approx(((0.7 - 0.6) + 0) / 2)


def test_students_interval_is_scipys():
    values = [0.71, 0.68, 0.75, 0.7, 0.66]
    expected = stats.t.interval(0.95, 4, loc=sum(values) / 5, scale=stats.sem(values))
    assert student(values) == pytest.approx(expected)
    assert student([0.5]) is None
