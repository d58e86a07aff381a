"""Masked language modelling: predict hidden tokens from both sides.

Source    Devlin et al. 2019, arXiv:1810.04805, section 3.1, task 1; Liu et al. 2019, arXiv:1907.11692, section 4.2:
          rows filled with text that may run on into the next document (FULL-SENTENCES)
Differs   with `stop_at_documents` a row's documents do not see each other, in place of RoBERTa's DOC-SENTENCES, which
          leaves rows unfilled
Shapes    B rows    T positions    P places to predict    V vocabulary
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from langwright.data.drawing import draws
from langwright.data.packing import RowPlan
from langwright.data.store import TokenStore
from langwright.models.places import Places
from langwright.objectives.masking import Ids, Masking
from langwright.objectives.next_token import IGNORED
from langwright.training.loss import Loss, Stateless


@dataclass(frozen=True)
class Marks:
    """Ids that are put around and beside the text."""

    first: int  # [CLS]
    last: int  # [SEP]
    pad: int


@dataclass(frozen=True)
class MaskedRow:
    """One row as the model sees it, marks included.

    types_N   which of two texts a token belongs to
    places_P  what to predict, and targets_P the ids that stood there
    starts    where documents begin that do not see each other, the first 0; None where all do
    """

    ids_N: Ids
    types_N: Ids
    places_P: Ids
    targets_P: Ids
    starts: Ids | None = None


@dataclass(frozen=True)
class MaskedBatch:
    """Rows ready for the model.

    tokens_BT     int64, padded at the end
    types_BT      int64, which of two texts
    attention     (B, T), 1 for tokens, where there is padding; (B, 1, T, T), True where a token sees another, where
                  documents are apart; None when all see all
    positions_BT  int64, counted from each document's start where documents are apart
    real_BT       True for tokens, False for padding
    places_P      int64, places to predict in the rows laid end to end, filled up with 0 to the same number for each row
    targets_P     int64, the ids that stood there; IGNORED for what only fills up
    """

    tokens_BT: Tensor
    types_BT: Tensor
    attention: Tensor | None
    positions_BT: Tensor
    real_BT: Tensor
    places_P: Tensor
    targets_P: Tensor
    units: int
    padding: int

    @property
    def positions(self) -> int:
        """B·T."""
        return self.tokens_BT.numel()


def collate_masked(rows: Sequence[MaskedRow], length: int, most: int, pad_id: int) -> MaskedBatch:
    """Lay rows into a batch.

    length  T, at least as many as any row has tokens
    most    places kept for each row's predictions
    """
    count = len(rows)
    tokens, types = np.full((count, length), pad_id, dtype=np.int64), np.zeros((count, length), dtype=np.int64)
    positions = np.tile(np.arange(length, dtype=np.int64), (count, 1))
    places, targets = np.zeros((count, most), dtype=np.int64), np.full((count, most), IGNORED, dtype=np.int64)
    document = np.zeros((count, length), dtype=np.int64)  # number of each token's, -1 for padding
    for number, row in enumerate(rows):
        width, chosen = len(row.ids_N), len(row.places_P)
        tokens[number, :width], types[number, :width] = row.ids_N, row.types_N
        places[number, :chosen], targets[number, :chosen] = number * length + row.places_P, row.targets_P
        document[number, width:] = -1
        if row.starts is not None:
            document[number, :width] = np.searchsorted(row.starts, np.arange(width), "right")
            positions[number, :width] -= row.starts[document[number, :width] - 1]
    padding = int((document < 0).sum())
    attention = None
    if any(row.starts is not None for row in rows):
        attention = torch.from_numpy(document[:, None, :, None] == document[:, None, None, :])
    elif padding:
        attention = torch.from_numpy((document >= 0).astype(np.int64))
    return MaskedBatch(
        torch.from_numpy(tokens), torch.from_numpy(types), attention, torch.from_numpy(positions),
        torch.from_numpy(document >= 0), torch.from_numpy(places).flatten(), torch.from_numpy(targets).flatten(), int((targets != IGNORED).sum()), padding,
    )  # fmt: skip


@dataclass(frozen=True)
class MaskedExamples:
    """The rows of a plan over a token store, each masked by draws of its own.

    plan     rows of at most T - 2 tokens, as [CLS] stands before them and [SEP] after
    words    aligned with the store's tokens, where a word begins; None when every token is chosen by itself
    dynamic  rows are masked anew in each epoch
    """

    store: TokenStore
    plan: RowPlan
    marks: Marks
    masking: Masking
    words: NDArray[np.bool_] | None
    stop_at_documents: bool
    dynamic: bool
    seed: int

    def __len__(self) -> int:
        return len(self.plan)

    def arrange(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """As they come: all rows are equally wide."""
        return np.arange(len(rows), dtype=np.int64)

    def batch(self, rows: NDArray[np.int64], epochs: NDArray[np.int64] | None = None) -> MaskedBatch:
        """These rows."""
        seen = np.zeros_like(rows) if epochs is None or not self.dynamic else epochs
        found = [self.row(int(row), int(epoch)) for row, epoch in zip(rows, seen, strict=True)]
        most = self.masking.most(self.plan.length)
        return collate_masked(found, self.plan.length + 2, most, self.marks.pad)

    def row(self, row: int, epoch: int) -> MaskedRow:
        """One row, as it is masked in an epoch."""
        sample = self.plan.row(self.store, row)
        count = len(sample.ids)
        begin = int(self.plan.begins[row])
        words_N = np.ones(count, dtype=np.bool_) if self.words is None else np.array(self.words[begin : begin + count])
        seen_N, chosen_P = self.masking.apply(sample.ids, words_N, draws(self.seed, epoch, row, "masking"))
        ids_N = np.concatenate([[self.marks.first], seen_N, [self.marks.last]])
        starts = np.append(0, sample.starts[1:] + 1) if self.stop_at_documents else None
        return MaskedRow(ids_N, np.zeros_like(ids_N), chosen_P + 1, sample.ids[chosen_P], starts)


def masked_logits(model: nn.Module, places: Places, batch: MaskedBatch) -> Tensor:
    """What the model says of the places to predict, shape (P, V)."""
    device = next(model.parameters()).device
    attention = None if batch.attention is None else batch.attention.to(device)
    with places.only(batch.places_P.to(device)):
        logits_PV: Tensor = model(
            input_ids=batch.tokens_BT.to(device), token_type_ids=batch.types_BT.to(device), attention_mask=attention,
            position_ids=batch.positions_BT.to(device),
        ).logits  # fmt: skip
    return logits_PV


def place_losses(logits_PV: Tensor, targets_P: Tensor) -> Tensor:
    """Summed negative log-probability of the hidden tokens in nats, computed in float32; a scalar."""
    return F.cross_entropy(logits_PV.float(), targets_P, ignore_index=IGNORED, reduction="sum")


class Masked(Stateless):
    """Predict each hidden token. Made for one model, whose head it asks for the places that are hidden only."""

    def __init__(self, model: nn.Module, *, compiled: bool = False) -> None:
        """compiled: compile the loss too, so that the float32 copy of the logits is never written out."""
        self._places = Places(model)
        self._losses = torch.compile(place_losses, dynamic=False) if compiled else place_losses

    def __call__(self, model: nn.Module, batch: MaskedBatch) -> Loss:
        """The summed loss over hidden tokens."""
        return self.loss(self.logits(model, batch), batch)

    def logits(self, model: nn.Module, batch: MaskedBatch) -> Tensor:
        """Shape (P, V)."""
        return masked_logits(model, self._places, batch)

    def loss(self, logits: Tensor, batch: MaskedBatch) -> Loss:
        """Summed over hidden tokens; the number that is guessed exactly is counted in evaluation only."""
        targets_P = batch.targets_P.to(logits.device)
        total = self._losses(logits, targets_P)
        metrics = {"bits_per_masked_token": total.detach() / math.log(2)}
        if not torch.is_grad_enabled():
            metrics["accuracy"] = (logits.argmax(-1) == targets_P).sum()
        return Loss(total, batch.units, metrics)

    def scored(self, logits: Tensor, batch: MaskedBatch) -> Tensor:
        """Shape (units, V)."""
        return logits[batch.targets_P.to(logits.device) != IGNORED].float()
