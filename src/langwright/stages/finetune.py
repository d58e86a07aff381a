"""`langwright finetune MODEL DATASET OUT`: teach a model conversations, or to label texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from langwright.artifacts import Ability, Made, ModelFacts
from langwright.errors import UserError
from langwright.measures import Measure
from langwright.models.adapters import LoraSettings
from langwright.objectives.settings import LearningSettings, compilable, wrapped
from langwright.stages.declaration import Input, Stage, Work
from langwright.stages.lessons import LESSONS
from langwright.stages.lessons.lesson import Lesson, context_of

if TYPE_CHECKING:
    from torch import nn

    from langwright.training.fit import Plan
    from langwright.training.preflight import Preflight


class FinetuneSettings(LearningSettings):
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
    from langwright.models.adapters import merge_adapter, save_adapter
    from langwright.models.loading import save_model
    from langwright.stages.fitting import run_measures, training_flops
    from langwright.tokenizers.templates import template_sha256
    from langwright.training.feed import Feed
    from langwright.training.fit import Fit, fit
    from langwright.training.planning import read_plan, save_plan

    settings: FinetuneSettings = work.settings
    lesson = LESSONS[settings.task](work)
    model = trainable(settings, lesson)
    resolved = read_plan(work.making.run) if work.making.resumed else None
    if resolved is None:
        resolved = plan(work, lesson, model)
        save_plan(work.making.run, resolved)
    outcome = fit(
        Fit(
            model=model,
            objective=wrapped(lesson.objective, settings.around, model),
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


def trainable(settings: FinetuneSettings, lesson: Lesson) -> nn.Module:
    """The lesson's model as it is trained: with adapters where they are asked for, on its device."""
    from langwright.models.adapters import add_lora
    from langwright.training.devices import choose_device

    model: nn.Module = lesson.model
    if settings.method == "lora":
        model = add_lora(lesson.model, settings.lora, lesson.head)
    if settings.gradient_checkpointing:
        lesson.model.activation_checkpointing_enable()
        lesson.model.enable_input_require_grads()  # else nothing flows into adapters behind a frozen embedding
    return model.to(choose_device(settings.device))


def gate_rows(lesson: Lesson) -> list[list[int]]:
    """Token ids of some examples, on which a merged model must say what the unmerged one says."""
    import numpy as np

    batch = lesson.train.batch(np.arange(min(4, len(lesson.train)), dtype=np.int64))
    return [row[:64] for row in batch.tokens_BT.tolist()]  # type: ignore[attr-defined]


def check(work: Work) -> Preflight:
    """What `langwright check finetune` shows: the rows as training would see them, and what the run would take."""
    from langwright.training.planning import foreseen

    settings: FinetuneSettings = work.settings
    lesson = LESSONS[settings.task](work)
    resolved = plan(work, lesson, trainable(settings, lesson))
    return foreseen(lesson.report, resolved, settings.schedule, len(lesson.train))


# --- what the run leaves open ----------------------------------------------------------------------

POSITIONS_PER_UPDATE = 4096
TEXTS_PER_UPDATE = 32
DEFAULT_EPOCHS = 3.0
UPDATES = 300  # at least, where the data is small: few large updates do not learn it


def plan(work: Work, lesson: Lesson, model: nn.Module) -> Plan:
    """Steps and all else that this machine and this data decide."""
    import torch

    from langwright.models.sizes import estimate
    from langwright.training.devices import choose_device, compile_available, compute_dtype, physical_cores
    from langwright.training.fit import Plan, worth_compiling
    from langwright.training.planning import evaluation_rows, finetuning_rate, steps_for
    from langwright.training.probing import probe

    settings: FinetuneSettings = work.settings
    device = choose_device(settings.device)
    torch.set_num_threads(physical_cores())
    dtype = compute_dtype(settings.dtype, device)
    size = estimate(lesson.model.config, lesson.length, dtype=dtype, checkpointing=settings.gradient_checkpointing)
    usual = TEXTS_PER_UPDATE if lesson.head == "classification" else max(1, POSITIONS_PER_UPDATE // lesson.length)
    epochs = settings.epochs or DEFAULT_EPOCHS
    for_enough_updates = max(2, round(epochs * len(lesson.train) / UPDATES))
    batch_rows = settings.batch_rows or min(usual, for_enough_updates, len(lesson.train))
    steps = steps_for(settings.steps, epochs, len(lesson.train), batch_rows)
    probed = probe(
        model,
        wrapped(lesson.objective, settings.around, model),
        lesson.train,
        batch_rows=batch_rows,
        micro_rows=settings.micro_rows,
        length=lesson.length,
        size=size,
        dtype=dtype,
        device=device,
    )
    seconds_per_update = probed.seconds * batch_rows / probed.micro_rows
    # Texts of every length would be compiled one by one; rows of one width are compiled once.
    one_shape = lesson.head == "causal" and settings.method == "full"
    lora = settings.method == "lora"
    return Plan(
        steps=steps,
        batch_rows=batch_rows,
        micro_rows=probed.micro_rows,
        length=lesson.length,
        learning_rate=settings.learning_rate or finetuning_rate(size.parameters, lora=lora),
        dtype=dtype,
        compile=one_shape
        and compilable(settings.around)
        and worth_compiling(settings.compile, steps * seconds_per_update, compile_available(), work.log),
        threads=physical_cores(),
        device=str(device),
        evaluate_rows=evaluation_rows(settings.evaluate_rows, steps, batch_rows, settings.evaluate_every_share),
        seconds_per_update=seconds_per_update,
        memory_bytes=probed.memory_bytes,
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
