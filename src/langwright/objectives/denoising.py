"""Rows of running text as pairs of what is left of them and what is to be written, drawn anew in each epoch.

Which noise is a function of a row's tokens and of the draws that belong to the row: see `spans` and `noises`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from langwright.data.drawing import draws
from langwright.data.packing import RowPlan
from langwright.data.store import TokenStore
from langwright.objectives.seq2seq import Pair, Seq2SeqBatch, collate_pairs
from langwright.objectives.spans import Spans, corrupt, span_mask

Ids = NDArray[np.int64]
Noise = Callable[[Ids, np.random.Generator], Ids]
Pairing = Callable[[Ids, np.random.Generator], Pair]


@dataclass(frozen=True)
class Corruption:
    """Span corruption: the input with sentinels, and what they stand for."""

    spans: Spans
    sentinels: Ids
    end: int

    def __call__(self, ids: Ids, numbers: np.random.Generator) -> Pair:
        """Input and target, each ended."""
        inputs, target = corrupt(ids, span_mask(len(ids), self.spans, numbers), self.sentinels)
        return np.append(inputs, self.end), np.append(target, self.end)


@dataclass(frozen=True)
class Rebuilding:
    """Noises one after the other; the target is the row as it was."""

    noises: tuple[Noise, ...]
    end: int

    def __call__(self, ids: Ids, numbers: np.random.Generator) -> Pair:
        """Input and target, each ended."""
        noised = ids
        for noise in self.noises:
            noised = noise(noised, numbers)
        return np.append(noised, self.end), np.append(ids, self.end)


@dataclass(frozen=True)
class Continuation:
    """The row cut in two at a random place: the encoder reads the beginning, the decoder writes the rest.

    Source    Raffel et al. 2020, arXiv:1910.10683, section 3.2.3
    """

    end: int

    def __call__(self, ids: Ids, numbers: np.random.Generator) -> Pair:
        """Input and target, each ended."""
        split = int(numbers.integers(1, len(ids))) if len(ids) > 1 else len(ids)
        return np.append(ids[:split], self.end), np.append(ids[split:], self.end)


@dataclass(frozen=True)
class DenoisingExamples:
    """The rows of a plan over a token store, T tokens each, as pairs.

    widths  of inputs and targets, where all batches are to have one shape
    """

    store: TokenStore
    plan: RowPlan
    pairing: Pairing
    pad_id: int
    seed: int
    widths: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.plan)

    def arrange(self, rows: Ids) -> Ids:
        """As they come: all rows are about equally long."""
        return np.arange(len(rows), dtype=np.int64)

    def pair(self, row: int, epoch: int) -> Pair:
        """One row as its epoch draws it. A plan's rows overlap by one token, which is left out here."""
        ids = self.plan.row(self.store, row).ids[: self.plan.length]
        return self.pairing(ids, draws(self.seed, epoch, row, "noise"))

    def batch(self, rows: Ids, epochs: Ids | None = None) -> Seq2SeqBatch:
        """These rows; another draw in each epoch."""
        epochs = np.zeros(len(rows), dtype=np.int64) if epochs is None else epochs
        pairs = [self.pair(int(row), int(epoch)) for row, epoch in zip(rows, epochs, strict=True)]
        return collate_pairs(pairs, self.pad_id, self.widths)
