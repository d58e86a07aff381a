"""Who is next: a line of requests with priorities in which nobody waits for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
PATIENCE = 4  # every so many places, one goes to whoever has waited longest


class WaitingLine(Generic[T]):
    """Higher priority first, then first come, first served; every fourth place goes to the longest waiting.

    Without the last rule a steady stream of urgent requests would keep the others out for ever.
    """

    def __init__(self) -> None:
        self._line: list[tuple[int, T]] = []  # (priority, what waits), in order of arrival
        self._given = 0

    def __len__(self) -> int:
        return len(self._line)

    def add(self, item: T, priority: int) -> None:
        """Stand at the end of the line."""
        self._line.append((priority, item))

    def first(self) -> T | None:
        """Who is next, without taking it out."""
        return self._line[self._position()][1] if self._line else None

    def take(self) -> T:
        """Take out who is next."""
        item = self._line.pop(self._position())[1]
        self._given += 1
        return item

    def sweep(self, gone: Callable[[T], bool]) -> None:
        """Drop those that need no place any more."""
        self._line = [entry for entry in self._line if not gone(entry[1])]

    def clear(self) -> list[T]:
        """Take out everyone."""
        items = [item for _, item in self._line]
        self._line = []
        return items

    def _position(self) -> int:
        if self._given % PATIENCE == PATIENCE - 1:
            return 0
        return max(range(len(self._line)), key=lambda place: (self._line[place][0], -place))
