"""The summarization lesson of an encoder: how much each sentence and clause of a text says of its summary.

Source    see `tasks.extraction.pieces`
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from langwright.data.schemas import RegressionRow, SummaryRow
from langwright.stages.declaration import Work
from langwright.stages.lessons.headed import Judged, split_rows
from langwright.stages.lessons.lesson import Lesson, labelled_dataset
from langwright.stages.lessons.regression import value_lesson

if TYPE_CHECKING:
    from langwright.tasks.front.headed import Headed


def quoting_lesson(work: Work) -> Lesson:
    """Pieces of texts with the F1 of the words that each shares with the summary (ROUGE-1)."""
    rows: dict[str, list[SummaryRow]] = split_rows(labelled_dataset(work, "summary"))
    lesson = value_lesson(work, {split: [one for row in some for one in rated(row)] for split, some in rows.items()})
    if isinstance(lesson.judge, Judged):
        lesson.judge = replace(lesson.judge, rows=rows["validation"], score=score_summaries)
    lesson.task = "summarization"
    return lesson


def rated(row: SummaryRow) -> Iterator[RegressionRow]:
    """The pieces of a text, each with how much it says of the summary."""
    from langwright.metrics.rouge import rouge_n
    from langwright.tasks.extraction.pieces import candidates

    for number, (start, end) in enumerate(candidates(row.text)):
        piece = row.text[start:end]
        score = rouge_n(piece, row.summary, 1).f1
        yield RegressionRow(id=f"{row.id}/{number}", language=row.language, text=piece, score=score)


def score_summaries(model: Headed, rows: Sequence[SummaryRow]) -> dict[str, float]:
    """ROUGE."""
    from langwright.metrics.rouge import rouge_scores

    said = [
        row.text[start:end] for row, (start, end) in zip(rows, model.says_most([row.text for row in rows]), strict=True)
    ]
    return {found.name: found.value for found in rouge_scores(said, [[row.summary] for row in rows])}
