"""What the loop trains on: the micro-batches of every update, as a function of the update's number alone.

That is why a resume costs nothing: no generator has to be wound forward.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from langwright.training.loss import Batch

Rows = NDArray[np.int64]


class Examples(Protocol):
    """Rows by number, and how some of them make a batch."""

    def __len__(self) -> int: ...

    def arrange(self, rows: Rows) -> Rows:
        """The rows of one update in the order in which they are cut into micro-batches, such as by length."""
        ...

    def batch(self, rows: Rows) -> Batch:
        """These rows as one batch."""
        ...


class Order(Protocol):
    """Which row stands at a position of an endless run through the rows, each epoch in its own order."""

    def many(self, positions: Rows) -> Rows: ...


@dataclass(frozen=True)
class Feed:
    """The updates of a run.

    batch_rows  rows in one update
    micro_rows  rows computed at once
    """

    examples: Examples
    order: Order
    batch_rows: int
    micro_rows: int

    def update(self, number: int) -> list[Batch]:
        """The micro-batches of an update, counted from 0."""
        first = number * self.batch_rows
        rows = self.examples.arrange(self.order.many(np.arange(first, first + self.batch_rows, dtype=np.int64)))
        return [self.examples.batch(rows[i : i + self.micro_rows]) for i in range(0, len(rows), self.micro_rows)]

    def updates(self, start: int) -> Iterator[list[Batch]]:
        """Endlessly, from an update on."""
        while True:
            yield self.update(start)
            start += 1


def whole_epoch(examples: Examples, micro_rows: int, limit: int | None = None) -> Iterator[Batch]:
    """Each row once, in order, for evaluation; `limit` rows spread evenly over all where given."""
    count = len(examples)
    rows = (
        np.arange(count, dtype=np.int64)
        if limit is None or limit >= count
        else np.linspace(0, count - 1, limit).astype(np.int64)
    )
    rows = examples.arrange(rows)
    for i in range(0, len(rows), micro_rows):
        yield examples.batch(rows[i : i + micro_rows])
