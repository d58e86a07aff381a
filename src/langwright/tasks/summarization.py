"""Summarization: a text in, a shorter one out that says what matters in it. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from langwright.data.schemas import SummaryRow
from langwright.tasks.declaration import Task, TaskInput
from langwright.tasks.writing import Chosen, WrittenOutput


class SummarizationInput(TaskInput):
    """A text."""

    text: Annotated[str, Field(min_length=1, description="The text to sum up")]
    sampling: Chosen = None


def ask(row: SummaryRow) -> SummarizationInput:
    """What is asked of a row."""
    return SummarizationInput(text=row.text)


SUMMARIZATION = Task(
    name="summarization",
    summary="Say what matters in a text",
    dataset="summary",
    input=SummarizationInput,
    output=WrittenOutput,
    solvers=("generation", "writing"),
    measures=("ROUGE-{kind}",),
    templates={"en": "{text}\n\nIn short:", "zh": "{text}\n\n概括如下："},
    panel=("text",),
    lesson="summarization",
    prefix="summarize: ",
    ask=ask,
)
