"""Differences between a model and a simple method on the same rows, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from langwright.data.schemas import TranslationRow
from langwright.evaluation.baselines.paired import (
    all_of,
    by_row,
    by_target,
    f1_of_counts,
    of_spans,
    of_translations,
    span_counts,
)
from langwright.evaluation.measuring.solved import bounded
from langwright.tasks.summarization import SummarizationInput
from langwright.tasks.tagging import TaggingInput


def test_spans_are_counted_together() -> None:
    """The model: 2 hits, 3 named, 3 right: F1 2/3; the other: 1 hit, 1 named, 3 right: 1/2."""
    right = [{(0, 1, "a")}, {(0, 1, "a"), (2, 3, "b")}]
    mine = [{(0, 1, "a")}, {(0, 1, "a"), (2, 3, "c")}]
    theirs = [{(0, 1, "a")}, set()]
    assert span_counts(mine, right).tolist() == [[1, 1, 1], [1, 2, 2]]
    found, p = of_spans(mine, theirs, right, [], 0)
    assert found.name == "difference in entity F1" and found.value == pytest.approx(2 / 3 - 1 / 2)
    assert found.n == 2 and p.name == "randomisation p-value"
    assert f1_of_counts(np.zeros((1, 3))).tolist() == [0.0]


def test_means_of_rows() -> None:
    """Letters said rightly, 2 and 0 of rows against 1 and 1; and the same halved."""
    apart = all_of(
        by_row("letters", lambda said, right: float(len(set(said) & set(right)))), by_row("half", lambda said, right: len(said) / 2)
    )  # fmt: skip
    letters, half = apart(["ab", "x"], ["a", "b"], ["ab", "b"], [], 0)
    assert letters.name == "difference in letters" and letters.value == 0.0 and letters.n == 2
    assert half.value == pytest.approx((1 + 0.5) / 2 - 0.5)


def test_bleu_is_counted_by_the_language_written() -> None:
    rows = [
        TranslationRow(text="", translation="", language="en", target_language=language) for language in ("zh", "de", "zh")
    ]  # fmt: skip
    assert by_target(rows) == [("de", [1]), ("zh", [0, 2])]
    right = ["我在家里吃饭", "Das ist ein Haus", "他在学校读书"]
    wrong = ["", "", ""]
    german, _, chinese, _ = of_translations(right, wrong, right, rows, 0)
    assert german.value == pytest.approx(100) and german.data == "→de" and german.n == 1
    assert chinese.value == pytest.approx(100) and chinese.data == "→zh" and chinese.n == 2
    alone, _ = of_translations(right[:1], right[:1], right[:1], rows[:1], 0)
    assert alone.value == 0.0 and alone.name == "difference in BLEU" and not alone.data


def test_what_is_written_is_bounded_by_the_settings() -> None:
    asked = bounded(SummarizationInput(text="It rained."), 7)
    assert isinstance(asked, SummarizationInput) and asked.sampling is not None and asked.sampling.max_new_tokens == 7
    told = SummarizationInput(text="It rained.", sampling=asked.sampling)
    assert bounded(told, 9) is told
    tags = TaggingInput(text="Ann")
    assert bounded(tags, 7) is tags
