"""Several sources of rows in one stream, in fixed shares, as a function of the position alone; and several tasks.

How tasks of different kinds add up. A unit is a token for one task and a text for another, so units cannot be added
over tasks. A batch of a task counts its rows as units and carries `scale`, the task's rows over its own units in the
whole update. The update's loss, Σ scale · total over all rows, is then Σ (share of the rows) · (mean over own units):
each task's mean loss, weighted by how many of the rows are its own. Since `scale` is taken over the whole update, it
does not matter how that is cut.

Source    temperature: Devlin et al. 2018 (multilingual BERT); Arivazhagan et al. 2019, arXiv:1907.05019, section 4.2;
          Raffel et al. 2020, arXiv:1910.10683, section 3.5.2
Differs   shares are kept exactly within every block of 1024 positions, in an order drawn anew for each, instead of
          drawing each position by itself: the same expectation with less noise, and how many rows of a source came
          before a position is known without counting, so a resume is O(1) and a source is read in whole epochs
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from langwright.data.order import Order, permute, round_keys
from langwright.training.feed import Examples, Feed
from langwright.training.loss import Batch

BLOCK = 1024  # positions within which shares are exact
Indices = NDArray[np.int64]


def temperature_shares(sizes: Sequence[int], temperature: float) -> tuple[float, ...]:
    """Shares p ∝ n^(1/T) of sources of n rows each: by size at T = 1, equal at T = ∞.

    >>> temperature_shares([900, 100], 1.0)
    (0.9, 0.1)
    >>> temperature_shares([900, 100], 2.0)
    (0.75, 0.25)
    """
    largest = max(sizes)
    weights = [(size / largest) ** (1 / temperature) for size in sizes]
    return tuple(weight / sum(weights) for weight in weights)


def slots(shares: Sequence[float], block: int = BLOCK) -> tuple[int, ...]:
    """Positions of a block that each source gets: largest remainders, and at least one for each.

    >>> slots([0.5, 0.3, 0.2], 10)
    (5, 3, 2)
    """
    wanted = [share * block for share in shares]
    found = [max(1, math.floor(value)) for value in wanted]
    while sum(found) != block:
        step = 1 if sum(found) < block else -1
        number = max(
            range(len(found)), key=lambda i: step * (wanted[i] - found[i]) if found[i] + step >= 1 else -math.inf
        )
        found[number] += step
    return tuple(found)


@dataclass(frozen=True)
class Place:
    """Where a position leads, elementwise.

    sources  the number of the source
    rows     the row within it
    epochs   how often that source was read through before
    """

    sources: Indices
    rows: Indices
    epochs: Indices


@dataclass(frozen=True)
class MixedOrder:
    """Which row of which source stands at a position.

    sizes   rows of each source
    shares  of positions, adding up to 1
    """

    seed: int
    sizes: tuple[int, ...]
    shares: tuple[float, ...]

    @cached_property
    def counts(self) -> Indices:
        """Positions of a block that each source gets."""
        return np.array(slots(self.shares), dtype=np.int64)

    def places(self, positions: Indices) -> Place:
        """For many positions, one axis."""
        positions = np.asarray(positions, dtype=np.int64)
        sources, earlier = np.empty_like(positions), np.empty_like(positions)
        blocks, within = np.divmod(positions, BLOCK)
        for block in np.unique(blocks):
            keys = round_keys(self.seed, int(block))
            drawn = permute(np.arange(BLOCK, dtype=np.int64), BLOCK, keys)
            whose = np.searchsorted(np.cumsum(self.counts), drawn, side="right")
            chosen = blocks == block
            sources[chosen] = whose[within[chosen]]
            nth = np.empty(BLOCK, dtype=np.int64)  # of its source within the block
            for source, count in enumerate(self.counts):
                nth[whose == source] = np.arange(count)
            earlier[chosen] = block * self.counts[sources[chosen]] + nth[within[chosen]]
        rows, epochs = np.empty_like(positions), np.empty_like(positions)
        for source, size in enumerate(self.sizes):
            mine = sources == source
            rows[mine] = Order(self.seed + source, size).many(earlier[mine])
            epochs[mine] = earlier[mine] // size
        return Place(sources, rows, epochs)

    def many(self, positions: Indices) -> Indices:
        """Rows counted through all sources laid end to end."""
        found = self.places(positions)
        starts = np.cumsum([0, *self.sizes[:-1]], dtype=np.int64)
        return starts[found.sources] + found.rows


# --- tasks -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TaskBatch:
    """Rows of one task.

    rows   how many; what the loop takes for units
    scale  the task's rows over its own units, in the whole update
    share  of the update's rows that are the task's
    """

    task: str
    batch: Batch
    rows: int
    scale: float
    share: float

    @property
    def units(self) -> int:
        """Rows."""
        return self.rows

    @property
    def positions(self) -> int:
        """The batch's."""
        return self.batch.positions

    @property
    def padding(self) -> int:
        """The batch's."""
        return self.batch.padding


