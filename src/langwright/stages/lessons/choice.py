"""The choice lesson: the right one among several answers, each read with its question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from langwright.data.schemas import ChoiceRow
from langwright.objectives.loss_settings import class_losses
from langwright.stages.declaration import Work
from langwright.stages.lessons.headed import looked_at, split_rows, with_head
from langwright.stages.lessons.lesson import Lesson, labelled_dataset

if TYPE_CHECKING:
    from langwright.data.encoder import Encoded, Encoder
    from langwright.objectives.choice import ChoiceExamples
    from langwright.stages.finetune import FinetuneSettings


def choice_lesson(work: Work) -> Lesson:
    """Questions with answers to choose from, learned by a head that gives each answer a score."""
    from langwright.models.parity import is_nested
    from langwright.objectives.choice import Choice

    settings: FinetuneSettings = work.settings
    rows = split_rows(labelled_dataset(work, "choice"))
    model, encoder = with_head(work, "choice")
    made = {split: [encoded_choices(encoder, row) for row in some] for split, some in rows.items()}
    texts = {split: ["\n".join((asked_of(row), *row.choices)) for row in some] for split, some in rows.items()}
    report = looked_at(work, [one for row in made["train"] for one in row], encoder, texts, model=model)
    examples = {split: choice_examples(encoder, made[split], some) for split, some in rows.items()}
    return Lesson(
        model=model, tokenizer=encoder.tokenizer, head="choice", solver="head",
        objective=Choice(class_losses(settings.loss, ()), nested=is_nested(model)), train=examples["train"],
        validation=examples.get("validation"), length=encoder.length, report=report,
    )  # fmt: skip


def asked_of(row: ChoiceRow) -> str:
    """The question, after its context where it has one."""
    return f"{row.context}\n{row.question}" if row.context else row.question


def encoded_choices(encoder: Encoder, row: ChoiceRow) -> list[Encoded]:
    """The question with each of its answers."""
    return [encoder.pair(asked_of(row), one) for one in row.choices]


def choice_examples(encoder: Encoder, made: Sequence[Sequence[Encoded]], rows: Sequence[ChoiceRow]) -> ChoiceExamples:
    """Encoded questions with the right answer of each."""
    import numpy as np

    from langwright.objectives.choice import ChoiceExamples

    return ChoiceExamples(
        [[one.ids for one in row] for row in made],
        np.array([row.answer for row in rows], dtype=np.int64),
        encoder.pad_id,
        [[one.types for one in row] for row in made] if encoder.told else None,
    )
