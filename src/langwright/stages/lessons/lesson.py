"""What a lesson is: a task made ready for training; and what the lessons share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langwright.errors import UserError
from langwright.runlog import Warned
from langwright.stages.declaration import Work

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from langwright.data.dataset import Dataset
    from langwright.models.heads import Head
    from langwright.stages.keeping import Kept
    from langwright.stages.sequences.settings import ContinualSettings
    from langwright.stages.teaching import TeachingSettings
    from langwright.stages.transfer import TransferSettings
    from langwright.training.feed import Examples
    from langwright.training.fit import Judge, Sampler
    from langwright.training.loss import Objective
    from langwright.training.preflight import Preflight


@dataclass
class Lesson:
    """A task made ready for training."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    head: Head
    solver: str
    objective: Objective[Any]
    train: Examples
    validation: Examples | None
    length: int
    report: Preflight
    sampler: Sampler | None = None
    labels: tuple[str, ...] = ()
    judge: Judge | None = None
    task: str = ""  # its name, where the head does not tell it
    finish: Callable[[nn.Module], None] | None = None  # what is set beside the weights once they are learned
    kept: Kept | None = None  # what keeps what was learned before
    bytes_per_unit: float | None = None  # UTF-8 bytes that a unit of loss stands for, where the loss is over text


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
    alone = [label for label, count in report.labels.items() if count == 1]
    if alone:
        work.log.write(
            Warned(
                message="a single training example is too little to learn from, and more there are not of: {labels}",
                values={"labels": ", ".join(alone)},
            )
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
    from langwright.models.task_heads import most_positions

    return most_positions(config)


def row_length(settings: TeachingSettings | ContinualSettings | TransferSettings, config: PreTrainedConfig) -> int:
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
