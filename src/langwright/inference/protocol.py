"""What anyone may ask of a model: `submit`, `score`, `encode`, over token ids and nothing else.

Text (templates, stop strings, incremental decoding) is one layer above, in `inference/text.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from pydantic import Field

from langwright.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FinishReason = Literal["stop", "length", "cancelled", "deadline"]


class Sampling(Settings):
    """How the next token is chosen. Temperature 0 is greedy."""

    temperature: Annotated[
        float,
        Field(
            ge=0, le=10, description="0 always takes the likeliest token; 1 samples from the model's own distribution"
        ),
    ] = 0.0
    top_k: Annotated[int, Field(ge=0, description="Sample among the k likeliest tokens only; 0 means all")] = 0
    top_p: Annotated[
        float,
        Field(gt=0, le=1, description="Sample among the likeliest tokens that together hold this share of probability"),
    ] = 1.0
    max_new_tokens: Annotated[int, Field(ge=1, description="Most tokens to generate; the prompt is not counted")] = 128
    seed: Annotated[
        int | None, Field(ge=0, description="Seed of this request alone; drawn at random and reported when left out")
    ] = None


class Constraint(Protocol):
    """Which tokens may come next, as an automaton with numbered states; it holds nothing of any request."""

    @property
    def start(self) -> int:
        """The state before the first new token."""
        ...

    def allowed(self, state: int) -> NDArray[np.bool_]:
        """One flag an id, at least one of them true; ids beyond its end are ruled out."""
        ...

    def after(self, state: int, id: int) -> int:
        """The state after a token that was allowed."""
        ...


@dataclass(frozen=True)
class Request:
    """One continuation to make."""

    prompt: Sequence[int]
    sampling: Sampling = field(default_factory=Sampling)
    stop_ids: frozenset[int] = frozenset()
    top_logprobs: int = 0  # how many alternatives to report with each token
    priority: int = 0  # higher goes first
    deadline_s: float | None = None  # seconds from submission
    constraint: Constraint | None = None


@dataclass(frozen=True)
class Token:
    """One generated token. `logprob` is of the model's own distribution (temperature 1), in nats.

    top  the likeliest tokens with their log-probabilities, of those that a constraint allowed
    """

    id: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


class Stream(Protocol):
    """Tokens of one request as they are made. A stop id ends the stream and is not among its tokens."""

    def __iter__(self) -> Iterator[Token]: ...

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why it ended; None while it runs."""
        ...

    @property
    def seed(self) -> int:
        """The seed in use, given or drawn."""
        ...

    def cancel(self) -> None:
        """End it; tokens not yet read may be lost, the engine frees its place."""
        ...


@dataclass(frozen=True)
class Completion:
    """A finished stream."""

    tokens: tuple[Token, ...]
    finish_reason: FinishReason
    seed: int

    @property
    def ids(self) -> list[int]:
        return [token.id for token in self.tokens]


class Engine(Protocol):
    """All that chat, evaluation, the API, rollouts and red-teaming may ask of a model."""

    @property
    def context(self) -> int:
        """Most positions a prompt and its continuation may take together."""
        ...

    def submit(self, request: Request) -> Stream:
        """Begin one continuation. UserError when the prompt is empty or does not fit the context."""
        ...

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """The blocking form of `submit`, in the order asked."""
        ...

    def score(self, rows: Sequence[Sequence[int]]) -> list[list[float]]:
        """Log-probability in nats of each token given all before it; a row of n ids gives n - 1 numbers."""
        ...

    def encode(self, rows: Sequence[Sequence[int]]) -> list[NDArray]:  # type: ignore[type-arg]
        """Last hidden states, float32, one array (tokens, width) a row."""
        ...

    def close(self) -> None:
        """Free what it holds; streams still open are cancelled."""
        ...
