"""`langwright finetune MODEL DATASET OUT`: teach a model conversations, or to label texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from langwright.artifacts import Ability, Made, ModelFacts
from langwright.errors import UserError
from langwright.measures import Measure
from langwright.models.adapters import LoraSettings
from langwright.runlog import Warned
from langwright.stages.declaration import Input, Stage, Work
from langwright.training.settings import TrainingSettings

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from langwright.data.dataset import Dataset
    from langwright.objectives.classification import TextExamples
    from langwright.training.feed import Examples
    from langwright.training.fit import Plan, Sampler
    from langwright.training.loss import Objective
    from langwright.training.preflight import Preflight


class FinetuneSettings(TrainingSettings):
    """How a trained model is taught a task."""

    task: Annotated[Literal["chat", "classification"], Field(description="What the model is to do")] = "chat"
    method: Annotated[
        Literal["full", "lora"], Field(description="Train every weight, or small adapters beside frozen ones")
    ] = "full"
    lora: Annotated[LoraSettings, Field(description="The adapters, with method lora")] = LoraSettings()
    merge: Annotated[
        bool,
        Field(
            description="Merge adapters into the weights at the end, through the parity gate; otherwise they lie in adapters/"
        ),
    ] = True
    epochs: Annotated[
        float | None, Field(gt=0, description="Passes over the training rows; 3 when steps is left out too")
    ] = None
    length: Annotated[
        int | None, Field(ge=8, description="Most tokens in a row; the model's context when left out, 512 at most")
    ] = None
    pack: Annotated[
        bool, Field(description="Several conversations in a row, none seeing another; otherwise one a row, padded")
    ] = True

    @model_validator(mode="after")
    def one_length_of_run(self) -> Self:
        """Steps and epochs say the same thing."""
        if self.steps is not None and self.epochs is not None:
            raise UserError(
                "{names} were given together, and each says how long to train",
                fix="keep one of them",
                names="steps and epochs",
            )
        return self


def run(work: Work) -> Made:
    """Train and write the model; see the module."""
    from langwright.data.order import Order
    from langwright.models.adapters import add_lora, merge_adapter, save_adapter
    from langwright.models.loading import save_model
    from langwright.stages.fitting import run_measures, training_flops
    from langwright.tokenizers.templates import template_sha256
    from langwright.training.devices import choose_device
    from langwright.training.feed import Feed
    from langwright.training.fit import Fit, fit
    from langwright.training.planning import read_plan, save_plan

    settings: FinetuneSettings = work.settings
    lesson = LESSONS[settings.task](work)
    model: nn.Module = lesson.model
    if settings.method == "lora":
        model = add_lora(lesson.model, settings.lora, lesson.head)
    model = model.to(choose_device(settings.device))
    if settings.gradient_checkpointing:
        lesson.model.activation_checkpointing_enable()
        lesson.model.enable_input_require_grads()  # else nothing flows into adapters behind a frozen embedding
    resolved = read_plan(work.making.run) if work.making.resumed else None
    if resolved is None:
        resolved = plan(work, lesson, model)
        save_plan(work.making.run, resolved)
    outcome = fit(
        Fit(
            model=model,
            objective=lesson.objective,
            feed=Feed(lesson.train, Order(settings.seed, len(lesson.train)), resolved.batch_rows, resolved.micro_rows),
            validation=lesson.validation,
            plan=resolved,
            settings=settings,
            checkpoints=work.making.checkpoints,
            run=work.making.run,
            log=work.log,
            sampler=lesson.sampler,
        )
    )
    gates: tuple[Measure, ...] = ()
    adapter = None
    if settings.method == "lora" and settings.merge:
        lesson.model, gates = merge_adapter(model, gate_rows(lesson))
    elif settings.method == "lora":
        adapter = settings.task
        save_adapter(model, work.out, adapter)
        lesson.model = model.unload()  # type: ignore[operator]  # the base as it was: peft had put its layers into it
    save_model(lesson.model, lesson.tokenizer, work.out)
    flops = training_flops(lesson.model, lesson.length, outcome.progress.tokens)
    name = work.one("dataset").path.name
    return Made(
        results=(*run_measures(outcome, resolved, flops, name, work.command, settings.seed), *gates),
        abilities=(Ability(task=settings.task, solver=lesson.solver, labels=lesson.labels, adapter=adapter),),
        model=ModelFacts(
            architecture=type(lesson.model).__name__,
            parameters=sum(weight.numel() for weight in lesson.model.parameters()),
            context=context_of(lesson.model.config),
            vocab_size=len(lesson.tokenizer),
            template_sha256=template_sha256(lesson.tokenizer),
        ),
    )


def gate_rows(lesson: Lesson) -> list[list[int]]:
    """Token ids of some examples, on which a merged model must say what the unmerged one says."""
    import numpy as np

    batch = lesson.train.batch(np.arange(min(4, len(lesson.train)), dtype=np.int64))
    return [row[:64] for row in batch.tokens_BT.tolist()]  # type: ignore[attr-defined]


# --- what is learned -------------------------------------------------------------------------------


@dataclass
class Lesson:
    """A task made ready for training."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    head: Literal["causal", "classification"]
    solver: str
    objective: Objective[Any]
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


