"""Scoring: a text in, how probable the model finds it out. Imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.tasks.solving.solvers import Solver

if TYPE_CHECKING:
    from langwright.tasks.front.loading import Model


class ScoreInput(TaskInput):
    """A text, and what stands before it."""

    text: Annotated[str, Field(min_length=1, description="The text to score; of any length")]
    given: Annotated[str, Field(description="What stands before it and is not scored")] = ""


class ScoredToken(BaseModel):
    """A token and its log-probability."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    logprob: float


class ScoreOutput(TaskOutput):
    """How probable a text is."""

    log_probability: Annotated[float, Field(description="Of the whole text, in nats")]
    perplexity: Annotated[float, Field(description="Per token")]
    bits_per_byte: Annotated[float, Field(description="Bits per byte of UTF-8, which compares models with each other")]
    tokens: Annotated[tuple[ScoredToken, ...], Field(description="Each token with its log-probability")]

    def lines(self) -> list[str]:
        """The sums."""
        return [
            f"{name}: {value:.4g}"
            for name, value in (
                ("log_probability", self.log_probability),
                ("perplexity", self.perplexity),
                ("bits_per_byte", self.bits_per_byte),
            )
        ]


def score(model: Model, task: Task, asked: ScoreInput) -> ScoreOutput:
    """The probability of a text, token by token."""
    found = model.score(asked.text, asked.given, rolling=True)
    return ScoreOutput(
        log_probability=found.log_probability,
        perplexity=found.perplexity,
        bits_per_byte=found.bits_per_byte,
        tokens=tuple(ScoredToken(text=text, logprob=value) for text, value in found.tokens),
        solver=PROBABILITY.name,
    )


PROBABILITY = Solver(
    name="probability",
    summary="The model says how probable it finds each token",
    needs="probabilities",
    maker="langwright pretrain DATASET TOKENIZER OUT",
    solve=score,
)
SCORE = Task(
    name="score",
    summary="Say how probable a text is",
    dataset="",
    input=ScoreInput,
    output=ScoreOutput,
    solvers=("probability",),
    panel=("text", "given"),
)
