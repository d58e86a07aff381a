"""Edits between texts, and the measures of corrections by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.metrics.correcting import correction_scores
from langwright.metrics.edits import Edit, applied, edits_between, pieces

TEXTS = st.text("ab 是的。'-X", max_size=12)


@given(TEXTS, TEXTS)
def test_edits_make_the_one_text_from_the_other(text: str, made: str) -> None:
    edits = edits_between(text, made)
    assert applied(text, edits) == made
    assert all(a.end <= b.start for a, b in pairwise(edits))
    assert "".join(pieces(text)) == text


@pytest.mark.parametrize(
    ("text", "made", "edits"),
    [
        ("我看过许多勇敢的人，不怕措折地奋斗", "我看过许多勇敢的人，不怕挫折地奋斗", [(12, 13, "挫")]),
        ("his yuor friend", "is your friend", [(0, 3, "is"), (4, 8, "your")]),
        ("他今天来", "他昨天没来", [(1, 2, "昨"), (3, 3, "没")]),
        ("same", "same", []),
    ],
)
def test_edits_by_hand(text: str, made: str, edits: list[tuple[int, int, str]]) -> None:
    assert [(edit.start, edit.end, edit.replacement) for edit in edits_between(text, made)] == edits


def test_edits_that_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match="overlaps"):
        applied("abc", [Edit(0, 2, "x"), Edit(1, 3, "y")])


@pytest.mark.spec(
    "G11", "detection and correction of mistakes measured by sentence and by edit, as SIGHAN does, by hand"
)
def test_scores_by_hand() -> None:
    a, b, c = Edit(0, 1, "甲"), Edit(3, 4, "乙"), Edit(3, 4, "丙")
    right = [[a], [a, b], [b], [], []]
    made = [[a], [a], [c], [a], []]
    scores = {one.name: one.value for one in correction_scores(made, right)}
    # four sentences were changed, three have mistakes; places right in the first and third, all right in the first
    assert scores["sentences with mistakes found, F1"] == pytest.approx(2 * 2 / (4 + 3))
    assert scores["sentences corrected, F1"] == pytest.approx(2 * 1 / (4 + 3))
    # four edits made, four right ones; three places hit, two edits hit
    assert scores["mistakes found, F1"] == pytest.approx(2 * 3 / (4 + 4))
    assert scores["mistakes corrected, F1"] == pytest.approx(2 * 2 / (4 + 4))
    assert scores["precision of corrections"] == pytest.approx(2 / 4)
    assert scores["recall of corrections"] == pytest.approx(2 / 4)
    assert scores["right sentences that were changed"] == pytest.approx(1 / 2)


def test_doing_nothing_scores_nothing_and_harms_nothing() -> None:
    scores = {one.name: one.value for one in correction_scores([[], []], [[Edit(0, 1, "x")], []])}
    assert scores["sentences corrected, F1"] == 0
    assert scores["right sentences that were changed"] == 0
