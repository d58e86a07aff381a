"""What every stage shares that goes on training a model there is: what is trained of it, the run, what becomes of an adapter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from langwright.artifacts import Ability, Made, ModelFacts
from langwright.errors import UserError
from langwright.measures import Measure
from langwright.models.adapter_settings import VIRTUAL, Adapter
from langwright.objectives.settings import LearningSettings, compilable, wrapped
from langwright.runlog import Warned
from langwright.stages.declaration import Work
from langwright.training.trainable import Full, Gradual, Method

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

    from langwright.stages.lessons.lesson import Lesson
    from langwright.training.fit import Outcome, Plan
    from langwright.training.preflight import Preflight


class TeachingSettings(LearningSettings):
    """How a model that there is goes on to learn."""

    method: Method = Full()
    merge: Annotated[
        bool | None,
        Field(
            description="Merge an adapter into the weights at the end, through the parity gate; otherwise it lies in "
            "adapters/. Merged where it can be and has no name when left out"
        ),
    ] = None
    adapter: Annotated[
        str | None,
        Field(pattern=r"^[\w-]+$", description="Name of an adapter that is not merged; the task's when left out"),
    ] = None
    epochs: Annotated[
        float | None, Field(gt=0, description="Passes over the training rows; 3 when steps is left out too")
    ] = None
    length: Annotated[
        int | None, Field(ge=8, description="Most tokens in a row; the model's context when left out, 512 at most")
    ] = None

    @model_validator(mode="after")
    def one_length_of_run(self) -> Self:
        """Steps and epochs say the same thing."""
        if self.steps is not None and self.epochs is not None:
            raise UserError(
                "{names} were given together, and each says how long to train",
                fix="keep one of them",
                names="steps, epochs",
            )
        return self

    @model_validator(mode="after")
    def what_becomes_of_an_adapter(self) -> Self:
        """Only an adapter is merged or named, only what is not merged has a name, and what stands before a text stays there."""
        kind = self.method.kind
        if not isinstance(self.method, Adapter) and (self.merge is not None or self.adapter is not None):
            raise UserError(
                "merge and adapter say what becomes of an adapter, and method = {kind} trains none",
                fix="leave them out, or choose a method such as lora",
                kind=kind,
            )
        if self.merge and self.adapter is not None:
            raise UserError(
                "merge = true and adapter = {name} contradict each other: what is merged has no name",
                fix="keep one of them",
                name=self.adapter,
            )
        if self.merge and isinstance(self.method, VIRTUAL):
            raise UserError(
                "merge = true and method = {kind} contradict each other: what stands before the text fits into no weight",
                fix="leave merge out: the adapter then lies beside the model",
                kind=kind,
            )
        return self

    @property
    def merges(self) -> bool:
        """Whether an adapter is merged at the end."""
        return isinstance(self.method, Adapter) and (
            self.merge if self.merge is not None else self.adapter is None and not isinstance(self.method, VIRTUAL)
        )


def teach(
    work: Work,
    lesson: Lesson,
    abilities: tuple[Ability, ...],
    default_epochs: float = 3.0,
    measured: Callable[[nn.Module], tuple[Measure, ...]] = lambda model: (),
) -> Made:
    """Train a lesson's model as the settings say and write it.

    abilities       what the model can do then; an adapter's name is filled in
    default_epochs  passes over the rows where neither steps nor epochs are given
    measured        what else is to be said of the model as it was trained, an adapter at work
    """
    from langwright.data.order import Order
    from langwright.models.loading import save_model
    from langwright.objectives.next_token import NextToken
    from langwright.stages.keeping import Learning
    from langwright.training.feed import Feed
    from langwright.training.fit import Fit, fit
    from langwright.training.planning import read_plan, save_plan

    settings: TeachingSettings = work.settings
    task = abilities[0].task if abilities else "text"
    kept = beside(work, settings, task)
    pupil = prepare(lesson, settings)
    model = pupil.model
    resolved = read_plan(work.making.run, settings) if work.making.resumed else None
    if resolved is None:
        resolved = plan(work, lesson, model, default_epochs)
        save_plan(work.making.run, resolved)
    if resolved.compile and isinstance(lesson.objective, NextToken):
        lesson.objective.compile_loss()
    order = Order(settings.seed, len(lesson.train))
    feed = Feed(lesson.train, order, resolved.batch_rows, resolved.micro_rows)
    learning = Learning(wrapped(lesson.objective, settings.around, model), feed)
    if lesson.kept is not None:
        learning = lesson.kept.around(learning, lesson.objective, model, settings)
    outcome = fit(
        Fit(
            model=model,
            objective=learning.objective,
            feed=learning.feed,
            gradients=learning.rule,
            validation=lesson.validation,
            plan=resolved,
            settings=settings,
            checkpoints=work.making.checkpoints,
            run=work.making.run,
            log=work.log,
            place=work.place,
            bytes_per_unit=lesson.bytes_per_unit,
            sampler=lesson.sampler,
            judge=lesson.judge,
            gradual=settings.method if isinstance(settings.method, Gradual) else None,
        )
    )
    if lesson.finish is not None:
        lesson.finish(model)
    more = measured(model)
    gates, adapter = end(work, lesson, pupil, task)
    save_model(lesson.model, lesson.tokenizer, work.out)
    learned = tuple(ability.model_copy(update={"adapter": adapter}) for ability in abilities)
    return made(work, lesson, outcome, resolved, (*gates, *more), (*learned, *kept.carry(work)))


def made(
    work: Work, lesson: Lesson, outcome: Outcome, resolved: Plan, gates: tuple[Measure, ...], abilities: tuple[Ability, ...]
) -> Made:  # fmt: skip
    """What the card says."""
    from langwright.stages.fitting import run_measures, training_flops
    from langwright.stages.lessons.lesson import context_of
    from langwright.tokenizers.templates import template_sha256

    flops = training_flops(lesson.model, lesson.length, outcome.progress.tokens)
    name = work.one("dataset").path.name
    return Made(
        results=(*run_measures(outcome, resolved, flops, name, work.command, work.settings.seed), *gates),
        abilities=abilities,
        model=ModelFacts(
            architecture=type(lesson.model).__name__,
            parameters=sum(weight.numel() for weight in lesson.model.parameters()),
            context=context_of(lesson.model.config),
            vocab_size=len(lesson.tokenizer),
            template_sha256=template_sha256(lesson.tokenizer),
        ),
    )


# --- what is trained of it ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Pupil:
    """A lesson's model made ready to learn.

    model  the lesson's own, or one around it with an adapter
    base   fingerprint of the weights beside an adapter
    """

    model: nn.Module
    base: str = ""


def prepare(lesson: Lesson, settings: TeachingSettings) -> Pupil:
    """Choose the weights that are trained, or put an adapter beside them; on the device of the settings."""
    from langwright.models.adapters import add_adapter, fingerprint
    from langwright.training.devices import choose_device
    from langwright.training.trainable import choose

    model, base = lesson.model, ""
    if isinstance(settings.method, Adapter):
        base = fingerprint(model)
        model = add_adapter(model, settings.method, lesson.head, settings.seed)
    else:
        choose(model, settings.method, new_head=lesson.head not in ("causal", "seq2seq"))
    if settings.gradient_checkpointing:
        lesson.model.activation_checkpointing_enable()
        lesson.model.enable_input_require_grads()  # else nothing flows into adapters behind a frozen embedding
    return Pupil(model.to(choose_device(settings.device)), base)


def foresee(work: Work, lesson: Lesson, default_epochs: float = 3.0) -> Preflight:
    """What `langwright check` shows: the rows as training would see them, and what the run would take."""
    from langwright.training.planning import foreseen

    settings: TeachingSettings = work.settings
    resolved = plan(work, lesson, prepare(lesson, settings).model, default_epochs)
    return foreseen(lesson.report, resolved, settings.schedule, len(lesson.train))


def end(work: Work, lesson: Lesson, pupil: Pupil, task: str) -> tuple[tuple[Measure, ...], str | None]:
    """Merge an adapter or write it beside the model: (the gate's measures, its name)."""
    from langwright.models.adapters import merge_adapter, save_adapter, without_adapter

    settings: TeachingSettings = work.settings
    if not isinstance(settings.method, Adapter):
        return (), None
    model: PreTrainedModel = pupil.model
    if settings.merges:
        lesson.model, gates = merge_adapter(model, gate_rows(lesson))
        return gates, None
    name = settings.adapter or task
    save_adapter(model, work.out, name, pupil.base)
    lesson.model = without_adapter(model)
    return (), name


@dataclass(frozen=True)
class Beside:
    """The adapters that a model had, and that stay beside it because its weights stay as they were."""

    names: tuple[str, ...]
    abilities: tuple[Ability, ...]

    def carry(self, work: Work) -> tuple[Ability, ...]:
        """Copy them along; what they can do."""
        from shutil import copytree

        for name in self.names:
            copytree(work.one("model").path / "adapters" / name, work.out / "adapters" / name)
        return self.abilities


def beside(work: Work, settings: TeachingSettings, task: str) -> Beside:
    """Which of the model's adapters go along.

    raises  UserError when it has one of the name that the new one is to get
    """
    model = work.one("model")
    names = tuple(sorted(path.parent.name for path in model.path.glob("adapters/*/adapter_config.json")))
    if not names:
        return Beside((), ())
    if not isinstance(settings.method, Adapter) or settings.merges:
        work.log.write(
            Warned(
                message="the adapters {names} of this model are left behind: they belong to its weights as they were",
                values={"names": ", ".join(names)},
            )
        )
        return Beside((), ())
    name = settings.adapter or task
    if name in names:
        raise UserError(
            "{model} has an adapter called {name} already",
            fix="give the new one another name with --set adapter=NAME",
            model=model.path,
            name=name,
        )
    abilities = model.card.abilities if model.card else ()
    return Beside(names, tuple(ability for ability in abilities if ability.adapter in names))


def gate_rows(lesson: Lesson) -> list[list[int]]:
    """Token ids of some examples, on which a merged model must say what the unmerged one says."""
    import numpy as np

    from langwright.objectives.seq2seq import Seq2SeqBatch

    batch = lesson.train.batch(np.arange(min(4, len(lesson.train)), dtype=np.int64))
    tokens = batch.tokens_BS if isinstance(batch, Seq2SeqBatch) else batch.tokens_BT  # type: ignore[attr-defined]
    return [row[:64] for row in tokens.tolist()]


# --- what the run leaves open ----------------------------------------------------------------------

POSITIONS_PER_UPDATE = 4096
TEXTS_PER_UPDATE = 32
UPDATES = 300  # at least, where the data is small: few large updates do not learn it


def plan(work: Work, lesson: Lesson, model: nn.Module, default_epochs: float) -> Plan:
    """Steps and all else that this machine and this data decide."""
    import torch

    from langwright.models.sizes import estimate
    from langwright.models.task_heads import ENDINGS
    from langwright.training.cores import physical_cores
    from langwright.training.devices import choose_device, compile_available, compute_dtype
    from langwright.training.fit import Plan, worth_compiling
    from langwright.training.planning import evaluation_rows, finetuning_rate, steps_for
    from langwright.training.probing import probe

    settings: TeachingSettings = work.settings
    device = choose_device(settings.device)
    torch.set_num_threads(physical_cores())
    dtype = compute_dtype(settings.dtype, device)
    size = estimate(lesson.model.config, lesson.length, dtype=dtype, checkpointing=settings.gradient_checkpointing)
    in_texts = lesson.head in ENDINGS or lesson.head in ("seq2seq", "backbone")
    usual = TEXTS_PER_UPDATE if in_texts else max(1, POSITIONS_PER_UPDATE // lesson.length)
    epochs = settings.epochs or default_epochs
    rows = len(lesson.train) if lesson.kept is None else lesson.kept.rows(len(lesson.train))
    for_enough_updates = max(2, round(epochs * rows / UPDATES))
    batch_rows = settings.batch_rows or min(usual, for_enough_updates, len(lesson.train))
    steps = steps_for(settings.steps, epochs, rows, batch_rows)
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
    one_shape = lesson.head == "causal" and isinstance(settings.method, Full)
    if settings.compile == "on" and not one_shape:
        work.log.write(
            Warned(
                message="compile = on is left out: texts of every length, or weights beside frozen ones, are not compiled"
            )
        )
    adapter = isinstance(settings.method, Adapter)
    return Plan(
        steps=steps,
        batch_rows=batch_rows,
        micro_rows=probed.micro_rows,
        length=lesson.length,
        learning_rate=settings.learning_rate or finetuning_rate(size.parameters, adapter=adapter),
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
