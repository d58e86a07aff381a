"""Two pieces of text and how they belong together: next-sentence and sentence-order prediction, alone or with masked
tokens.

Source    next: Devlin et al. 2019, arXiv:1810.04805, section 3.1, task 2 and appendix A.2: half the time the second
          piece is the one that follows, half the time one of another document
          order: Lan et al. 2020, arXiv:1909.11942 (ALBERT), section 3.1: two pieces that follow each other, half the
          time swapped
          The loss is the sum of the two means, as in BERT's appendix A.2
Differs   The mean over masked tokens is taken in each row and then over rows, so that a batch may be cut anywhere; the
          two are the same where rows hide equally many. Every row is as long as whole sentences of its document allow;
          BERT makes one row in ten shorter on purpose, and takes from the front or the back where a pair is too long
Shapes    B rows    T positions    P places to predict    V vocabulary
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from langwright.data.drawing import draws
from langwright.data.packing import Indices, RowPlan
from langwright.data.sentences import documents_of
from langwright.data.store import TokenStore
from langwright.models.places import Places
from langwright.objectives.masked import Marks, MaskedBatch, MaskedRow, collate_masked
from langwright.objectives.masking import Flags, Masking
from langwright.objectives.next_token import IGNORED
from langwright.training.loss import Loss, Stateless

Relation = Literal["next", "order"]
WIDTHS = 32  # a batch is padded to a multiple of this


@dataclass(frozen=True)
class PairBatch:
    """Pairs of pieces, masked or not.

    text      the rows, with the places to predict
    weights_P each place's share of its row's mean; 0 for what only fills up
    labels_B  int64: 0 where the second follows the first, 1 where it does not
    """

    text: MaskedBatch
    weights_P: Tensor
    labels_B: Tensor

    @property
    def tokens_BT(self) -> Tensor:
        """The rows' ids."""
        return self.text.tokens_BT

    @property
    def units(self) -> int:
        """Pairs."""
        return len(self.labels_B)

    @property
    def positions(self) -> int:
        """B·T."""
        return self.text.positions

    @property
    def padding(self) -> int:
        """Positions that hold no token."""
        return self.text.padding


def row_weights(targets_P: Tensor, rows: int) -> Tensor:
    """1 / (places of its row) for each place to predict, 0 for what only fills up; shape (P,)."""
    real_BK = (targets_P != IGNORED).reshape(rows, -1).float()
    return (real_BK / real_BK.sum(1, keepdim=True).clamp(min=1)).flatten()


