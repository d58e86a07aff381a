"""Several sources of rows in one stream, in fixed shares, as a function of the position alone.

Source    temperature: Devlin et al. 2018 (multilingual BERT); Arivazhagan et al. 2019, arXiv:1907.05019, section 4.2;
          Raffel et al. 2020, arXiv:1910.10683, section 3.5.2
Differs   shares are kept exactly within every block of 1024 positions, in an order drawn anew for each, instead of
          drawing each position by itself: the same expectation with less noise, and how many rows of a source came
          before a position is known without counting, so a resume is O(1) and a source is read in whole epochs
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from langwright.data.order import Order, permute, round_keys

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
