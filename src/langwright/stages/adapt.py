"""`langwright adapt MODEL DATASET OUT`: go on pre-training a model on the text of a domain or a task.

Source    Gururangan et al. 2020, arXiv:2004.10964, sections 3 and 4: domain-adaptive pre-training on much text of a
          domain, task-adaptive pre-training on the unlabelled text of the task itself; both are this stage, on one
          dataset or the other
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from langwright.artifacts import Ability, Made
from langwright.errors import UserError
from langwright.measures import Measure
from langwright.models.adapter_settings import VIRTUAL
from langwright.objectives.pretraining import OfFamily, Pretraining
from langwright.runlog import Warned
from langwright.stages.courses import COURSES
from langwright.stages.courses.course import Course, Reading
from langwright.stages.declaration import Input, Stage, Work
from langwright.stages.keeping import Keeping, Kept, check_keeping
from langwright.stages.sequences.settings import Naive
from langwright.stages.teaching import TeachingSettings, foresee, teach
from langwright.tokenizers.extension import VocabularySettings
from langwright.training.settings import CHANGEABLE

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from langwright.data.dataset import Dataset
    from langwright.metrics.likelihood import DocumentScore
    from langwright.stages.lessons.lesson import Lesson
    from langwright.training.feed import StoreExamples
    from langwright.training.preflight import Preflight


class AdaptSettings(TeachingSettings):
    """How a model goes on learning from running text."""

    objective: Pretraining = OfFamily()
    vocabulary: Annotated[VocabularySettings, Field(description="More tokens for the text's language or domain")] = (
        VocabularySettings()
    )
    keeping: Keeping = Naive()
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
    compare_rows: Annotated[
        int, Field(ge=0, description="Most held-out texts of each domain to compare before and after on; 0 for none")
    ] = 200


class Ground:
    """What a run stands on: the model, its tokenizer, the text, and what the course makes of it."""

    def __init__(self, work: Work) -> None:
        from langwright.data.dataset import open_dataset
        from langwright.models.loading import read_config
        from langwright.tokenizers.extension import extend_tokenizer
        from langwright.tokenizers.loading import load_tokenizer

        self.work = work
        self.settings: AdaptSettings = work.settings
        check_keeping(self.settings.keeping, origin=bool(work.artifacts.get("origin")))
        self.source = work.one("model").path
        self.dataset = open_dataset(work.one("dataset").path)
        self.course = course_of(self.settings, str(read_config(self.source).model_type))
        self.old = load_tokenizer(self.source)
        self.folder = self.source
        self.parts: dict[int, tuple[int, ...]] = {}
        if self.settings.vocabulary.tokens:
            self.folder = work.out
            if work.place is not None and work.place.rank:  # the first process alone writes there
                self.aside = TemporaryDirectory()
                self.folder = Path(self.aside.name)
            self.parts = extend_tokenizer(self.old, self.sampled(), self.settings.vocabulary, self.folder)
        self.plain, self.tokenizer = load_tokenizer(self.folder), load_tokenizer(self.folder)
        self.course.prepare(self.tokenizer)
        self.held_out = "validation" if "validation" in self.dataset.splits else None

    def sampled(self) -> Iterator[str]:
        """Training text to learn new tokens from."""
        from langwright.evaluation.measuring.sampling import evenly, share_within

        share = share_within(self.dataset, "train", self.settings.vocabulary.max_megabytes)
        return evenly(self.dataset.texts("train"), share)

    @property
    def learning(self) -> object:
        """The objective's own settings."""
        return self.course.settings() if isinstance(self.settings.objective, OfFamily) else self.settings.objective

    @cached_property
    def model(self) -> PreTrainedModel:
        """The model with rows for every token."""
        from langwright.models.loading import load_model
        from langwright.models.vocabulary import grow

        model = load_model(self.source, head=self.course.head, dropout=self.settings.dropout)
        known = max([len(self.old), *(id + 1 for id in self.parts)])
        # what the course adds, such as a mask, begins as the mean of all
        added = {id: range(len(self.old)) for id in range(known, len(self.tokenizer))}
        if parts := {**self.parts, **added}:
            grow(model, parts)
        return model

    @cached_property
    def apart(self) -> bool:
        """Whether attention stops between the documents of a row."""
        from langwright.stages.fitting import keep_documents_apart

        wanted = self.settings.stop_at_documents and not isinstance(self.settings.method, VIRTUAL)
        return wanted and (self.course.head != "causal" or keep_documents_apart(self.model, self.work.log))

    def rows(self, split: str, length: int, dataset: Dataset | None = None) -> StoreExamples:
        """The rows of a split, of what is learned from unless another is named."""
        reading = Reading(
            self.work,
            dataset or self.dataset,
            self.plain,
            self.folder,
            self.tokenizer,
            length,
            self.apart,
            self.settings.seed,
        )
        return self.course.examples(reading, split, self.learning)

    def kept(self, length: int) -> Kept | None:
        """What keeps the domain that the model comes from."""
        from langwright.data.dataset import open_dataset

        if isinstance(self.settings.keeping, Naive):
            return None
        old = self.rows("train", length, open_dataset(self.work.one("origin").path))
        return Kept(self.settings.keeping, old, self.settings.seed)

    def lesson(self) -> Lesson:
        """The text made ready for training."""
        from langwright.stages.fitting import beginnings
        from langwright.stages.lessons.lesson import Lesson, row_length, warn_about
        from langwright.training.preflight import count_leaks, inspect_rows

        if self.held_out is None:
            self.work.log.write(
                Warned(message="this dataset has no validation split, so nothing is measured on held-out text")
            )
        length = row_length(self.settings, self.model.config)
        train = self.rows("train", length)
        texts = self.dataset.texts
        leaked = count_leaks(texts("train"), texts(self.held_out)) if self.held_out else 0
        report = inspect_rows(train.store, train.plan, self.tokenizer, leaked=leaked)
        warn_about(self.work, report)
        prompts = self.settings.prompts or beginnings(self.dataset, self.held_out or "train")
        facts = train.store.facts
        return Lesson(
            model=self.model,
            tokenizer=self.tokenizer,
            head=self.course.head,
            solver="generation",
            objective=self.course.objective(self.learning, self.model, self.tokenizer, False),
            train=train,
            validation=self.rows(self.held_out, length) if self.held_out else None,
            length=length,
            report=report,
            sampler=self.course.sampler(self.tokenizer, prompts) if self.course.sampler and prompts else None,
            kept=self.kept(length),
            bytes_per_unit=facts.bytes / facts.tokens if self.course.per_byte else None,
        )

    def abilities(self) -> tuple[Ability, ...]:
        """What the course teaches, and what the model could do before with the same head."""
        card = self.work.one("model").card
        known = {ability.task for ability in self.course.abilities}
        kept = (one for one in (card.abilities if card else ()) if one.adapter is None and one.task not in known)
        return (*self.course.abilities, *(one for one in kept if one.solver == "generation"))


