"""`langwright multitask MODEL DATASET... OUT`: teach a model several tasks together, on one trunk with a head for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from langwright.artifacts import Ability, Artifact, Made, ModelFacts
from langwright.errors import UserError
from langwright.measures import Measure
from langwright.objectives.settings import LearningSettings, wrapped
from langwright.stages.declaration import Input, Stage, Work
from langwright.stages.finetune import FinetuneSettings, TaskName
from langwright.training.gradients import PlainSum, build_rule
from langwright.training.settings import CHANGEABLE

if TYPE_CHECKING:
    from langwright.models.shared import SharedTrunk
    from langwright.objectives.multitask import MultiTask
    from langwright.stages.lessons.lesson import Lesson
    from langwright.training.fit import Outcome, Plan
    from langwright.training.mixing import Tasks


class MultitaskSettings(LearningSettings):
    """How a trained model is taught several tasks together."""

    temperature: Annotated[
        float,
        Field(
            ge=1, description="Tasks are mixed by their rows to the power of one over this: 1 by size, large ones alike"
        ),
    ] = 2.0
    weighting: Annotated[
        Literal["equal", "uncertainty"],
        Field(
            description="equal: each task's mean loss counts by its share of the rows; uncertainty: each is divided by a variance that is learned"
        ),
    ] = "equal"
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
                names="steps, epochs",
            )
        return self


@dataclass(frozen=True)
class Together:
    """The lessons by name, and what is made of them.

    tasks  what each is a lesson of
    """

    lessons: Mapping[str, Lesson]
    tasks: Mapping[str, str]
    model: SharedTrunk
    objective: MultiTask
    train: Tasks
    validation: Tasks | None


def run(work: Work) -> Made:
    """Train and write the model; see the module."""
    from langwright.models.loading import save_model
    from langwright.models.shared import save_heads
    from langwright.training.fit import Fit, fit
    from langwright.training.mixing import MixedOrder, Mixture, temperature_shares
    from langwright.training.planning import read_plan, save_plan

    settings: MultitaskSettings = work.settings
    rule = build_rule(settings.gradients, settings.seed, len(work.artifacts["dataset"]))
    together = prepared(work)
    resolved = read_plan(work.making.run, settings) if work.making.resumed else None
    if resolved is None:
        resolved = plan(work, together)
        save_plan(work.making.run, resolved)
    sizes = together.train.sizes
    order = MixedOrder(settings.seed, sizes, temperature_shares(sizes, settings.temperature))
    outcome = fit(
        Fit(
            model=together.model,
            objective=together.objective,
            feed=Mixture(together.train, order, resolved.batch_rows, resolved.micro_rows),
            validation=together.validation,
            plan=resolved,
            settings=settings,
            checkpoints=work.making.checkpoints,
            run=work.making.run,
            log=work.log,
            gradients=None if isinstance(settings.gradients, PlainSum) else rule,
            place=work.place,
        )
    )
    first = next(iter(together.lessons.values()))
    save_model(together.model.head(together.model.names[0]), first.tokenizer, work.out)
    save_heads(together.model, work.out)
    return made(work, together, outcome, resolved)


def prepared(work: Work) -> Together:
    """Each dataset's lesson on one trunk; UserError before anything is trained."""
    from langwright.models.shared import SharedTrunk
    from langwright.objectives.multitask import MultiTask
    from langwright.objectives.regression import Regression
    from langwright.training.devices import choose_device
    from langwright.training.mixing import Tasks

    settings: MultitaskSettings = work.settings
    tasks = {name: task_of(artifact) for name, artifact in named(work).items()}
    lessons = {name: lesson_of(work, artifact, tasks[name]) for name, artifact in named(work).items()}
    model = SharedTrunk({name: lesson.model for name, lesson in lessons.items()}).to(choose_device(settings.device))
    if settings.gradient_checkpointing:
        for lesson in lessons.values():
            lesson.model.activation_checkpointing_enable()
    objective = MultiTask(
        {name: wrapped(lesson.objective, settings.around, lesson.model) for name, lesson in lessons.items()},
        uncertainty=settings.weighting == "uncertainty",
        squared=frozenset(name for name, lesson in lessons.items() if isinstance(lesson.objective, Regression)),
    )
    held_out = {name: lesson.validation for name, lesson in lessons.items() if lesson.validation is not None}
    train = Tasks({name: lesson.train for name, lesson in lessons.items()})
    return Together(lessons, tasks, model, objective, train, Tasks(held_out) if held_out else None)


def named(work: Work) -> dict[str, Artifact]:
    """The datasets by the names of their folders; UserError for two of one name, or one alone."""
    artifacts = work.artifacts["dataset"]
    names = [artifact.path.name for artifact in artifacts]
    if len(set(names)) < len(names):
        raise UserError(
            "two of the datasets are called {name}, and tasks are told apart by name",
            fix="rename one of the folders",
            name=next(name for name in names if names.count(name) > 1),
        )
    if len(names) < 2:
        raise UserError(
            "learning together needs two tasks or more, and {count} dataset was given",
            fix="name several datasets before the output, or use `langwright finetune` for one",
            count=len(names),
        )
    return dict(zip(names, artifacts, strict=True))


def task_of(artifact: Artifact) -> TaskName:
    """What a dataset's rows are for; UserError where no task learns from them."""
    from langwright.data.dataset import open_dataset
    from langwright.stages.lessons import TASK_OF

    called = {task: schema for schema, task in TASK_OF.items()}
    tasks: dict[str, TaskName] = {called.get(task, task): task for task in get_args(TaskName)}
    schema = open_dataset(artifact.path).schema_name
    if schema not in tasks:
        raise UserError(
            "{path} holds rows of schema {found}, which no task learns from here",
            fix="give datasets of one of these schemas: {schemas}",
            path=artifact.path,
            found=schema,
            schemas=", ".join(tasks),
        )
    return tasks[schema]