@dataclass(frozen=True)
class PairExamples:
    """Rows of sentences, each parted into two pieces as it is read.

    plan     rows of at most T - 3 tokens of one document
    ends_V   which ids end a sentence
    masking  None when nothing is hidden
    words    aligned with the store's tokens, where a word begins; None when every token is chosen by itself
    dynamic  rows are parted and masked anew in each epoch
    """

    store: TokenStore
    plan: RowPlan
    ends_V: Flags
    relation: Relation
    marks: Marks
    masking: Masking | None
    words: NDArray[np.bool_] | None
    dynamic: bool
    seed: int

    def __len__(self) -> int:
        return len(self.plan)

    @cached_property
    def documents(self) -> Indices:
        """The document of each row."""
        return documents_of(self.store, self.plan)

    def arrange(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of like length next to each other, so that little is padded."""
        return np.argsort(np.asarray(self.plan.lengths)[rows], kind="stable").astype(np.int64)

    def batch(self, rows: NDArray[np.int64], epochs: NDArray[np.int64] | None = None) -> PairBatch:
        """These rows as pairs."""
        seen = np.zeros_like(rows) if epochs is None or not self.dynamic else epochs
        found = [self.pair(int(row), int(epoch)) for row, epoch in zip(rows, seen, strict=True)]
        longest = max(len(row.ids_N) for row, _ in found)
        width = min(-(-longest // WIDTHS) * WIDTHS, self.plan.length + 3)
        most = 1 if self.masking is None else self.masking.most(self.plan.length)
        text = collate_masked([row for row, _ in found], width, most, self.marks.pad)
        labels_B = torch.tensor([label for _, label in found], dtype=torch.int64)
        return PairBatch(text, row_weights(text.targets_P, len(found)), labels_B)

    def pair(self, row: int, epoch: int) -> tuple[MaskedRow, int]:
        """A row as two pieces in an epoch, and 1 where the second does not follow the first."""
        numbers = draws(self.seed, epoch, row, "pair")
        first, second = self.pieces(row, numbers)
        apart = bool(numbers.integers(2))
        if apart and self.relation == "order":
            first, second = second, first
        elif apart:
            second = self.elsewhere(row, first, numbers)
        return self.marked(first, second, draws(self.seed, epoch, row, "masking")), int(apart)

    def pieces(self, row: int, numbers: np.random.Generator) -> tuple[slice, slice]:
        """Where the two pieces of a row lie in the store: parted after a sentence, or anywhere where it has but one."""
        begin = int(self.plan.begins[row])
        end = begin + int(self.plan.lengths[row])
        cuts = np.flatnonzero(self.ends_V[np.asarray(self.store.tokens[begin : end - 1])]) + 1
        cut = begin + int(numbers.choice(cuts) if len(cuts) else numbers.integers(1, end - begin))
        return slice(begin, cut), slice(cut, end)

    def elsewhere(self, row: int, first: slice, numbers: np.random.Generator) -> slice:
        """The beginning of a row of another document, every such row being equally likely, as long as there is room."""
        begin, end = np.searchsorted(self.documents, [self.documents[row], self.documents[row] + 1])
        other = int(numbers.integers(len(self.plan) - (end - begin)))
        other += int(end - begin) * (other >= begin)
        start = int(self.plan.begins[other])
        room = self.plan.length - (first.stop - first.start)
        return slice(start, start + min(room, int(self.plan.lengths[other])))

    def marked(self, first: slice, second: slice, numbers: np.random.Generator) -> MaskedRow:
        """[CLS] first [SEP] second [SEP], masked."""
        ids = [self.store.tokens[piece].astype(np.int64) for piece in (first, second)]
        begins = [self.begins(piece) for piece in (first, second)]
        ids_N = np.concatenate([[self.marks.first], ids[0], [self.marks.last], ids[1], [self.marks.last]])
        types_N = np.repeat(np.array([0, 1]), [len(ids[0]) + 2, len(ids[1]) + 1])
        if self.masking is None:
            return MaskedRow(ids_N, types_N, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
        begins_N = np.concatenate([[True], begins[0], [True], begins[1], [True]])
        seen_N, places_P = self.masking.apply(ids_N, begins_N, numbers)
        return MaskedRow(seen_N, types_N, places_P, ids_N[places_P])

    def begins(self, piece: slice) -> Flags:
        """Where words begin in a piece of the store; the first token always does."""
        if self.words is None:
            return np.ones(piece.stop - piece.start, dtype=np.bool_)
        found = np.array(self.words[piece])
        found[:1] = True
        return found


def pair_inputs(model: nn.Module, text: MaskedBatch) -> dict[str, Tensor | None]:
    """What the model is given of a batch."""
    device = next(model.parameters()).device
    return {
        "input_ids": text.tokens_BT.to(device),
        "token_type_ids": text.types_BT.to(device),
        "attention_mask": None if text.attention is None else text.attention.to(device),
    }


def pair_loss(logits_B2: Tensor, batch: PairBatch) -> Loss:
    """Cross-entropy of how the pieces belong together, summed over pairs, with the number that are right."""
    labels_B = batch.labels_B.to(logits_B2.device)
    right = (logits_B2.detach().argmax(-1) == labels_B).sum()
    return Loss(F.cross_entropy(logits_B2.float(), labels_B, reduction="sum"), batch.units, {"pair_accuracy": right})


class SentencePairs(Stateless):
    """Say whether the second piece follows the first; for a model with that head alone."""

    def __call__(self, model: nn.Module, batch: PairBatch) -> Loss:
        """The summed loss over pairs."""
        return self.loss(self.logits(model, batch), batch)

    def logits(self, model: nn.Module, batch: PairBatch) -> Tensor:
        """Shape (B, 2), float32."""
        logits_B2: Tensor = model(**pair_inputs(model, batch.text)).logits
        return logits_B2.float()

    def loss(self, logits: Tensor, batch: PairBatch) -> Loss:
        """Summed over pairs."""
        return pair_loss(logits, batch)

    def scored(self, logits: Tensor, batch: PairBatch) -> Tensor:
        """Shape (B, 2): every pair is a unit."""
        return logits


class MaskedPairs(Stateless):
    """Say whether the second piece follows the first, and predict hidden tokens; for a model with both heads. Made for one model, as `Masked` is."""

    def __init__(self, model: nn.Module) -> None:
        self._places = Places(model)

    def __call__(self, model: nn.Module, batch: PairBatch) -> Loss:
        """Over pairs: each one's loss and the mean over its hidden tokens."""
        device = next(model.parameters()).device
        with self._places.only(batch.text.places_P.to(device)):
            said = model(**pair_inputs(model, batch.text))
        pairs = pair_loss(said.seq_relationship_logits, batch)
        targets_P = batch.text.targets_P.to(device)
        losses_P = F.cross_entropy(said.prediction_logits.float(), targets_P, ignore_index=IGNORED, reduction="none")
        masked = (losses_P * batch.weights_P.to(device)).sum()
        metrics = {**pairs.metrics, "pair_loss": pairs.total.detach(), "masked_loss": masked.detach()}
        return Loss(pairs.total + masked, batch.units, metrics)
