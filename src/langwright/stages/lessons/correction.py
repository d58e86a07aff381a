"""The correction lesson: an encoder learns what is to stand in each token's place, any other model to write the text anew.

Source    see `tasks.correcting.replacing` and `stages.lessons.rewriting`
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langwright.data.schemas import CorrectionRow
from langwright.errors import UserError
from langwright.runlog import Warned
from langwright.stages.declaration import Work
from langwright.stages.lessons.headed import Judged, as_rows, fills_blanks, looked_at, split_rows
from langwright.stages.lessons.lesson import Lesson, labelled_dataset, row_length
from langwright.stages.lessons.rewriting import rewriting_lesson

if TYPE_CHECKING:
    from langwright.data.encoder import Encoder
    from langwright.objectives.tagging import TagExamples
    from langwright.stages.finetune import FinetuneSettings
    from langwright.tasks.front.headed import Headed


def correction_lesson(work: Work) -> Lesson:
    """Texts with mistakes and what they should be."""
    from langwright.models.loading import read_config

    if fills_blanks(read_config(work.one("model").path)):
        return replacement_lesson(work)
    return rewriting_lesson(work, "correction", "correction")


def replacement_lesson(work: Work) -> Lesson:
    """Every token of the wrong text with the one that is to stand there; rows that are cut otherwise are left out."""
    from langwright.models.loading import load_model
    from langwright.objectives.tagging import Tagging
    from langwright.tasks.front.headed import encoder_for
    from langwright.tokenizers.loading import load_tokenizer

    settings: FinetuneSettings = work.settings
    rows: dict[str, list[Any]] = split_rows(labelled_dataset(work, "correction"))
    folder = work.one("model").path
    model = load_model(folder, "masked", dropout=settings.dropout)
    encoder = encoder_for(model, load_tokenizer(folder), row_length(settings, model.config))
    made = {split: replacement_examples(encoder, some) for split, some in rows.items()}
    train, lost = made["train"]
    if not len(train):
        raise UserError(
            "in no training row do the wrong and the right text have the same tokens but for those that are replaced",
            fix="take a tokenizer of single characters, or an encoder-decoder, which writes the text anew",
        )
    if lost:
        work.log.write(
            Warned(
                message="{lost} of {rows} rows are cut into other tokens when corrected, and cannot be learned token by token",
                values={"lost": lost, "rows": len(rows["train"])},
            )
        )
    texts = {split: [row.text for row in some] for split, some in rows.items()}
    report = looked_at(work, as_rows(train.texts), encoder, texts, model=model)
    return Lesson(
        model=model, tokenizer=encoder.tokenizer, head="masked", solver="replacement", objective=Tagging(), train=train,
        validation=made["validation"][0] if "validation" in made and len(made["validation"][0]) else None,
        length=encoder.length, report=report, task="correction",
        judge=Judged(encoder, rows["validation"], score_corrections) if "validation" in rows else None,
    )  # fmt: skip


def replacement_examples(encoder: Encoder, rows: Sequence[CorrectionRow]) -> tuple[TagExamples, int]:
    """Windows of wrong texts with the id that is to stand at each token, and how many rows cannot be said so."""
    import numpy as np

    from langwright.objectives.next_token import IGNORED
    from langwright.objectives.tagging import TagExamples
    from langwright.tokenizers.layout import pieces

    texts, numbers, lost = [], [], 0
    for row in rows:
        where, _, windows = encoder.words(row.text)
        right = pieces(encoder.tokenizer, row.correction)
        if right.places != where or not where:
            lost += 1
            continue
        for window in windows:
            ids = np.full(len(window.row.ids), IGNORED, dtype=np.int64)
            for token in range(*window.owned):
                ids[token - window.first + window.offset] = right.ids[token]
            texts.append(window.row.ids)
            numbers.append(ids)
    return TagExamples(texts, numbers, encoder.pad_id), lost


def score_corrections(model: Headed, rows: Sequence[CorrectionRow]) -> dict[str, float]:
    """The measures of correction."""
    from langwright.metrics.correcting import correction_scores
    from langwright.metrics.edits import edits_between
    from langwright.tasks.correcting.replacing import replaced

    made = replaced(model.model, model.encoder, [row.text for row in rows])
    right = [edits_between(row.text, row.correction) for row in rows]
    return {one.name: one.value for one in correction_scores([[one.edit for one in some] for some in made], right)}
