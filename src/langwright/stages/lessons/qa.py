"""The question lesson: the stretch of a passage that answers a question, learned as its first and last token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from langwright.data.hints import Asked
from langwright.data.schemas import QaRow
from langwright.errors import UserError
from langwright.objectives.loss_settings import class_losses
from langwright.stages.declaration import Work
from langwright.stages.lessons.headed import Judged, as_rows, hinted, looked_at, split_rows, with_head
from langwright.stages.lessons.lesson import Lesson, labelled_dataset

if TYPE_CHECKING:
    from langwright.data.encoder import Encoder
    from langwright.objectives.extraction import SpanExamples
    from langwright.stages.finetune import FinetuneSettings
    from langwright.tasks.front.headed import Headed


def qa_lesson(work: Work) -> Lesson:
    """Questions with passages; long passages in windows that overlap, where the answer is in one or there is none."""
    from langwright.objectives.extraction import Spans

    settings: FinetuneSettings = work.settings
    rows = split_rows(labelled_dataset(work, "qa"))
    model, encoder = with_head(work, "span")
    if settings.hints:
        encoder = hinted(work, model, encoder, Asked())
    made = {split: span_examples(encoder, some) for split, some in rows.items()}
    answered = int((made["train"].edges[:, 1] > 0).sum())
    if not answered:
        raise UserError(
            "in none of {count} windows of passages does an answer stand whole: all would be learned as having none",
            fix="check the answers, or raise the row length with --set length=N",
            count=len(made["train"]),
        )
    texts = {split: [f"{row.question}\n{row.context}" for row in some] for split, some in rows.items()}
    labels = {"answer": answered, "no answer": len(made["train"]) - answered}
    report = looked_at(work, as_rows(made["train"].texts), encoder, texts, labels=labels, model=model)
    return Lesson(
        model=model, tokenizer=encoder.tokenizer, head="span", solver="head",
        objective=Spans(class_losses(settings.loss, ())), train=made["train"],
        validation=made.get("validation"), length=encoder.length, report=report,
        judge=Judged(encoder, rows["validation"], score_answers) if "validation" in rows else None,
    )  # fmt: skip


def span_examples(encoder: Encoder, rows: Sequence[QaRow]) -> SpanExamples:
    """Windows with the first answer's edges, or none where it does not stand whole in a window."""
    import numpy as np

    from langwright.data.encoder import edges_in, tokens_of
    from langwright.objectives.extraction import SpanExamples

    texts, types, edges = [], [], []
    for row in rows:
        places, windows = encoder.passage(row.question, row.context)
        answer = row.answers[0] if row.answers else None
        span = tokens_of(places, answer.start, answer.start + len(answer.text)) if answer else None
        for window in windows:
            texts.append(window.row.ids)
            types.append(window.row.types)
            edges.append(edges_in(window, span))
    told = types if encoder.told else None
    return SpanExamples(texts, np.array(edges, dtype=np.int64), encoder.pad_id, told)


def score_answers(model: Headed, rows: Sequence[QaRow]) -> dict[str, float]:
    """Exact match and F1."""
    from langwright.metrics.answers import answer_scores

    said = [found.text for found in model.answer([(row.question, row.context) for row in rows])]
    right = [[answer.text for answer in row.answers] for row in rows]
    return {found.name: found.value for found in answer_scores(said, right)}
