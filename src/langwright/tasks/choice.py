"""Choice: a question with answers to choose from in, the right one out. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from langwright.data.schemas import ChoiceRow
from langwright.tasks.classification import Normalise
from langwright.tasks.declaration import Task, TaskInput, TaskOutput


class ChoiceInput(TaskInput):
    """A question and its answers."""

    question: Annotated[str, Field(description="The question")]
    choices: Annotated[tuple[str, ...], Field(min_length=2, description="Answers to choose from, two or more")]
    context: Annotated[str, Field(description="What stands before the question")] = ""
    normalise: Annotated[
        Normalise,
        Field(
            description="How answers of different length and frequency are made comparable when a model is asked in words"
        ),
    ] = "pmi"

    @property
    def text(self) -> str:
        """Context and question, as a model is asked in words."""
        return f"{self.context}\n{self.question}" if self.context else self.question


class ChoiceOutput(TaskOutput):
    """The answer that was chosen."""

    answer: Annotated[int, Field(description="Which of the answers, from 0")]
    text: Annotated[str, Field(description="The same in words")]
    probabilities: Annotated[tuple[float, ...], Field(description="Of each answer, in their order; they add up to 1")]

    def lines(self) -> list[str]:
        """The answer."""
        return [self.text]


def ask(row: ChoiceRow) -> ChoiceInput:
    """What is asked of a row."""
    return ChoiceInput(question=row.question, choices=row.choices, context=row.context)


CHOICE = Task(
    name="choice",
    summary="Choose the right answer to a question",
    dataset="choice",
    input=ChoiceInput,
    output=ChoiceOutput,
    solvers=("head", "likelihood"),
    measures=("accuracy",),
    templates={"en": "Question: {text}\nAnswer:", "zh": "问题：{text}\n答案："},
    panel=("question", "choices", "context"),
    lesson="choice",
    ask=ask,
)
