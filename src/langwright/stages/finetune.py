"""`langwright finetune MODEL DATASET OUT`: teach a model conversations, or a task with a head of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from langwright.artifacts import Ability, Made
from langwright.data.lexicon_settings import Lexical, NoRuns
from langwright.errors import UserError
from langwright.objectives.loss_settings import WRITING, TaskLoss, Usual, check_loss
from langwright.objectives.tag_settings import Independent, TagForm, check_tags
from langwright.stages.declaration import Input, Stage, Work
from langwright.stages.lessons import LESSONS
from langwright.stages.teaching import TeachingSettings, foresee, teach
from langwright.tasks import TASKS
from langwright.training.settings import CHANGEABLE

if TYPE_CHECKING:
    from langwright.training.preflight import Preflight

TaskName = Literal[
    "chat",
    "classification",
    "sentiment",
    "emotion",
    "pair",
    "entailment",
    "similarity",
    "regression",
    "tagging",
    "qa",
    "choice",
    "relation",
    "events",
    "translation",
    "summarization",
    "correction",
    "repair",
    "code",
    "embedding",
    "control",
]
MIXED = ("classification", "pair", "relation")
LABELLED = ("classification", "control")
HINTED = ("tagging", "qa")


class FinetuneSettings(TeachingSettings):
    """How a trained model is taught a task."""

    task: Annotated[TaskName, Field(description="What the model is to do; `langwright tasks` lists what there is")] = (
        "chat"
    )
    loss: TaskLoss = Usual()
    tags: TagForm = Independent()
    mixup: Annotated[
        float,
        Field(
            ge=0,
            description="Mixup of texts with labels, in the embeddings (Guo et al. 2019, arXiv:1905.08941): α of the Beta "
            "distribution of shares, such as 0.2; 0 mixes nothing",
        ),
    ] = 0.0
    lexical: Lexical = NoRuns()
    pack: Annotated[
        bool, Field(description="Several conversations in a row, none seeing another; otherwise one a row, padded")
    ] = True
    together: Annotated[
        str | None,
        Field(description="Label of the pairs that belong together, for embedding; all pairs where rows have none"),
    ] = None
    prefix: Annotated[
        str | None,
        Field(
            description="What stands before a text that is to be translated or summarized, where <language> and "
            "<target_language> stand for their names; T5's own when left out"
        ),
    ] = None

    labels_from: Annotated[
        Literal["label", "reading-level"],
        Field(
            description="For classification and control, where labels come from: the rows, or how hard each text is to "
            "read, half of the texts simple and half hard (grade level of English, characters a clause of Chinese)"
        ),
    ] = "label"
    beginnings: Annotated[
        bool,
        Field(
            description="For classification, learn from beginnings of texts, cut anew in every epoch, so that the head "
            "can guide a text as it is written (Yang & Klein 2021, arXiv:2104.05218)"
        ),
    ] = False
    uncoded: Annotated[
        float, Field(ge=0, lt=1, description="For control, share of texts that are learned without their code")
    ] = 0.1

    hints: Annotated[
        bool,
        Field(
            description="For tagging and qa, tell an encoder of every token what counting says: whether it stands in a name "
            "that other training rows label, or which words of the question stand in it and around it (Chen et al. 2017, "
            "arXiv:1704.00051)"
        ),
    ] = False
    calibrate: Annotated[
        bool,
        Field(
            description="Fit a temperature for the head's confidences on validation rows, and from which confidence on "
            "answers are wrong no more often than stated; kept in the card and used in prediction"
        ),
    ] = True

    @property
    def lesson(self) -> str:
        """How the task is taught; several are taught alike."""
        return TASKS[self.task].lesson if self.task in TASKS else self.task

    @model_validator(mode="after")
    def prefix_of_what_is_rewritten(self) -> Self:
        """UserError for a prefix where no text is written from another."""
        if self.prefix is not None and self.lesson not in WRITING:
            raise UserError(
                "prefix is for writing one text from another, which task = {task} is not",
                fix="leave it out, or choose --task translation or --task summarization",
                task=self.task,
            )
        return self

    @model_validator(mode="after")
    def label_of_partners(self) -> Self:
        """UserError for `together` where no vectors are learned."""
        if self.together is not None and self.lesson != "embedding":
            raise UserError(
                "together says which pairs an embedding is learned from, and task = {task} is another task",
                fix="leave it out, or choose --task embedding",
                task=self.task,
            )
        return self

    @model_validator(mode="after")
    def what_labels_are_for(self) -> Self:
        """UserError for settings of labelled texts where there are none."""
        if (self.labels_from != "label" and self.lesson not in LABELLED) or (
            self.beginnings and self.lesson != "classification"
        ):
            raise UserError(
                "labels_from and beginnings are for texts with labels, and task = {task} is another task",
                fix="leave them out, or choose --task classification; labels_from goes with --task control too",
                task=self.task,
            )
        return self

    @model_validator(mode="after")
    def what_hints_are_for(self) -> Self:
        """UserError for hints where none are given, or where their embeddings would not be learned."""
        if self.hints and (self.lesson not in HINTED or self.method.kind != "full"):
            raise UserError(
                "hints are for tagging and qa with all weights trained; this is task = {task} with method = {method}",
                fix="leave hints out, or choose such a task and method = full",
                task=self.task,
                method=self.method.kind,
            )
        return self

    @model_validator(mode="after")
    def words_of_whole_texts(self) -> Self:
        """UserError for runs of words where there are no labelled texts that are read whole and as they are."""
        if self.lexical.kind == "none":
            return self
        if self.lesson != "classification":
            raise UserError(
                "lexical tells the head of labels of a text of its words, and task = {task} has no such head",
                fix="leave it out, or choose --task classification",
                task=self.task,
            )
        if self.beginnings or self.mixup:
            raise UserError(
                "{names} were given together, and words are those of a whole text that is not mixed with another",
                fix="keep one of them",
                names="lexical, beginnings" if self.beginnings else "lexical, mixup",
            )
        return self

    @model_validator(mode="after")
    def what_goes_with_the_task(self) -> Self:
        """See `check_loss` and `check_tags`; and only labels can be mixed."""
        check_loss(self.lesson, self.loss)
        check_tags(self.lesson, self.tags, self.loss)
        if self.mixup and self.lesson not in MIXED:
            raise UserError(
                "mixup = {mixup} and task = {task} do not go together: labels are what is mixed",
                fix="leave mixup out, or choose one of: {choices}",
                mixup=self.mixup,
                task=self.task,
                choices=", ".join(MIXED),
            )
        return self


def run(work: Work) -> Made:
    """Train and write the model; see the module."""
    from langwright.stages.confidence import Confidence

    lesson = LESSONS[work.settings.lesson](work)
    confidence = Confidence(work, lesson)
    ability = Ability(
        task=work.settings.task, solver=lesson.solver, labels=lesson.labels, scripts=scripts_of_rows(work)
    )
    return confidence.noted(teach(work, lesson, (ability,), measured=confidence.measured))


def scripts_of_rows(work: Work) -> tuple[str, ...]:
    """What the training rows are written in."""
    from langwright.data.dataset import open_dataset, text_of
    from langwright.data.scripts import scripts_of

    return scripts_of(text_of(row) for row in open_dataset(work.one("dataset").path).rows("train"))


def check(work: Work) -> Preflight:
    """What `langwright check finetune` shows: the rows as training would see them, and what the run would take."""
    return foresee(work, LESSONS[work.settings.lesson](work))


STAGE = Stage(
    name="finetune",
    version=1,
    summary="Teach a trained model a task: conversations, labels, numbers, tags, answers, choices, translations, summaries",
    settings=FinetuneSettings,
    inputs=(
        Input("model", "model", "The model to start from"),
        Input("dataset", "dataset", "Rows of the task's schema, such as conversations or texts with labels"),
    ),
    makes="model",
    run=run,
    together=True,
    next="langwright chat {out}",
    options={"--task": "task", "--method": "method.kind", "--steps": "steps", "--seed": "seed"},
    check=check,
    changeable=CHANGEABLE,
)
