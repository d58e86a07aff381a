"""Numbers: a text in, a number out, such as how many stars a review gives. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from langwright.data.schemas import RegressionRow
from langwright.tasks.declaration import Task, TaskInput, TaskOutput


class RegressionInput(TaskInput):
    """A text."""

    text: Annotated[str, Field(description="The text to rate")]


class ValueOutput(TaskOutput):
    """A number."""

    score: Annotated[float, Field(description="The number, on the scale of the rows the model learned from")]
    truncated: Annotated[bool, Field(description="True when the text was cut to fit the model")] = False

    def lines(self) -> list[str]:
        """The number."""
        return [f"{self.score:.4g}"]


def ask(row: RegressionRow) -> RegressionInput:
    """What is asked of a row."""
    return RegressionInput(text=row.text)


REGRESSION = Task(
    name="regression",
    summary="Give a text a number",
    dataset="regression",
    input=RegressionInput,
    output=ValueOutput,
    solvers=("head",),
    measures=("mean absolute error", "Spearman correlation"),
    panel=("text",),
    lesson="regression",
    ask=ask,
)
