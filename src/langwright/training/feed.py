"""What the loop trains on: the micro-batches of every update, as a function of the update's number alone.

That is why a resume costs nothing: no generator has to be wound forward.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from langwright.data.packing import RowPlan
from langwright.data.store import TokenStore
from langwright.errors import UserError
from langwright.training.loss import Batch

Rows = NDArray[np.int64]


class Examples(Protocol):
    """Rows by number, and how some of them make a batch."""

    def __len__(self) -> int: ...

    def arrange(self, rows: Rows) -> Rows:
        """In which order the rows of one update are cut into micro-batches, such as by length: places in `rows`."""
        ...

    def batch(self, rows: Rows, epochs: Rows | None = None) -> Batch:
        """These rows as one batch.

        epochs  how often each row was seen before, where what is made of it is drawn anew each time; 0 when left out
        """
        ...


class StoreExamples(Examples, Protocol):
    """Examples made of the rows of a plan over a token store."""

    @property
    def store(self) -> TokenStore:
        """The tokens."""
        ...

    @property
    def plan(self) -> RowPlan:
        """Which of them stand in which row."""
        ...


class Order(Protocol):
    """Which row stands at a position of an endless run through the rows, each epoch in its own order."""

    def many(self, positions: Rows) -> Rows: ...


@dataclass(frozen=True)
class Feed:
    """The updates of a run.

    batch_rows  rows in one update
    micro_rows  rows computed at once
    rank, size  which part of each update this process takes, of how many
    """

    examples: Examples
    order: Order
    batch_rows: int
    micro_rows: int
    rank: int = 0
    size: int = 1

    def shared(self, rank: int, size: int, micro_rows: int) -> Feed:
        """One process's part: of every update the same number of rows, disjoint from the others', all of them together.

        micro_rows  rows that this process computes at once
        raises  UserError when the rows of an update cannot be shared evenly
        """
        if self.batch_rows % size:
            raise UserError(
                "an update has {rows} rows, which {count} processes cannot share evenly",
                fix="give --set batch_rows={better}, or another number of processes",
                rows=self.batch_rows,
                count=size,
                better=-(-self.batch_rows // size) * size,
            )
        return replace(self, rank=rank, size=size, micro_rows=micro_rows)

    def update(self, number: int) -> list[Batch]:
        """The micro-batches of an update, counted from 0."""
        first = number * self.batch_rows
        positions = np.arange(first, first + self.batch_rows, dtype=np.int64)
        rows = self.order.many(positions)
        places = self.examples.arrange(rows)[self.rank :: self.size]  # long and short rows to everyone alike
        rows, epochs = rows[places], positions[places] // len(self.examples)
        cuts = [slice(i, i + self.micro_rows) for i in range(0, len(rows), self.micro_rows)]
        return [self.examples.batch(rows[cut], epochs[cut]) for cut in cuts]

    def updates(self, start: int) -> Iterator[list[Batch]]:
        """Endlessly, from an update on."""
        while True:
            yield self.update(start)
            start += 1


def whole_epoch(
    examples: Examples, micro_rows: int, limit: int | None = None, rank: int = 0, size: int = 1
) -> Iterator[tuple[Batch, bool]]:
    """Each row once, in order, for evaluation; `limit` rows spread evenly over all where given.

    Of several processes each gets equally many batches; those that are there only for that come with False.
    """
    count = len(examples)
    rows = (
        np.arange(count, dtype=np.int64)
        if limit is None or limit >= count
        else np.linspace(0, count - 1, limit).astype(np.int64)
    )
    rows = rows[examples.arrange(rows)]
    cuts = [rows[i : i + micro_rows] for i in range(0, len(rows), micro_rows)]
    for first in range(0, len(cuts), size):
        counts = first + rank < len(cuts)
        yield examples.batch(cuts[first + rank if counts else first]), counts
