"""Questions about a passage: the stretch of it that answers, or that it does not say. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from langwright.data.schemas import QaRow
from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.wording import say


class QaInput(TaskInput):
    """A question, and the passage it is about."""

    question: Annotated[str, Field(description="The question")]
    context: Annotated[
        str, Field(description="The passage that the question is about; of any length, read in windows that overlap")
    ]


class QaOutput(TaskOutput):
    """The answer, where the passage has one."""

    text: Annotated[str, Field(description='The answer; "" where the passage does not say')]
    start: Annotated[
        int | None, Field(description="Where it begins in the passage; none where it does not stand there")
    ]
    end: Annotated[int | None, Field(description="Where it ends, not included")]
    score: Annotated[
        float | None, Field(description="How much likelier it is than that the passage does not say, in nats")
    ] = None

    def lines(self) -> list[str]:
        """The answer."""
        return [self.text or say("the passage does not say")]


def ask(row: QaRow) -> QaInput:
    """What is asked of a row."""
    return QaInput(question=row.question, context=row.context)


QA = Task(
    name="qa",
    summary="Answer a question from a passage",
    dataset="qa",
    input=QaInput,
    output=QaOutput,
    solvers=("head", "grounded"),
    measures=("exact match", "answer F1"),
    panel=("question", "context"),
    lesson="qa",
    ask=ask,
)
