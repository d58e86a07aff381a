"""Similarity: two texts in, how alike they are out. Imports nothing heavy at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from langwright.data.schemas import PairRow
from langwright.tasks.declaration import Task, TaskInput
from langwright.tasks.regression import ValueOutput
from langwright.tasks.solving.solvers import Solver

if TYPE_CHECKING:
    from langwright.tasks.front.loading import Model


class SimilarityInput(TaskInput):
    """Two texts."""

    text_a: Annotated[str, Field(description="The first text of a pair")]
    text_b: Annotated[str, Field(description="The second text of a pair")]


def ask(row: PairRow) -> SimilarityInput:
    """What is asked of a row."""
    return SimilarityInput(text_a=row.text_a, text_b=row.text_b)


def cosine(model: Model, task: Task, asked: SimilarityInput) -> ValueOutput:
    """The cosine of the angle between the vectors of the two texts, from -1 to 1."""
    found = model.embeddings([asked.text_a, asked.text_b], normalise=True, truncate=True)
    value = float(found.vectors[0] @ found.vectors[1])
    return ValueOutput(score=max(-1.0, min(1.0, value)), truncated=any(found.truncated), solver=COSINE.name)


COSINE = Solver(
    name="cosine",
    summary="The texts are turned into vectors, and the angle between them is measured",
    needs="vectors",
    maker="langwright finetune MODEL DATASET OUT --task embedding",
    solve=cosine,
)
SIMILARITY = Task(
    name="similarity",
    summary="Say how alike two texts are",
    dataset="pair",
    input=SimilarityInput,
    output=ValueOutput,
    solvers=("head", "cosine"),
    measures=("Spearman correlation", "mean absolute error"),
    panel=("text_a", "text_b"),
    lesson="similarity",
    ask=ask,
)
