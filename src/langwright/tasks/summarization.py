"""Summarization: a text in, a shorter one out that says what matters in it. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from langwright.data.schemas import SummaryRow
from langwright.tasks.declaration import Task
from langwright.tasks.solving.parts import LongInput
from langwright.tasks.solving.quote import Quote
from langwright.tasks.solving.writing import Chosen, WrittenOutput


class SummarizationInput(LongInput):
    """A text, and how it is to be summed up."""

    text: Annotated[str, Field(min_length=1, description="The text to sum up; of any length")]
    sentences: Annotated[
        int, Field(ge=1, le=1000, description="How many sentences to take, where they are taken as they stand")
    ] = 3
    relevance: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Where there is a choice, what nearness to the whole counts beside being unlike what was chosen before: 1 looks at nearness alone",
        ),
    ] = 0.7
    sampling: Chosen = None


class SummaryOutput(WrittenOutput):
    """A summary, and where its sentences stand where they were taken as they are."""

    sentences: Annotated[
        tuple[Quote, ...],
        Field(description="Sentences of the text that were taken as they stand; none where it was written"),
    ] = ()
    parts: Annotated[int, Field(description="In how many parts the text was read")] = 1


def ask(row: SummaryRow) -> SummarizationInput:
    """What is asked of a row."""
    return SummarizationInput(text=row.text)


SUMMARIZATION = Task(
    name="summarization",
    summary="Say what matters in a text",
    dataset="summary",
    input=SummarizationInput,
    output=SummaryOutput,
    solvers=("head", "generation", "writing", "textrank", "lexrank", "lead", "nearest"),
    measures=("ROUGE-{kind}",),
    templates={"en": "{text}\n\nIn short:", "zh": "{text}\n\n概括如下："},
    panel=("text", "sentences"),
    lesson="summarization",
    prefix="summarize: ",
    ask=ask,
)
