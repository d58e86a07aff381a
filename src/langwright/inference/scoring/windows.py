"""Rows that roll over a text longer than a model's context, every token scored once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """One row to score: `ids`, of which the last `scored` are counted and the others only seen."""

    ids: Sequence[int]
    scored: int


def windows(ids: Sequence[int], length: int, stride: int) -> Iterator[Window]:
    """Cut ids into rows of at most `length`, scoring every id but the first exactly once.

    length  most ids in a row, W; at least 2
    stride  how many new ids each row after the first scores, 1 to W - 1

    >>> [(list(w.ids), w.scored) for w in windows([0, 1, 2, 3, 4, 5], length=4, stride=2)]
    [([0, 1, 2, 3], 3), ([2, 3, 4, 5], 2)]
    """
    if not 1 <= stride < length:
        raise ValueError(f"a stride of {stride} for windows of {length}")
    end = min(length, len(ids))
    if end > 1:
        yield Window(ids[:end], end - 1)
    while end < len(ids):
        new = min(stride, len(ids) - end)
        end += new
        yield Window(ids[end - length : end], new)
