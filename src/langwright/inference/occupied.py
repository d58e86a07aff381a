"""How busy an engine is: what monitoring asks of one that runs a model itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Occupied:
    """How busy an engine is, as seen from outside while it works: a number may be a step old.

    running, waiting     requests
    positions, of        positions of the cache that running rows are counted with, and how many there are
    kept, most_kept      blocks of prompts that were read, kept for others that begin alike; 0 of 0 where none are
    """

    running: int
    waiting: int
    positions: int
    of: int
    kept: int = 0
    most_kept: int = 0


@runtime_checkable
class Counted(Protocol):
    """What an engine has beside `Engine` where it runs a model itself; ask with `isinstance`."""

    def occupied(self) -> Occupied:
        """How busy it is now; from any thread."""
        ...
