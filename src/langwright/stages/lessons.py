"""The lessons of fine-tuning: for each task, the model, the examples and the objective made ready."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from langwright.errors import UserError
from langwright.runlog import Warned
from langwright.stages.declaration import Work

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from langwright.data.dataset import Dataset
    from langwright.objectives.classification import TextExamples
    from langwright.stages.finetune import FinetuneSettings
    from langwright.training.feed import Examples
    from langwright.training.fit import Sampler
    from langwright.training.loss import LogitObjective
    from langwright.training.preflight import Preflight


@dataclass
class Lesson:
    """A task made ready for training."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    head: Literal["causal", "classification"]
    solver: str
    objective: LogitObjective[Any]
    train: Examples
    validation: Examples | None
    length: int
    report: Preflight
    sampler: Sampler | None = None
    labels: tuple[str, ...] = ()


def chat_lesson(work: Work) -> Lesson:
    """Conversations, learned where the assistant speaks, with the chat template that serving will use."""
    from langwright.data.packing import saved_plan
    from langwright.models.loading import load_model
    from langwright.objectives.next_token import NextToken, RowExamples
    from langwright.stages.fitting import Samples, chat_prompts, keep_documents_apart, open_split
    from langwright.tokenizers.loading import load_tokenizer
    from langwright.tokenizers.templates import ensure_template
    from langwright.training.preflight import inspect_rows

    settings: FinetuneSettings = work.settings
    dataset = labelled_dataset(work, "chat")
    folder = work.one("model").path
    tokenizer = load_tokenizer(folder)
    ensure_template(tokenizer)
    model = load_model(folder)
    length = row_length(settings, model.config)
    packed = keep_documents_apart(model, work.log) and settings.pack

    def rows(split: str) -> RowExamples:
        store = open_split(work, dataset, split, tokenizer, folder, texts=False)
        layout = saved_plan(store, "pack" if packed else "single", length)
        return RowExamples(store, layout, tokenizer.pad_token_id, stop_at_documents=packed)

    train = rows("train")
    report = inspect_rows(train.store, train.plan, tokenizer)
    warn_about(work, report)
    prompts = chat_prompts(dataset, "train")
    return Lesson(
        model=model,
        tokenizer=tokenizer,
        head="causal",
        solver="generation",
        objective=NextToken(),
        train=train,
        validation=rows("validation") if "validation" in dataset.splits else None,
        length=length,
        report=report,
        sampler=Samples(tokenizer, prompts) if prompts else None,
    )


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
    model = load_model(folder, head="classification", labels=labels, seed=settings.seed)
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


def labelled_dataset(work: Work, schema: str) -> Dataset:
    """The dataset of the work; UserError when its rows are of another schema."""
    from langwright.data.dataset import open_dataset

    artifact = work.one("dataset")
    dataset = open_dataset(artifact.path)
    if dataset.schema_name != schema:
        raise UserError(
            "{path} holds rows of schema {found}, and this task learns from {schema}",
            fix="read the data again with `langwright data read SOURCE OUT --schema {schema}`, or choose another --task",
            path=artifact.path,
            found=dataset.schema_name,
            schema=schema,
        )
    return dataset


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


def warn_about(work: Work, report: Preflight) -> None:
    """Write the preflight down and say what in it a person should know."""
    from langwright.files import write_whole

    write_whole(work.making.run / "preflight.json", report.model_dump_json(indent=2).encode() + b"\n")
    if report.truncated:
        work.log.write(
            Warned(
                message="{cut} of {all} examples are longer than a row and were cut",
                values={"cut": report.truncated, "all": report.documents},
            )
        )
    if report.leaked:
        work.log.write(
            Warned(message="{count} validation texts stand in the training split too", values={"count": report.leaked})
        )
    if report.doubled:
        work.log.write(
            Warned(
                message="the same special token stands twice in a row in {count} places",
                values={"count": report.doubled},
            )
        )


def context_of(config: PreTrainedConfig) -> int:
    """Most positions the model was built for."""
    return int(config.max_position_embeddings)


def row_length(settings: FinetuneSettings, config: PreTrainedConfig) -> int:
    """Tokens in a row; UserError when the model was not built for so many."""
    context = context_of(config)
    if settings.length is not None and settings.length > context:
        raise UserError(
            "length = {length} is more than this model's context of {context} tokens",
            fix="set length to {context} or less, or take a model with a longer context",
            length=settings.length,
            context=context,
        )
    return settings.length or min(context, 512)


LESSONS: dict[str, Callable[[Work], Lesson]] = {"chat": chat_lesson, "classification": classification_lesson}
