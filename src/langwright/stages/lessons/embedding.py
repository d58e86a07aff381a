"""The embedding lesson: vectors of texts from pairs of texts that belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langwright.errors import UserError
from langwright.stages.declaration import Work
from langwright.stages.lessons.headed import looked_at, split_rows, with_head
from langwright.stages.lessons.lesson import Lesson, labelled_dataset

if TYPE_CHECKING:
    from langwright.data.schemas import PairRow
    from langwright.stages.finetune import FinetuneSettings


def embedding_lesson(work: Work) -> Lesson:
    """Pairs of which each text is to find its partner among the others of its batch."""
    from langwright.objectives.contrastive import Contrastive, PartnerExamples

    settings: FinetuneSettings = work.settings
    rows = split_rows(labelled_dataset(work, "pair"))
    model, encoder = with_head(work, "backbone")
    if getattr(model, "pooler", None) is None:  # a part of transformers' BERT, and of few families besides
        raise UserError(
            "a model of the {family} family has no pooler, of which vectors are learned here",
            fix="take an encoder of the bert family",
            family=model.config.model_type,
        )
    partners = {split: belonging(some, settings.together, split) for split, some in rows.items()}
    encoded = {
        split: [(encoder.text(row.text_a), encoder.text(row.text_b)) for row in some]
        for split, some in partners.items()
    }
    texts = {split: [text for row in some for text in (row.text_a, row.text_b)] for split, some in partners.items()}
    report = looked_at(work, [one for pair in encoded["train"] for one in pair], encoder, texts, model=model)
    made = {
        split: PartnerExamples([(one.ids, other.ids) for one, other in pairs], encoder.pad_id)
        for split, pairs in encoded.items()
        if pairs
    }
    return Lesson(
        model=model, tokenizer=encoder.tokenizer, head="backbone", solver="pooled", objective=Contrastive(),
        train=made["train"], validation=made.get("validation"), length=encoder.length, report=report,
    )  # fmt: skip


def belonging(rows: list[Any], label: str | None, split: str) -> list[PairRow]:
    """The pairs that belong together: those with the label, or all where rows have none.

    raises  UserError where rows have labels and none is named, or no row has the one that is
    """
    labels = sorted({row.label for row in rows})
    if label is None and labels == [""]:
        return rows
    found = [row for row in rows if row.label == label]
    if label is None or (split == "train" and len(found) < 2):
        raise UserError(
            "which pairs belong together is not known: the labels of the {split} split are {labels}",
            fix="name the label of such pairs with --set together=LABEL; at least two pairs must have it",
            split=split,
            labels=", ".join(labels),
        )
    return found