def lesson_of(work: Work, artifact: Artifact, task: TaskName) -> Lesson:
    """A dataset's lesson, as `langwright finetune` would make it; what it notes down lies under run/tasks/."""
    from langwright.stages.lessons import LESSONS

    settings: MultitaskSettings = work.settings
    making = replace(work.making, path=work.making.run / "tasks" / artifact.path.name)
    making.run.mkdir(parents=True, exist_ok=True)
    own = FinetuneSettings(
        task=task, seed=settings.seed, length=settings.length, pack=settings.pack, dropout=settings.dropout
    )
    return LESSONS[task](
        replace(work, settings=own, artifacts={**work.artifacts, "dataset": (artifact,)}, making=making)
    )


ROWS_PER_UPDATE = 32
DEFAULT_EPOCHS = 3.0


def plan(work: Work, together: Together) -> Plan:
    """Steps and all else that this machine and this data decide."""
    import torch

    from langwright.models.sizes import estimate
    from langwright.training.cores import physical_cores
    from langwright.training.devices import choose_device, compute_dtype
    from langwright.training.fit import Plan
    from langwright.training.planning import evaluation_rows, finetuning_rate, steps_for
    from langwright.training.probing import probe

    settings: MultitaskSettings = work.settings
    device = choose_device(settings.device)
    torch.set_num_threads(physical_cores())
    dtype = compute_dtype(settings.dtype, device)
    length = max(lesson.length for lesson in together.lessons.values())
    config = together.model.head(together.model.names[0]).config
    size = estimate(config, length, dtype=dtype, checkpointing=settings.gradient_checkpointing)
    batch_rows = settings.batch_rows or min(ROWS_PER_UPDATE, len(together.train))
    probed = probe(
        together.model,
        together.objective,
        together.train,
        batch_rows=batch_rows,
        micro_rows=settings.micro_rows,
        length=length,
        size=size,
        dtype=dtype,
        device=device,
    )
    steps = steps_for(settings.steps, settings.epochs or DEFAULT_EPOCHS, len(together.train), batch_rows)
    return Plan(
        steps=steps, batch_rows=batch_rows, micro_rows=probed.micro_rows, length=length,
        learning_rate=settings.learning_rate or finetuning_rate(size.parameters, adapter=False),
        dtype=dtype, compile=False, threads=physical_cores(), device=str(device),
        evaluate_rows=evaluation_rows(settings.evaluate_rows, steps, batch_rows, settings.evaluate_every_share),
        seconds_per_update=probed.seconds * batch_rows / probed.micro_rows, memory_bytes=probed.memory_bytes,
    )  # fmt: skip


def made(work: Work, together: Together, outcome: Outcome, resolved: Plan) -> Made:
    """What the card says: the run, and each task on all its held-out rows."""
    from langwright.models.shared import beside_first
    from langwright.stages.fitting import run_measures, training_flops
    from langwright.stages.lessons.lesson import context_of
    from langwright.tokenizers.templates import template_sha256

    names = together.model.names
    first = together.lessons[names[0]]
    whole = together.model.head(names[0])
    flops = training_flops(whole, resolved.length, outcome.progress.tokens)
    run_only = replace(outcome, validation={k: v for k, v in outcome.validation.items() if k == "loss"})
    return Made(
        results=(
            *run_measures(run_only, resolved, flops, ", ".join(names), work.command, work.settings.seed),
            *held_out(work, together, resolved),
        ),
        abilities=tuple(
            Ability(
                task=together.tasks[name],
                solver=lesson.solver,
                labels=lesson.labels,
                head=name if name in beside_first(together.model) else None,
            )
            for name, lesson in together.lessons.items()
        ),
        model=ModelFacts(
            architecture=type(whole).__name__,
            parameters=sum(weight.numel() for weight in together.model.parameters()),
            context=context_of(whole.config),
            vocab_size=len(first.tokenizer),
            template_sha256=template_sha256(first.tokenizer),
        ),
    )


def held_out(work: Work, together: Together, resolved: Plan) -> list[Measure]:
    """Loss and metrics of each task on its whole validation split."""
    from langwright.training.evaluating import evaluate_loss
    from langwright.training.feed import whole_epoch

    found = []
    for name, lesson in together.lessons.items():
        if lesson.validation is None:
            continue
        rows = whole_epoch(lesson.validation, resolved.micro_rows)
        values = evaluate_loss(together.model.head(name), lesson.objective, rows, resolved.dtype)
        if lesson.judge is not None:
            values |= lesson.judge(together.model.head(name), len(lesson.validation))
        found += [
            Measure(
                name=f"validation {key}",
                value=value,
                n=len(lesson.validation),
                unit="nats/unit" if key == "loss" else "share",
                better="lower" if key == "loss" else "higher",
                data=name,
                method="over all validation rows of this task, by its own head, at the end",
                seed=work.settings.seed,
                command=work.command,
                does_not_show="one run with one seed; another seed would give somewhat another number",
            )
            for key, value in values.items()
        ]
    return found


STAGE = Stage(
    name="multitask",
    version=1,
    summary="Teach a trained model several tasks together, on one trunk with a head for each",
    settings=MultitaskSettings,
    inputs=(
        Input("model", "model", "The model to start from"),
        Input("dataset", "dataset", "One dataset a task; what a task is follows from what its rows are", many=True),
    ),
    makes="model",
    run=run,
    next="langwright predict {out} classification TEXT",
    together=True,
    changeable=CHANGEABLE,
    options={"--temperature": "temperature", "--weighting": "weighting", "--steps": "steps", "--seed": "seed"},
)
