"""How tags of words are judged: declarations. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from langwright.errors import UserError
from langwright.objectives.loss_settings import CrossEntropy, Focal, TaskLoss
from langwright.settings import Settings


class Independent(Settings):
    """Each word's tag by itself."""

    kind: Literal["independent"] = "independent"


class Crf(Settings):
    """A whole row of tags at once, by a conditional random field (Lafferty et al. 2001), which is saved with the head."""

    kind: Literal["crf"] = "crf"


class Nested(Settings):
    """A layer of tags for each label, so that spans of different labels may overlap."""

    kind: Literal["nested"] = "nested"


TagForm = Annotated[
    Independent | Crf | Nested, Field(discriminator="kind", description="For tagging, how tags are judged")
]


def check_tags(task: str, tags: TagForm, loss: TaskLoss) -> None:
    """UserError for a form of tags that does not go with the task, or with how a wrong tag is counted."""
    if tags.kind == "independent":
        return
    if task != "tagging":
        raise UserError(
            "tags.kind = {kind} says how tags are judged, and task = {task} has none",
            fix="leave it out, or choose --task tagging",
            kind=tags.kind,
            task=task,
        )
    if tags.kind == "crf" and loss.kind != "auto":
        raise UserError(
            "tags.kind = crf learns a whole row of tags by its probability, and loss.kind = {loss} counts single ones",
            fix="leave one of the two out",
            loss=loss.kind,
        )
    if isinstance(loss, CrossEntropy | Focal) and loss.weights != "none":
        raise UserError(
            "loss.weights = {weights} weighs tags, and with tags.kind = nested each label has a layer of its own",
            fix="leave loss.weights out",
            weights=loss.weights,
        )