LESSONS: dict[str, Callable[[Work], Lesson]] = {"chat": chat_lesson, "classification": classification_lesson}


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


def context_of(config: PretrainedConfig) -> int:
    """Most positions the model was built for."""
    return int(config.max_position_embeddings)


def row_length(settings: FinetuneSettings, config: PretrainedConfig) -> int:
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


def check(work: Work) -> Preflight:
    """What `langwright check finetune` shows: the rows as training would see them."""
    return LESSONS[work.settings.task](work).report


# --- what the run leaves open ----------------------------------------------------------------------

POSITIONS_PER_UPDATE = 4096
TEXTS_PER_UPDATE = 32
DEFAULT_EPOCHS = 3.0
UPDATES = 300  # at least, where the data is small: few large updates do not learn it


def plan(work: Work, lesson: Lesson, model: nn.Module) -> Plan:
    """Steps and all else that this machine and this data decide."""
    import numpy as np
    import torch

    from langwright.models.sizes import estimate
    from langwright.training.devices import (
        available_memory,
        choose_device,
        compile_available,
        compute_dtype,
        physical_cores,
    )
    from langwright.training.fit import Plan, probe_seconds, worth_compiling
    from langwright.training.planning import evaluation_rows, finetuning_rate, rows_that_fit, steps_for

    settings: FinetuneSettings = work.settings
    device = choose_device(settings.device)
    torch.set_num_threads(physical_cores())
    dtype = compute_dtype(settings.dtype, device)
    size = estimate(lesson.model.config, lesson.length, dtype=dtype, checkpointing=settings.gradient_checkpointing)
    usual = TEXTS_PER_UPDATE if lesson.head == "classification" else max(1, POSITIONS_PER_UPDATE // lesson.length)
    epochs = settings.epochs or DEFAULT_EPOCHS
    for_enough_updates = max(2, round(epochs * len(lesson.train) / UPDATES))
    batch_rows = settings.batch_rows or min(usual, for_enough_updates, len(lesson.train))
    micro_rows = settings.micro_rows or rows_that_fit(
        batch_rows, size.activation_bytes_per_token * lesson.length, size.fixed_bytes, available_memory(device)
    )
    steps = steps_for(settings.steps, epochs, len(lesson.train), batch_rows)
    batch = lesson.train.batch(np.arange(min(micro_rows, len(lesson.train)), dtype=np.int64))
    seconds = probe_seconds(model, lesson.objective, batch, dtype) * steps * batch_rows / micro_rows
    # Texts of every length would be compiled one by one; rows of one width are compiled once.
    compilable = lesson.head == "causal" and settings.method == "full"
    lora = settings.method == "lora"
    return Plan(
        steps=steps,
        batch_rows=batch_rows,
        micro_rows=micro_rows,
        length=lesson.length,
        learning_rate=settings.learning_rate or finetuning_rate(size.parameters, lora=lora),
        dtype=dtype,
        compile=compilable and worth_compiling(settings.compile, seconds, compile_available(), work.log),
        threads=physical_cores(),
        device=str(device),
        evaluate_rows=evaluation_rows(settings.evaluate_rows, steps, batch_rows, settings.evaluate_every_share),
    )


STAGE = Stage(
    name="finetune",
    version=1,
    summary="Teach a trained model a task: conversations, or labels for texts",
    settings=FinetuneSettings,
    inputs=(
        Input("model", "model", "The model to start from"),
        Input("dataset", "dataset", "Conversations, or texts with labels"),
    ),
    makes="model",
    run=run,
    next="langwright chat {out}",
    options={"--task": "task", "--method": "method", "--steps": "steps", "--seed": "seed"},
    check=check,
)
