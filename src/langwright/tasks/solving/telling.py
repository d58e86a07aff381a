"""Telling how far a text is that is solved in parts: whoever asked hears of it, however deep inside the parts are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from langwright.runlog import Progressed

Told = Callable[[Progressed], None]
T = TypeVar("T")
_TOLD: ContextVar[Told | None] = ContextVar("told", default=None)


@contextmanager
def telling(progress: Told | None) -> Iterator[None]:
    """Until the end of the block, in this thread, `progress` is told of parts; with None whoever was before."""
    if progress is None:
        yield
        return
    before = _TOLD.set(progress)
    try:
        yield
    finally:
        _TOLD.reset(before)


def counted(parts: Sequence[T]) -> Iterator[T]:
    """The parts in their order; after each, where there are several, it is told how many are done."""
    told = _TOLD.get() if len(parts) > 1 else None
    for done, part in enumerate(parts, start=1):
        yield part
        if told is not None:
            told(Progressed(what="reading a long text in parts", done=done, total=len(parts)))
