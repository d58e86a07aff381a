"""What anyone may ask of a model: `submit`, `score`, `encode`, over token ids and nothing else.

Text (templates, stop strings, incremental decoding) is one layer above, in `inference/texts/text.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, Self, runtime_checkable

from pydantic import Field, model_validator

from langwright.errors import UserError
from langwright.settings import Settings
from langwright.wording import Language

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor
    from transformers import PreTrainedModel

FinishReason = Literal["stop", "length", "cancelled", "deadline"]
Backend = Literal["langwright", "vllm"]  # what stands behind the protocol: our engine, or a server that is started
Kind = Literal["continues", "rewrites", "reads"]  # a text, a text into another, a text and writes nothing


class Sampling(Settings):
    """How the next token is chosen. Temperature 0 is greedy. What contradicts itself is refused."""

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
    min_p: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Sample among tokens with at least this share of the likeliest one's probability; 0 means all",
        ),
    ] = 0.0
    typical_p: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="Sample among the tokens that surprise as much as is to be expected, which together hold this "
            "share of probability; 1 means all",
        ),
    ] = 1.0
    eta: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="Leave out tokens less probable than this, or than less where much is possible; 0 means none, "
            "0.0003 to 0.002 is usual",
        ),
    ] = 0.0
    mirostat: Annotated[
        float,
        Field(
            ge=0, description="Keep the surprise of the text near so many bits a token; 0 means off, 3 to 5 is usual"
        ),
    ] = 0.0
    mirostat_rate: Annotated[
        float, Field(gt=0, le=1, description="How fast mirostat follows the surprise of what was drawn")
    ] = 0.1
    repetition_penalty: Annotated[
        float,
        Field(
            gt=0, le=10, description="Above 1 lowers tokens that stand in the prompt or the text already; 1 means off"
        ),
    ] = 1.0
    presence_penalty: Annotated[
        float, Field(ge=-2, le=2, description="Taken from the logits of tokens that were written already")
    ] = 0.0
    frequency_penalty: Annotated[
        float, Field(ge=-2, le=2, description="Taken from the logits of tokens for every time they were written")
    ] = 0.0
    no_repeat_ngram: Annotated[
        int, Field(ge=0, description="No run of so many tokens may come twice, the prompt included; 0 means off")
    ] = 0
    logit_bias: Annotated[dict[int, float], Field(description="Added to the logits of these tokens, by id")] = Field(
        default_factory=dict
    )
    bad_words: Annotated[
        tuple[tuple[int, ...], ...], Field(description="Runs of token ids that may not be written")
    ] = ()
    min_new_tokens: Annotated[
        int, Field(ge=0, description="Fewest tokens to generate; the end is ruled out before")
    ] = 0
    max_new_tokens: Annotated[int, Field(ge=1, description="Most tokens to generate; the prompt is not counted")] = 128
    seed: Annotated[
        int | None,
        Field(ge=0, lt=2**64, description="Seed of this request alone; drawn at random and reported when left out"),
    ] = None

    @model_validator(mode="after")
    def _nothing_contradicts(self) -> Self:
        narrowing = {name: value for name, off in NARROWING.items() if (value := getattr(self, name)) != off}
        if self.temperature == 0 and (narrowing or self.mirostat):
            name = next(iter(narrowing), "mirostat")
            raise UserError(
                "{name} = {value} says among which tokens to draw, and temperature 0 draws none",
                fix="give a temperature above 0, or leave {name} out",
                name=name,
                value=getattr(self, name),
            )
        if self.mirostat and narrowing:
            raise UserError(
                "mirostat sets its own limit at every token, and {name} = {value} would set another",
                fix="give one of the two",
                name=next(iter(narrowing)),
                value=next(iter(narrowing.values())),
            )
        if self.min_new_tokens > self.max_new_tokens:
            raise UserError(
                "min_new_tokens = {least} is more than max_new_tokens = {most}",
                fix="raise max_new_tokens, or lower min_new_tokens",
                least=self.min_new_tokens,
                most=self.max_new_tokens,
            )
        return self

    @cached_property
    def alters(self) -> bool:
        """Whether logits are changed because of what was written, or ruled out, before anything is drawn."""
        return bool(
            self.repetition_penalty != 1
            or self.presence_penalty
            or self.frequency_penalty
            or self.no_repeat_ngram
            or self.logit_bias
            or self.bad_words
            or self.min_new_tokens
        )


NARROWING = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "typical_p": 1.0, "eta": 0.0}  # and what each is when it is off


class Beams(Settings):
    """Search for the continuations of highest score instead of taking the likeliest token each time."""

    kind: Literal["beams"] = "beams"
    width: Annotated[int, Field(ge=2, le=256, description="How many beginnings are gone on with at the same time")] = 4
    length_penalty: Annotated[
        float,
        Field(
            ge=-10,
            le=10,
            description="A score is divided by the length to this power: above 0 longer texts gain, below 0 shorter ones",
        ),
    ] = 1.0
    early_stopping: Annotated[
        bool | Literal["never"],
        Field(
            description="true ends when as many texts have ended as there are beams; false when no better one is likely; "
            "never when none is possible"
        ),
    ] = False
    groups: Annotated[int, Field(ge=1, description="Groups of beams that are kept apart; divides the width")] = 1
    diversity: Annotated[
        float, Field(ge=0, description="What a token costs a group for every beam of an earlier group that took it")
    ] = 0.0

    @model_validator(mode="after")
    def _groups_are_of_one_size(self) -> Self:
        if self.width % self.groups:
            raise UserError(
                "{width} beams cannot be parted into {groups} groups of one size",
                fix="give a number of groups that divides the width",
                width=self.width,
                groups=self.groups,
            )
        if self.groups > 1 and self.diversity == 0:
            raise UserError(
                "{groups} groups of beams with diversity 0 all find the same",
                fix="give a diversity above 0, such as 0.5, or one group",
                groups=self.groups,
            )
        if self.diversity and self.groups == 1:
            raise UserError(
                "diversity = {diversity} keeps groups of beams apart, and there is one group",
                fix="give more groups, at most as many as beams",
                diversity=self.diversity,
            )
        return self


class Contrastive(Settings):
    """Of the likeliest tokens take the one that is least like what stands there already."""

    kind: Literal["contrastive"] = "contrastive"
    top_k: Annotated[int, Field(ge=2, le=256, description="How many of the likeliest tokens are compared")] = 4
    alpha: Annotated[
        float, Field(ge=0, le=1, description="Weight of being unlike what stands there; 0 takes the likeliest token")
    ] = 0.6


Search = Beams | Contrastive


class PromptLookup(Settings):
    """Guess that what followed the same tokens before follows again."""

    kind: Literal["lookup"] = "lookup"
    most: Annotated[int, Field(ge=1, le=64, description="Most tokens guessed at a time")] = 8
    ngram: Annotated[
        int, Field(ge=1, le=16, description="Most tokens that are looked for; the longest that came before count")
    ] = 3


class DraftModel(Settings):
    """Let a smaller model with the same vocabulary guess."""

    kind: Literal["draft"] = "draft"
    model: Annotated[str, Field(description="The smaller model: its folder, or the name of a run")]
    most: Annotated[int, Field(ge=1, le=64, description="Most tokens guessed at a time")] = 4


Speculation = PromptLookup | DraftModel


class Cursor(Protocol):
    """Where a constraint stands in one continuation. It never changes, so one may go on from it in several ways."""

    def allowed(self) -> NDArray[np.bool_]:
        """Which tokens may come next: one flag an id, at least one of them true; ids beyond its end are ruled out.

        raises  UserError where no token may, which ends this request and no other
        """
        ...

    def after(self, id: int) -> Cursor:
        """The cursor behind a token that was allowed. What is costly may be computed while the model computes."""
        ...

    @property
    def ended(self) -> FinishReason | None:
        """Why the text is over without an end token, where it is."""
        ...


class Constraint(Protocol):
    """Which tokens may follow each other; it holds nothing of any request."""

    def start(self) -> Cursor:
        """The cursor before the first new token."""
        ...


class Guidance(Protocol):
    """What a guide has read of one continuation. It never changes."""

    def steered(self, logits_V: Tensor) -> Tensor:
        """Other logits in place of the model's own, float32, shape (V,); called in the engine's thread."""
        ...

    def after(self, id: int) -> Guidance:
        """The guidance behind a token."""
        ...


class Guide(Protocol):
    """What makes some tokens likelier; it holds nothing of any request."""

    def start(self, model: PreTrainedModel, prompt: Sequence[int]) -> Guidance:
        """The guidance before the first new token.

        model  the one that writes
        """
        ...


class Watermark(Protocol):
    """A mark in which tokens are chosen; it holds nothing of any request, and its key is never shown."""

    @property
    def kind(self) -> str:
        """What it is called in settings."""
        ...

    def marked(self, logits_V: Tensor, ids: Sequence[int], begin: int) -> Tensor:
        """Logits of the next token in place of those given, shape (V,).

        Those given are what is left when all else that chooses has had its say. A function of its arguments
        alone, so that the mark depends on nothing beside the row itself.

        ids  of the row so far, of which the prompt's are those before `begin`
        """
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
    constraint: Constraint | None = None  # which tokens may come
    guide: Guide | None = None  # which become likelier
    watermark: Watermark | None = None  # the mark in which are chosen
    adapter: str | None = None  # by name, of those that are loaded; the plain model without


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


@dataclass(frozen=True)
class Candidate:
    """One continuation that a search found.

    tokens  with the model's own log-probabilities; a stop id is not among them
    score   what the search ranks by: the higher the better
    """

    tokens: tuple[Token, ...]
    finish_reason: FinishReason
    score: float


@runtime_checkable
class Searching(Protocol):
    """What an engine has beside `Engine` where it can search; ask with `isinstance`."""

    def search(self, request: Request, search: Search) -> list[Candidate]:
        """The best continuations, best first. UserError for a request that draws."""
        ...


@runtime_checkable
class Tiered(Protocol):
    """What an engine has beside `Engine` where it runs a model itself; ask with `isinstance`."""

    def way(self, lang: Language | None = None) -> tuple[str, str]:
        """(how requests run together, why not in a better way); the second is empty for the best, both for none."""
        ...


class Engine(Protocol):
    """All that chat, evaluation, the API, rollouts and red-teaming may ask of a model."""

    @property
    def context(self) -> int:
        """Most positions a prompt and its continuation may take together."""
        ...

    @property
    def alive(self) -> bool:
        """False once it cannot answer any more; known at once, nothing is asked."""
        ...

    def submit(self, request: Request) -> Stream:
        """Begin one continuation. UserError when the prompt is empty or does not fit the context."""
        ...

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """The blocking form of `submit`, in the order asked."""
        ...

    def score(self, rows: Sequence[Sequence[int]], given: Sequence[Sequence[int]] | None = None) -> list[list[float]]:
        """Log-probability in nats of each token given all before it; a row of n ids gives n - 1 numbers.

        given  one prompt, or source for an encoder-decoder, a row: then all n ids of the row are scored after it
        """
        ...

    def alternatives(self, rows: Sequence[Sequence[int]], top: int) -> list[list[Token]]:
        """`score` with the `top` likeliest tokens at the place of each, whatever stands there."""
        ...

    def encode(self, rows: Sequence[Sequence[int]]) -> list[NDArray]:  # type: ignore[type-arg]
        """Last hidden states, float32, one array (tokens, width) a row."""
        ...

    def close(self) -> None:
        """Free what it holds; streams still open are cancelled."""
        ...
