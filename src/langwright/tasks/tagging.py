"""Tagging: a text in, the labelled stretches of it out, such as names of persons and places. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from langwright.data.schemas import TaggingRow
from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.wording import say


class TaggingInput(TaskInput):
    """A text, and which labels are wanted."""

    text: Annotated[str, Field(description="The text to look through; of any length")]
    labels: Annotated[
        tuple[str, ...], Field(description="Which labels are wanted; all that the model knows when left out")
    ] = ()


class Entity(BaseModel):
    """A labelled stretch of a text, in characters, the end not included."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: int
    end: int
    label: str
    text: str


class TaggingOutput(TaskOutput):
    """What was found."""

    entities: Annotated[tuple[Entity, ...], Field(description="What was found, in the order of the text")]

    def lines(self) -> list[str]:
        """One line a stretch."""
        found = [f"{one.text}  {one.label}  {one.start}–{one.end}" for one in self.entities]
        return found or [say("nothing was found")]


def ask(row: TaggingRow) -> TaggingInput:
    """What is asked of a row."""
    return TaggingInput(text=row.text)


TAGGING = Task(
    name="tagging",
    summary="Find the names in a text, or whatever else was labelled in it",
    dataset="tagging",
    input=TaggingInput,
    output=TaggingOutput,
    solvers=("head",),
    measures=("entity F1", "entity precision", "entity recall"),
    panel=("text", "labels"),
    lesson="tagging",
    ask=ask,
)