def course_of(settings: AdaptSettings, family: str) -> Course:
    """The course of the objective, or the one that the model's family is made for; UserError where they do not fit.

    A decoder of any family can learn the next token.
    """
    named = None if isinstance(settings.objective, OfFamily) else settings.objective.kind
    own = next((name for name, course in COURSES.items() if family in course.families), "next-token")
    course = COURSES[named or own]
    if family not in course.families and course.head != "causal":
        raise UserError(
            "this model is of the {family} family, which is not trained with objective {objective}",
            fix="leave objective out, or take a model of one of the families {families}",
            family=family,
            objective=named,
            families=", ".join(course.families),
        )
    return course


def run(work: Work) -> Made:
    """Train and write the model; see the module."""
    ground = Ground(work)
    return teach(work, ground.lesson(), ground.abilities(), 1.0, lambda model: measured(ground, model))


def check(work: Work) -> Preflight:
    """What `langwright check adapt` shows: the rows as training would see them, and what the run would take."""
    return foresee(work, Ground(work).lesson(), 1.0)


# --- before and after --------------------------------------------------------------------------------


def measured(ground: Ground, model: nn.Module) -> tuple[Measure, ...]:
    """Both domains before and after, and how many tokens a text takes where the vocabulary grew."""
    return (*lengths(ground), *domains(ground, model))


