"""What came of writing and of scoring a text."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from langwright.inference.protocol import FinishReason, Token


@dataclass(frozen=True)
class TextPiece:
    """What was written since the last piece. `text` never ends inside a character and may be empty in the last one."""

    text: str
    tokens: tuple[Token, ...]


@dataclass(frozen=True)
class TextCompletion:
    """A finished continuation.

    text       what was written, up to and without a stop string
    token_ids  exactly what the model made, those that spell a stop string included
    """

    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason
    seed: int
    prompt_tokens: int
    tokens: tuple[Token, ...]

    @property
    def mean_logprob(self) -> float:
        """Nats a token; what longer texts lose by being longer does not count."""
        return math.fsum(token.logprob for token in self.tokens) / max(1, len(self.tokens))


@dataclass(frozen=True)
class TextScore:
    """How probable a model finds a text (the chain rule: P(y|x) is the product of P(y_t | y_<t, x)).

    log_probability  nats, of all scored tokens together
    tokens           (text of the token, log-probability) in order
    bytes            UTF-8 bytes that the scored tokens stand for
    top              of each token the likeliest at its place, (text, log-probability); empty where not asked for
    """

    log_probability: float
    token_ids: tuple[int, ...]
    tokens: tuple[tuple[str, float], ...]
    bytes: int
    top: tuple[tuple[tuple[str, float], ...], ...] = ()

    @property
    def surprisals(self) -> tuple[float, ...]:
        """Bits of each token: 0 where it was certain, 1 more where it was half as likely."""
        return tuple(-value / math.log(2) for _, value in self.tokens)

    @property
    def bits_per_byte(self) -> float:
        """Comparable between tokenizers, unlike perplexity."""
        return -self.log_probability / math.log(2) / self.bytes

    @property
    def perplexity(self) -> float:
        """exp of the mean negative log-probability per token."""
        return math.exp(-self.log_probability / len(self.tokens))


class Readable(Protocol):
    """A continuation that is read to its end or cancelled."""

    def result(self) -> TextCompletion:
        """Read to the end and return the whole."""
        ...

    def cancel(self) -> None:
        """End it."""
        ...


class Continuation(ABC):
    """A text as it is written: iterate it for pieces, then ask for `completion`.

    Leaving a `with` block cancels what still runs.
    """

    def __init__(self, prompt_tokens: int = 0) -> None:
        self.prompt_tokens = prompt_tokens
        self._tokens: list[Token] = []
        self._text: list[str] = []
        self._reason: FinishReason | None = None
        self._pieces = self._read()

    @abstractmethod
    def _read(self) -> Iterator[TextPiece]:
        """The pieces as they come, kept in `_text` and `_tokens`; `_reason` is set with the last one."""

    @property
    @abstractmethod
    def seed(self) -> int:
        """The seed in use, given or drawn."""

    @abstractmethod
    def cancel(self) -> None:
        """End it."""

    def __iter__(self) -> Iterator[TextPiece]:
        return self._pieces

    def __next__(self) -> TextPiece:
        return next(self._pieces)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reason is None:
            self.cancel()

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why it ended; None while there is more to read."""
        return self._reason

    def result(self) -> TextCompletion:
        """Read to the end and return the whole."""
        for _ in self._pieces:
            pass
        return self.completion

    @property
    def completion(self) -> TextCompletion:
        """The whole, once it was read to its end."""
        if self._reason is None:
            raise RuntimeError("the stream is not read to its end; iterate it, or call result()")
        tokens = tuple(self._tokens)
        ids = tuple(token.id for token in tokens)
        return TextCompletion("".join(self._text), ids, self._reason, self.seed, self.prompt_tokens, tokens)


def results(begin: Sequence[Callable[[], Readable]]) -> list[TextCompletion]:
    """Begin continuations, all of them before the first is read, and read them in their order; an error ends all."""
    streams: list[Readable] = []
    try:
        streams.extend(one() for one in begin)
        return [stream.result() for stream in streams]
    finally:
        for stream in streams:
            stream.cancel()
