"""`langwright finetune MODEL DATASET OUT`: teach a model conversations, or to label texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from langwright.artifacts import Ability, Made
from langwright.stages.declaration import Input, Stage, Work
from langwright.stages.lessons import LESSONS
from langwright.stages.teaching import TeachingSettings, foresee, teach

if TYPE_CHECKING:
    from langwright.training.preflight import Preflight


class FinetuneSettings(TeachingSettings):
    """How a trained model is taught a task."""

    task: Annotated[Literal["chat", "classification"], Field(description="What the model is to do")] = "chat"
    pack: Annotated[
        bool, Field(description="Several conversations in a row, none seeing another; otherwise one a row, padded")
    ] = True


def run(work: Work) -> Made:
    """Train and write the model; see the module."""
    lesson = LESSONS[work.settings.task](work)
    return teach(work, lesson, Ability(task=work.settings.task, solver=lesson.solver, labels=lesson.labels))


def check(work: Work) -> Preflight:
    """What `langwright check finetune` shows: the rows as training would see them, and what the run would take."""
    return foresee(work, LESSONS[work.settings.task](work))


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
    together=True,
    next="langwright chat {out}",
    options={"--task": "task", "--method": "method.kind", "--steps": "steps", "--seed": "seed"},
    check=check,
)
