"""Embedding: a text in, a vector out. Imports nothing heavy at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.tasks.solving.solvers import Solver

if TYPE_CHECKING:
    from langwright.tasks.front.loading import Model


class EmbeddingInput(TaskInput):
    """A text, and how its vector is made."""

    text: Annotated[str, Field(min_length=1, description="The text to turn into a vector")]
    pooling: Annotated[
        Literal["mean", "cls", "last"] | None,
        Field(description="What of the last hidden states; the model's own when left out"),
    ] = None
    normalise: Annotated[bool, Field(description="Scale the vector to length 1")] = False
    truncate: Annotated[bool, Field(description="Cut a text that is too long instead of refusing it")] = False


class EmbeddingOutput(TaskOutput):
    """A vector."""

    vector: Annotated[tuple[float, ...], Field(description="The vector")]
    pooling: Annotated[str, Field(description="What of the last hidden states it is made of")]
    tokens: Annotated[int, Field(description="How many tokens were read")]
    truncated: Annotated[bool, Field(description="True when the text was cut to fit the model")] = False


def embed(model: Model, task: Task, asked: EmbeddingInput) -> EmbeddingOutput:
    """The vector of a text."""
    found = model.embeddings([asked.text], pooling=asked.pooling, normalise=asked.normalise, truncate=asked.truncate)
    return EmbeddingOutput(
        vector=tuple(map(float, found.vectors[0])), pooling=found.pooling, tokens=found.tokens[0] if found.tokens else 0,
        truncated=any(found.truncated), solver=VECTORS.name,
    )  # fmt: skip


VECTORS = Solver(
    name="vectors",
    summary="The last hidden states of the text are made into one vector",
    needs="vectors",
    maker="langwright finetune MODEL DATASET OUT --task embedding",
    solve=embed,
)
EMBEDDING = Task(
    name="embedding",
    summary="Turn a text into a vector",
    dataset="",
    input=EmbeddingInput,
    output=EmbeddingOutput,
    solvers=("vectors",),
    panel=("text", "pooling", "normalise"),
    lesson="embedding",
)
