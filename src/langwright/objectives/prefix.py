"""Prefix language modelling: the beginning of a text is read in both directions, the rest is written from it.

Source    Raffel et al. 2020, arXiv:1910.10683, section 3.2.1 and figure 3, right: a causal mask that is fully
          visible over the prefix, and a loss on what follows it alone; section 3.2.3: where the prefix ends is
          drawn. The same mask is the sequence-to-sequence one of Dong et al. 2019 (UniLM),
          arXiv:1905.03197, section 2.3.
Differs   Where attention stops at documents each document has a prefix of its own.
Cost      The mask is built for each batch, B·T·T bytes, and torch's attention with a mask computes all T² pairs.
Shapes    B rows    T positions
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from langwright.data.drawing import draws
from langwright.data.packing import RowPlan, Sample
from langwright.data.store import TokenStore
from langwright.objectives.next_token import NextToken, NextTokenBatch, collate_rows

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class PrefixBatch(NextTokenBatch):
    """Rows ready for the model; targets stand behind prefixes only.

    prefix_BT    bool, True in a prefix
    segments_BT  int64, which sequence of its row a position belongs to; none sees another
    """

    prefix_BT: Tensor
    segments_BT: Tensor


def draw_splits(starts: Ids, length: int, numbers: np.random.Generator) -> Ids:
    """Where the prefix of each sequence ends: it and the rest have at least one token where there are two.

    starts   where sequences begin in a row, the first always 0
    length   tokens of the row
    """
    ends = np.append(starts[1:], length)
    return starts + np.where(ends - starts > 1, numbers.integers(1, np.maximum(ends - starts, 2)), 0)


def collate_prefixed(
    rows: Sequence[Sample], splits: Sequence[Ids], length: int, pad_id: int, *, stop_at_documents: bool
) -> PrefixBatch:
    """Rows of at most T + 1 ids as a batch of width T = `length`.

    splits  for each sequence of each row, where its prefix ends: its begin for none
    """
    prefix = np.zeros((len(rows), length + 1), dtype=np.bool_)
    segments = np.zeros((len(rows), length + 1), dtype=np.int64)
    learned = []
    for number, (row, ends) in enumerate(zip(rows, splits, strict=True)):
        starts = row.starts if stop_at_documents else row.starts[:1]
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            prefix[number, start:end] = True
            segments[number, start:] += 1
        segments[number, len(row.ids) - 1 :] += 1  # padding
        learned.append(replace(row, supervised=row.supervised & ~prefix[number, : len(row.ids)]))
    plain = collate_rows(learned, length, pad_id, stop_at_documents=stop_at_documents)
    found = {**vars(plain), "boundaries": None}
    return PrefixBatch(
        **found, prefix_BT=torch.from_numpy(prefix[:, :-1]), segments_BT=torch.from_numpy(segments[:, :-1])
    )


def prefix_mask(prefix_BT: Tensor, segments_BT: Tensor) -> Tensor:
    """Which position (third) may look at which (fourth), shape (B, 1, T, T), bool."""
    T = prefix_BT.shape[1]
    back_TT = torch.ones(T, T, dtype=torch.bool, device=prefix_BT.device).tril()
    same_BTT = segments_BT[:, :, None] == segments_BT[:, None, :]
    return (same_BTT & (back_TT | prefix_BT[:, None, :]))[:, None]


@dataclass(frozen=True)
class PrefixExamples:
    """The rows of a plan over a token store, each time with prefixes of another length."""

    store: TokenStore
    plan: RowPlan
    pad_id: int
    stop_at_documents: bool
    seed: int

    def __len__(self) -> int:
        return len(self.plan)

    def arrange(self, rows: Ids) -> Ids:
        """As they come: all rows are equally wide."""
        return np.arange(len(rows), dtype=np.int64)

    def batch(self, rows: Ids, epochs: Ids | None = None) -> PrefixBatch:
        """These rows, split as their epoch draws it."""
        epochs = np.zeros(len(rows), dtype=np.int64) if epochs is None else epochs
        samples = [self.plan.row(self.store, int(row)) for row in rows]
        splits = [
            draw_splits(
                sample.starts if self.stop_at_documents else sample.starts[:1],
                len(sample.ids),
                draws(self.seed, int(epoch), int(row), "prefix"),
            )
            for sample, row, epoch in zip(samples, rows, epochs, strict=True)
        ]
        return collate_prefixed(
            samples, splits, self.plan.length, self.pad_id, stop_at_documents=self.stop_at_documents
        )


class PrefixLM(NextToken):
    """Write each token behind a prefix from those before it, the prefix read in both directions."""

    def seen(self, batch: NextTokenBatch, device: torch.device) -> dict[str, Tensor]:
        """A mask over pairs of positions; see `prefix_mask`."""
        assert isinstance(batch, PrefixBatch)
        return {"attention_mask": prefix_mask(batch.prefix_BT.to(device), batch.segments_BT.to(device))}
