"""The summarization lesson of an encoder: the stretch of a text that says most of its summary, learned as a span is.

Source    see `tasks.extraction.stretches` and `stages.lessons.qa`
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from langwright.data.schemas import Answer, QaRow, SummaryRow
from langwright.runlog import Warned
from langwright.stages.declaration import Work
from langwright.stages.lessons.headed import split_rows
from langwright.stages.lessons.lesson import Lesson, labelled_dataset
from langwright.stages.lessons.qa import span_lesson

if TYPE_CHECKING:
    from langwright.tasks.headed import Headed


def quoting_lesson(work: Work) -> Lesson:
    """Texts with the stretch that their summary shares most with; those that share nothing are left out of training."""
    rows: dict[str, list[SummaryRow]] = split_rows(labelled_dataset(work, "summary"))
    questions = {split: [question_of(row) for row in some] for split, some in rows.items()}
    kept = {split: [row for row in some if row.answers] for split, some in questions.items()}
    lost = sum(map(len, questions.values())) - sum(map(len, kept.values()))
    if lost:
        work.log.write(
            Warned(message="{count} summaries share no word with their text and are left out", values={"count": lost})
        )
    lesson = span_lesson(work, kept, score_summaries, rows.get("validation"))
    lesson.task = "summarization"
    return lesson


def question_of(row: SummaryRow) -> QaRow:
    """A summary as the answer to no question in particular."""
    from langwright.tasks.extraction.stretches import best_stretch

    found = best_stretch(row.text, row.summary)
    answers = (Answer(text=row.text[slice(*found)], start=found[0]),) if found else ()
    return QaRow(id=row.id, language=row.language, question="", context=row.text, answers=answers)


def score_summaries(model: Headed, rows: Sequence[SummaryRow]) -> dict[str, float]:
    """ROUGE."""
    from langwright.metrics.rouge import rouge_scores

    said = [found.text for found in model.answer([("", row.text) for row in rows], must=True)]
    return {found.name: found.value for found in rouge_scores(said, [[row.summary] for row in rows])}
