"""Filling blanks: a text with blanks in, the best ways to fill them out. Imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.tasks.solvers import Solver

if TYPE_CHECKING:
    from langwright.tasks.loading import Model


class FillInput(TaskInput):
    """A text with blanks."""

    text: Annotated[str, Field(description="A text with [MASK] for each blank")]
    top: Annotated[int, Field(ge=1, le=100, description="How many fillings to show")] = 5
    pieces: Annotated[int, Field(ge=1, le=8, description="Most tokens in a blank; every number up to it is tried")] = 1
    words: Annotated[
        tuple[str, ...], Field(description="Words to choose from, of any length, for a text with one blank")
    ] = ()


class FilledText(BaseModel):
    """One way to fill the blanks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: tuple[str, ...]
    probability: float
    text: str


class FillOutput(TaskOutput):
    """The best fillings."""

    fillings: Annotated[
        tuple[FilledText, ...], Field(description="The best fillings of all blanks together, likeliest first")
    ]

    def lines(self) -> list[str]:
        """One line a filling."""
        return [f"{one.probability:.4f}  {one.text}" for one in self.fillings]


def fill(model: Model, task: Task, asked: FillInput) -> FillOutput:
    """The best ways to fill the blanks."""
    found = model.fill(asked.text, top=asked.top, pieces=asked.pieces, words=asked.words)
    return FillOutput(
        fillings=tuple(
            FilledText(words=one.words, probability=one.probability, text=one.text) for one in found.fillings
        ),
        solver=BLANKS.name,
    )


BLANKS = Solver(
    name="blanks",
    summary="A masked language model says what stands in each blank",
    needs="blanks",
    maker="langwright pretrain DATASET TOKENIZER OUT --set objective.kind=masked",
    solve=fill,
)
FILL = Task(
    name="fill",
    summary="Fill the blanks of a text",
    dataset="",
    input=FillInput,
    output=FillOutput,
    solvers=("blanks",),
    panel=("text", "words", "top"),
)
