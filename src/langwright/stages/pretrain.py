"""`langwright pretrain DATASET TOKENIZER OUT`: a language model from running text, from random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from langwright.artifacts import Made, ModelFacts
from langwright.errors import UserError
from langwright.models.presets import PRESETS, preset_named
from langwright.objectives.pretraining import OfFamily, Pretraining
from langwright.objectives.settings import LearningSettings, wrapped
from langwright.runlog import Warned
from langwright.settings import Settings
from langwright.stages.courses import COURSES
from langwright.stages.courses.course import Course, Reading
from langwright.stages.declaration import Input, Stage, Work
from langwright.training.settings import CHANGEABLE

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from langwright.data.dataset import Dataset
    from langwright.training.feed import StoreExamples
    from langwright.training.loss import Objective
    from langwright.training.preflight import Preflight


class PretrainSettings(LearningSettings):
    """How a language model is trained from scratch."""

    objective: Pretraining = OfFamily()
    preset: Annotated[
        str,
        Field(
            description="Shape of the model; auto lets `minutes` choose, or takes a small one of the objective's family"
        ),
    ] = "auto"
    minutes: Annotated[
        float | None,
        Field(gt=0, description="Time to spend on training; a probe of this machine then chooses size and steps"),
    ] = None
    epochs: Annotated[
        float | None,
        Field(gt=0, description="Passes over the training rows, where neither steps nor minutes are given"),
    ] = None
    length: Annotated[
        int | None, Field(ge=8, description="Tokens in a row, and the context of the model; the preset's when left out")
    ] = None
    stop_at_documents: Annotated[
        bool,
        Field(
            description="Attention stops at the beginning of a document, so that a row's documents do not see each other"
        ),
    ] = True
    prompts: Annotated[
        tuple[str, ...],
        Field(
            description="What the model goes on from when it is shown as it learns; taken from the data when left out"
        ),
    ] = ()

    @field_validator("preset")
    @classmethod
    def known_preset(cls, name: str) -> str:
        """UserError with the nearest preset for a name that is none."""
        return name if name == "auto" else preset_named(name).name

    @model_validator(mode="after")
    def one_length_of_run(self) -> Self:
        """Steps, minutes and epochs say the same thing; at most one may be given."""
        given = [name for name in ("steps", "minutes", "epochs") if getattr(self, name) is not None]
        if len(given) > 1:
            raise UserError(
                "{names} were given together, and each says how long to train",
                fix="keep one of them",
                names=", ".join(given),
            )
        return self

    @model_validator(mode="after")
    def preset_of_the_objective(self) -> Self:
        """UserError where the objective cannot train a model of the preset's family."""
        name, course = self.course_name, self.course
        if self.preset != "auto" and PRESETS[self.preset].model_type not in course.families:
            raise UserError(
                "preset {preset} is of the {family} family, which is not trained with objective {objective}",
                fix="take one of the presets {presets}, or leave objective out",
                preset=self.preset,
                family=PRESETS[self.preset].model_type,
                objective=name,
                presets=", ".join(p.name for p in PRESETS.values() if p.model_type in course.families),
            )
        return self

    @property
    def course_name(self) -> str:
        """The objective's name, as the preset's family decides where it is left open."""
        if not isinstance(self.objective, OfFamily):
            return self.objective.kind
        if self.preset == "auto":
            return next(iter(COURSES))
        family = PRESETS[self.preset].model_type
        return next(name for name, course in COURSES.items() if family in course.families)

    @property
    def course(self) -> Course:
        """How the objective is trained with."""
        return COURSES[self.course_name]

    @property
    def learning(self) -> Settings:
        """The objective's own settings."""
        return self.course.settings() if isinstance(self.objective, OfFamily) else self.objective


