"""Filling blanks: a text with blanks in, the best ways to fill them out. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.tasks.solving.solvers import Solver

if TYPE_CHECKING:
    from langwright.tasks.front.filling import Filled
    from langwright.tasks.front.loading import Model


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


def fill(model: Model, task: Task, asked: FillInput) -> TaskOutput:
    """The best ways to fill the blanks."""
    return fill_all(model, task, [asked])[0]


def fill_all(model: Model, task: Task, asked: Sequence[FillInput]) -> list[TaskOutput]:
    """The same of many texts; those that are asked alike are read together."""
    assert model.filler is not None
    groups: dict[tuple[Any, ...], list[int]] = {}
    for place, one in enumerate(asked):
        groups.setdefault((one.top, one.pieces, one.words), []).append(place)
    found: dict[int, Filled] = {}
    for (top, pieces, words), places in groups.items():
        texts = [asked[place].text for place in places]
        found.update(zip(places, model.filler.fill_all(texts, top=top, pieces=pieces, words=words), strict=True))
    return [
        FillOutput(
            fillings=tuple(FilledText(words=one.words, probability=one.probability, text=one.text) for one in found[place].fillings),
            solver=BLANKS.name,
        )
        for place in range(len(asked))
    ]  # fmt: skip


BLANKS = Solver(
    name="blanks",
    summary="A masked language model says what stands in each blank",
    needs="blanks",
    maker="langwright pretrain DATASET TOKENIZER OUT --set objective.kind=masked",
    solve=fill,
    solve_all=fill_all,
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
