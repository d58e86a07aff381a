"""The classification lesson: texts with labels, learned by a head on the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langwright.errors import UserError
from langwright.stages.declaration import Work
from langwright.stages.lessons.lesson import Lesson, labelled_dataset, row_length, warn_about

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from langwright.data.dataset import Dataset
    from langwright.objectives.classification import TextExamples
    from langwright.stages.finetune import FinetuneSettings


def classification_lesson(work: Work) -> Lesson:
    """Texts with labels, learned by a head on the model."""
    from langwright.models.loading import load_model
    from langwright.objectives.classification import Classification
    from langwright.tokenizers.loading import load_tokenizer
    from langwright.training.preflight import Preflight, count_leaks, inspect_labels

    settings: FinetuneSettings = work.settings
    dataset = labelled_dataset(work, "classification")
    folder = work.one("model").path
    tokenizer = load_tokenizer(folder)
    counts = inspect_labels(list(dataset.labels("train")))
    labels = tuple(sorted(counts))
    model = load_model(folder, head="classification", labels=labels, seed=settings.seed, dropout=settings.dropout)
    length = row_length(settings, model.config)
    train, cut = labelled_texts(dataset, "train", tokenizer, labels, length)
    validation = None
    leaked = 0
    if "validation" in dataset.splits:
        validation, _ = labelled_texts(dataset, "validation", tokenizer, labels, length)
        leaked = count_leaks(dataset.texts("train"), dataset.texts("validation"))
    tokens = sum(len(ids) for ids in train.texts)
    report = Preflight(
        documents=len(train), tokens=tokens, rows=len(train), supervised=1.0, padding=0.0, truncated=cut,
        unknown=sum(int((ids == tokenizer.unk_token_id).sum()) for ids in train.texts) / tokens,
        doubled=0, leaked=leaked, labels=counts,
    )  # fmt: skip
    warn_about(work, report)
    return Lesson(
        model=model,
        tokenizer=tokenizer,
        head="classification",
        solver="head",
        objective=Classification(),
        train=train,
        validation=validation,
        length=length,
        report=report,
        labels=labels,
    )


def labelled_texts(
    dataset: Dataset, split: str, tokenizer: PreTrainedTokenizerBase, labels: tuple[str, ...], length: int
) -> tuple[TextExamples, int]:
    """A split as token ids and label numbers, and how many texts were cut to `length`.

    raises  UserError for a label that the training split does not have, or a text without tokens
    """
    import numpy as np

    from langwright.data.schemas import ClassificationRow
    from langwright.objectives.classification import TextExamples

    number = {label: index for index, label in enumerate(labels)}
    rows = [row for row in dataset.rows(split) if isinstance(row, ClassificationRow)]
    encoded = tokenizer([row.text for row in rows])["input_ids"]
    for row, ids in zip(rows, encoded, strict=True):
        if row.label not in number:
            raise UserError(
                "row {row} of the {split} split has label {label!r}, which no training row has",
                fix="the labels are: {labels}",
                row=row.id,
                split=split,
                label=row.label,
                labels=", ".join(labels),
            )
        if not ids:
            raise UserError(
                "row {row} of the {split} split has no text",
                fix="remove it with `langwright data clean`",
                row=row.id,
                split=split,
            )
    texts = [np.array(ids[:length], dtype=np.int64) for ids in encoded]
    cut = sum(len(ids) > length for ids in encoded)
    return TextExamples(texts, np.array([number[row.label] for row in rows]), tokenizer.pad_token_id), cut