def lengths(ground: Ground) -> Iterator[Measure]:
    """Tokens per character of held-out text, with the old vocabulary and the new."""
    texts = held_out_texts(ground, "dataset")
    if not ground.parts or not texts:
        return
    characters = sum(map(len, texts))
    for when, tokenizer in (("before", ground.old), ("after", ground.tokenizer)):
        count = sum(len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"])
        yield Measure(
            name=f"tokens per character {when}", value=count / characters, unit="tokens/character", better="lower",
            n=len(texts), data=named(ground, "dataset"), method=f"{count} tokens of {characters} characters",
        )  # fmt: skip


def domains(ground: Ground, model: nn.Module) -> Iterator[Measure]:
    """Bits per byte of each domain before and after, and the paired difference; for models that write."""
    from langwright.metrics.comparison import difference
    from langwright.metrics.likelihood import bits_per_byte, perplexity
    from langwright.metrics.yardsticks import signed
    from langwright.models.loading import load_model

    settings = ground.settings
    if ground.course.head != "causal" or settings.compare_rows == 0:
        return
    device = next(model.parameters()).device
    before = load_model(ground.source).to(device)
    for role, domain in (("dataset", "target domain"), ("origin", "source domain")):
        texts = held_out_texts(ground, role)
        if not texts:
            continue
        first = scored(before, ground.old, texts)
        second = scored(model, ground.tokenizer, texts)
        found = []
        for when, scores in (("before", first), ("after", second)):
            for one in (bits_per_byte(scores, seed=settings.seed), perplexity(scores, seed=settings.seed)):
                found.append(one.model_copy(update={"name": f"{domain}: {one.name} {when}"}))
        now, then = ([score.nats / math.log(2) for score in scores] for scores in (second, first))
        change = difference(now, then, [score.bytes for score in first], of="bits per byte", unit="bits/byte", seed=settings.seed)  # fmt: skip
        found.append(change.model_copy(update={"name": f"{domain}: change of bits per byte", "better": "lower"}))
        yield from signed(found, data=named(ground, role), command=ground.work.command)


def held_out_texts(ground: Ground, role: str) -> list[str]:
    """Texts of a dataset's validation split, else its test split; none where it has neither, or was not given."""
    from langwright.data.dataset import open_dataset
    from langwright.evaluation.measuring.sampling import drawn

    if not ground.work.artifacts.get(role):
        return []
    dataset: Dataset = open_dataset(ground.work.one(role).path)
    split = next((split for split in ("validation", "test") if split in dataset.splits), None)
    return drawn(dataset.texts(split), ground.settings.compare_rows, ground.settings.seed) if split else []


def named(ground: Ground, role: str) -> str:
    """How a domain's data is called."""
    return ground.work.one(role).path.name


def scored(model: nn.Module, tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[DocumentScore]:
    """What a model says of each text."""
    from langwright.evaluation.measuring.perplexity import score_documents, text_documents
    from langwright.inference.engine import TorchEngine

    engine = TorchEngine(model)
    try:
        return list(score_documents(engine, text_documents(tokenizer, texts)))
    finally:
        engine.close()


STAGE = Stage(
    name="adapt",
    version=1,
    summary="Go on pre-training a model on the text of a domain, a task or a language",
    settings=AdaptSettings,
    inputs=(
        Input("model", "model", "The model to start from"),
        Input("dataset", "dataset", "The text to learn from"),
        Input("origin", "dataset", "Text of the domain it comes from, to see what is forgotten", optional=True),
    ),
    makes="model",
    run=run,
    next="langwright generate {out} 'Once upon a time'",
    options={"--objective": "objective.kind", "--method": "method.kind", "--steps": "steps", "--seed": "seed"},
    check=check,
    together=True,
    changeable=CHANGEABLE,
)
