"""Span corruption: by hand, against the published formulas, and nothing of a row lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.errors import UserError
from langwright.objectives.spans import Spans, composition, corrupt, span_mask

SENTINELS = np.arange(1000, 1400)


def restore(inputs, target):
    """The row that was taken apart: each sentinel of the input replaced by what the target says behind it."""
    hidden = {}
    for token in target.tolist():
        if token >= 1000:
            now = hidden.setdefault(token, [])
        else:
            now.append(token)
    return [part for token in inputs.tolist() for part in (hidden[token] if token >= 1000 else [token])]


def test_the_example_of_the_paper():
    """Figure 2: thank you [for inviting] me to your party [last] week; a closing sentinel is not written."""
    words = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    mask = np.isin(words, [3, 4, 9])
    inputs, target = corrupt(words, mask, SENTINELS)
    assert inputs.tolist() == [1, 2, 1000, 5, 6, 7, 8, 1001, 10]
    assert target.tolist() == [1000, 3, 4, 1001, 9]


@pytest.mark.spec("P8", "span corruption: input and target together give back every token of the text")
@given(
    st.integers(1, 300),
    st.sampled_from([0.1, 0.15, 0.3, 0.5, 0.9]),
    st.sampled_from([1.0, 3.0, 10.0]),
    st.integers(0, 99),
)
def test_input_and_target_together_are_the_row(length, density, mean, seed):
    numbers = np.random.default_rng(seed)
    ids = numbers.integers(0, 1000, length)
    inputs, target = corrupt(ids, span_mask(length, Spans(density, mean), numbers), SENTINELS)
    assert restore(inputs, target) == ids.tolist()
    marks = inputs[inputs >= 1000]
    assert marks.tolist() == SENTINELS[: len(marks)].tolist() == target[target >= 1000].tolist()


@pytest.mark.spec("P8", "15 % of tokens are corrupted, in spans of three on average, in numbers that are exact")
@given(st.integers(2, 2000), st.integers(0, 99))
def test_how_much_is_corrupted_is_not_left_to_chance(length, seed):
    mask = span_mask(length, Spans(), np.random.default_rng(seed))
    begins = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int)])) == 1)
    noise = max(round(0.15 * length), 1)
    assert len(mask) == length and mask.sum() == noise
    assert len(begins) == max(round(noise / 3), 1)
    assert not mask[0] and mask[-1]  # kept and corrupted runs in turn
    if length >= 100:
        assert mask.mean() == pytest.approx(0.15, abs=0.005) and mask.sum() / len(begins) == pytest.approx(3, abs=0.3)


def test_every_place_is_corrupted_sometimes_and_as_often_as_its_share():
    numbers = np.random.default_rng(0)
    often = np.mean([span_mask(100, Spans(), numbers) for _ in range(4000)], axis=0)
    assert often[30:70] == pytest.approx(np.full(40, 0.15), abs=0.03) and often[0] == 0


def test_ways_of_cutting_a_number_are_equally_likely():
    """5 in three parts: six ways."""
    numbers = np.random.default_rng(0)
    found, counts = np.unique([composition(5, 3, numbers) for _ in range(6000)], axis=0, return_counts=True)
    assert len(found) == 6 and (found.sum(1) == 5).all() and (found > 0).all()
    assert np.abs(counts - 1000).max() < 4 * np.sqrt(6000 * (1 / 6) * (5 / 6))


@pytest.mark.parametrize(
    "width, row, target",  # as the published code computes them for these input widths
    [(512, 568, 114), (114, 126, 26), (1024, 1137, 229)],
)
def test_rows_that_fill_the_input_exactly(width, row, target):
    assert Spans().row_for(width) == row and Spans().widths(row) == (width, target)


@given(st.integers(4, 600), st.sampled_from([0.15, 0.5, 0.8]), st.sampled_from([1.0, 3.0]), st.integers(0, 9))
def test_no_row_is_wider_than_asked(width, density, mean, seed):
    spans = Spans(density, mean)
    length = spans.row_for(width)
    inputs, target = corrupt(
        np.zeros(length, np.int64), span_mask(length, spans, np.random.default_rng(seed)), SENTINELS
    )
    assert (len(inputs) + 1, len(target) + 1) == spans.widths(length)
    assert max(spans.widths(length)) <= width < max(spans.widths(length + 1))


def test_no_room_is_refused():
    with pytest.raises(UserError, match="width of 2"):
        Spans().row_for(2)