@dataclass(frozen=True)
class Together:
    """Batches of several tasks computed one after the other, where rows are cut without looking, as in evaluation."""

    parts: tuple[TaskBatch, ...]

    @property
    def units(self) -> int:
        """Rows."""
        return sum(part.units for part in self.parts)

    @property
    def positions(self) -> int:
        """Of all."""
        return sum(part.positions for part in self.parts)

    @property
    def padding(self) -> int:
        """Of all."""
        return sum(part.padding for part in self.parts)


@dataclass(frozen=True)
class Tasks:
    """The examples of several tasks, laid end to end."""

    tasks: Mapping[str, Examples]

    def __len__(self) -> int:
        return sum(self.sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Rows of each task."""
        return tuple(len(examples) for examples in self.tasks.values())

    def arrange(self, rows: Indices) -> Indices:
        """Each task's rows next to each other, in the task's own arrangement."""
        sources, within = self.located(rows)
        found = []
        for number, examples in enumerate(self.tasks.values()):
            mine = np.flatnonzero(sources == number)
            if len(mine):
                found.append(mine[examples.arrange(within[mine])])
        return np.concatenate(found)

    def batch(self, rows: Indices, epochs: Indices | None = None) -> Together:
        """These rows, whatever their tasks; a task's weight is its share of all rows there are."""
        sources, within = self.located(rows)
        parts = []
        for number, (task, examples) in enumerate(self.tasks.items()):
            mine = sources == number
            if mine.any():
                batch = examples.batch(within[mine], None if epochs is None else epochs[mine])
                count = int(mine.sum())
                parts.append(TaskBatch(task, batch, count, count / max(batch.units, 1), len(examples) / len(self)))
        return Together(tuple(parts))

    def located(self, rows: Indices) -> tuple[Indices, Indices]:
        """(number of the task, row within it)."""
        sizes = np.array(self.sizes, dtype=np.int64)
        ends = np.cumsum(sizes)
        sources = np.searchsorted(ends, rows, side="right").astype(np.int64)
        return sources, rows - (ends - sizes)[sources]


@dataclass(frozen=True)
class Mixture(Feed):
    """The updates of a run over several tasks: `examples` are `Tasks`, `order` is a `MixedOrder` over them.

    Every micro-batch is of one task.
    """

    examples: Tasks
    order: MixedOrder

    def update(self, number: int) -> list[Batch]:
        """The micro-batches of an update, counted from 0, task by task; of several processes this one's."""
        first = number * self.batch_rows
        places = self.order.places(np.arange(first, first + self.batch_rows, dtype=np.int64))
        found: list[Batch] = []
        before = 0  # rows of earlier tasks, dealt out in turn
        for source, (task, examples) in enumerate(self.examples.tasks.items()):
            mine = np.flatnonzero(places.sources == source)
            if not len(mine):
                continue
            mine = mine[examples.arrange(places.rows[mine])]
            own = mine[(self.rank - before) % self.size :: self.size]
            before += len(mine)
            found += self.of_task(task, examples, places, mine, own)
        return found

    def of_task(self, task: str, examples: Examples, places: Place, mine: Indices, own: Indices) -> list[Batch]:
        """The micro-batches of one task: `own` of its positions `mine`."""
        cuts = [own[i : i + self.micro_rows] for i in range(0, len(own), self.micro_rows)]
        batches = [examples.batch(places.rows[cut], places.epochs[cut]) for cut in cuts]
        if not batches:
            return []
        units = sum(batch.units for batch in batches)
        if self.size > 1:  # the other processes' units too
            units = examples.batch(places.rows[mine], places.epochs[mine]).units
        scale, share = len(mine) / max(units, 1), len(mine) / self.batch_rows
        return [TaskBatch(task, batch, len(cut), scale, share) for cut, batch in zip(cuts, batches, strict=True)]


@dataclass(frozen=True)
class Blend(Mixture):
    """The updates of a run over several sources of the same kind of rows, whose units are of one kind and are added up.

    Every micro-batch is of one source.
    """

    def of_task(self, task: str, examples: Examples, places: Place, mine: Indices, own: Indices) -> list[Batch]:
        """The micro-batches of one source: `own` of its positions."""
        cuts = [own[i : i + self.micro_rows] for i in range(0, len(own), self.micro_rows)]
        return [examples.batch(places.rows[cut], places.epochs[cut]) for cut in cuts]
