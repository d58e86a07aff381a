"""What contestants have in common."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

Ids = list[list[int]]
THREADS = int(os.environ.get("LANGWRIGHT_THREADS", os.cpu_count() or 1))


class LeftOut(Exception):
    """Why a contestant does not take part."""


@dataclass(frozen=True)
class Done:
    """A job that was done.

    seconds  where the contestant knows better than who waits for it
    memory   most bytes that its process has held, where it is another one
    """

    made: int
    seconds: float | None = None
    memory: int | None = None


Work = Callable[[Ids, int, list[float]], Done]  # prompts, new tokens, seconds at which each comes