def run(work: Work) -> Made:
    """Train and write the model; see the module."""
    from langwright.data.order import Order
    from langwright.models.loading import save_model
    from langwright.stages.fitting import beginnings, run_measures, training_flops
    from langwright.stages.probing import fresh_model, plan
    from langwright.training.devices import choose_device
    from langwright.training.feed import Feed
    from langwright.training.fit import Fit, fit
    from langwright.training.planning import read_plan, save_plan

    settings: PretrainSettings = work.settings
    course = settings.course
    text = Text(work)
    resolved = read_plan(work.making.run, settings) if work.making.resumed else None
    if resolved is None:
        resolved = plan(work, text)
        save_plan(work.making.run, resolved)
    train, validation = text.examples(resolved.length)
    model = fresh_model(settings, resolved.preset, text.tokenizer, resolved.length)
    model = model.to(choose_device(resolved.device))
    facts = train.store.facts
    prompts = settings.prompts or beginnings(text.dataset, text.held_out or "train")
    outcome = fit(
        Fit(
            model=model,
            objective=text.objective(model, compiled=resolved.compile),
            feed=Feed(train, Order(settings.seed, len(train)), resolved.batch_rows, resolved.micro_rows),
            validation=validation,
            plan=resolved,
            settings=settings,
            checkpoints=work.making.checkpoints,
            run=work.making.run,
            log=work.log,
            place=work.place,
            bytes_per_unit=facts.bytes / facts.tokens if course.per_byte else None,
            sampler=course.sampler(text.tokenizer, prompts) if course.sampler and prompts else None,
        )
    )
    save_model(model, text.tokenizer, work.out)
    flops = training_flops(model, resolved.length, outcome.progress.tokens, course.predicted(settings.learning))
    return Made(
        results=run_measures(outcome, resolved, flops, text.dataset.path.name, work.command, settings.seed),
        abilities=course.abilities,
        model=ModelFacts(
            architecture=type(model).__name__,
            parameters=sum(weight.numel() for weight in model.parameters()),
            context=resolved.length,
            vocab_size=len(text.tokenizer),
        ),
    )


class Text:
    """What a run trains on: the dataset and the tokenizer, and what the course makes of them."""

    dataset: Dataset
    tokenizer: PreTrainedTokenizerBase  # with what the course adds to it

    def __init__(self, work: Work) -> None:
        from langwright.data.dataset import open_dataset
        from langwright.tokenizers.loading import load_tokenizer

        self.work = work
        self.settings: PretrainSettings = work.settings
        self.dataset = open_dataset(work.one("dataset").path)
        folder = work.one("tokenizer").path
        self.plain, self.tokenizer = load_tokenizer(folder), load_tokenizer(folder)
        self.settings.course.prepare(self.tokenizer)
        self.held_out = "validation" if "validation" in self.dataset.splits else None

    def examples(self, length: int) -> tuple[StoreExamples, StoreExamples | None]:
        """Training rows of this many positions and, where there is such a split, validation rows."""
        if self.held_out is None:
            self.work.log.write(
                Warned(message="this dataset has no validation split, so nothing is measured on held-out text")
            )
        return self.rows("train", length), self.rows(self.held_out, length) if self.held_out else None

    def rows(self, split: str, length: int) -> StoreExamples:
        """The rows of a split."""
        settings = self.settings
        reading = Reading(
            self.work,
            self.dataset,
            self.plain,
            self.work.one("tokenizer").path,
            self.tokenizer,
            length,
            settings.stop_at_documents,
            settings.seed,
        )
        return settings.course.examples(reading, split, settings.learning)

    def objective(self, model: PreTrainedModel, *, compiled: bool = False) -> Objective[Any]:
        """The course's, with what the settings lay around it."""
        settings = self.settings
        found = settings.course.objective(settings.learning, model, self.tokenizer, compiled)
        return wrapped(found, settings.around, model)


LOOKED_AT = 64  # rows


def check(work: Work) -> Preflight:
    """What `langwright check pretrain` shows: the rows as training would see them, and what the run would take."""
    import numpy as np

    from langwright.stages.probing import plan
    from langwright.training.planning import foreseen
    from langwright.training.preflight import count_leaks, inspect_rows

    settings: PretrainSettings = work.settings
    text = Text(work)
    resolved = plan(work, text)
    train = text.rows("train", resolved.length)
    texts = text.dataset.texts
    leaked = count_leaks(texts("train"), texts(text.held_out)) if text.held_out else 0
    report = inspect_rows(train.store, train.plan, text.tokenizer, leaked=leaked)
    batch = train.batch(np.arange(min(LOOKED_AT, len(train)), dtype=np.int64))
    report = settings.course.looked_at(report, batch, text.tokenizer)
    return foreseen(report, resolved, settings.schedule, len(train))


STAGE = Stage(
    name="pretrain",
    version=1,
    summary="Train a language model from scratch on running text",
    settings=PretrainSettings,
    inputs=(
        Input("dataset", "dataset", "The text to learn from"),
        Input("tokenizer", "tokenizer", "The tokenizer that cuts it"),
    ),
    makes="model",
    run=run,
    together=True,
    next="langwright generate {out} 'Once upon a time'",
    options={
        "--objective": "objective.kind",
        "--preset": "preset",
        "--steps": "steps",
        "--minutes": "minutes",
        "--seed": "seed",
    },
    check=check,
    changeable=CHANGEABLE,
)
