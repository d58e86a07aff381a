"""Tokens on their way from the thread that makes them to the one that reads them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

from langwright.errors import UserError
from langwright.inference.protocol import FinishReason, Token


class EngineFailed(RuntimeError):
    """The engine could not go on with this request; the cause is attached."""


class EngineDied(EngineFailed):
    """The engine's thread has ended though nobody closed it; this engine will not answer any more."""


class _End:
    """Stands in the queue behind the last token."""


class QueuedStream:
    """A stream that one thread fills and any other reads. The first reason to end is the one that counts.

    An engine lives at least as long as its streams: `wake` is a method of it.
    """

    def __init__(self, seed: int, wake: Callable[[], None]) -> None:
        """wake: called after a cancellation, so that the engine frees the place at once."""
        self._seed = seed
        self._wake = wake
        self._items: SimpleQueue[Token | _End] = SimpleQueue()
        self._lock = threading.Lock()
        self._reason: FinishReason | None = None
        self._error: BaseException | None = None

    # --- the reader's side ---------------------------------------------------------------------

    def __iter__(self) -> Iterator[Token]:
        return self

    def __next__(self) -> Token:
        item = self._items.get()
        if isinstance(item, Token):
            return item
        self._items.put(item)  # whoever asks again is told again
        if isinstance(self._error, UserError):
            raise self._error
        if isinstance(self._error, EngineDied):
            raise self._error
        if self._error is not None:
            raise EngineFailed(f"the engine failed: {self._error}") from self._error
        raise StopIteration

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why it ended; None while it runs, and when it failed."""
        return self._reason

    @property
    def seed(self) -> int:
        """The seed in use, given or drawn."""
        return self._seed

    def cancel(self) -> None:
        """End it; the engine frees its place before its next step."""
        self.finish("cancelled")
        self._wake()

    # --- the engine's side ---------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """True once there will be no more tokens."""
        return self._reason is not None or self._error is not None

    def put(self, token: Token) -> None:
        """Hand over a token; one that comes after the end is dropped."""
        with self._lock:
            if not self.ended:
                self._items.put(token)

    def finish(self, reason: FinishReason) -> None:
        """End the stream."""
        with self._lock:
            if not self.ended:
                self._reason = reason
                self._items.put(_End())

    def fail(self, error: BaseException) -> None:
        """End the stream with an error, which is raised where the stream is read."""
        with self._lock:
            if not self.ended:
                self._error = error
                self._items.put(_End())
