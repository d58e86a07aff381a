"""Vectors of texts: a text's vector is to be nearer to its partner's than to those of the other texts of the batch.

Source    Gao, Yao & Chen 2021, arXiv:2104.08821 (SimCSE), equation 1: the loss with in-batch negatives, cosine
          similarity and a temperature of 0.05; section 3: without labels, a text's partner is the same text under other
          dropout; section 4, equation 5 without the hard negatives: with labels, it is a text that means the same
          In training the vector is that of [CLS] behind a linear layer and tanh (section 6.3), BERT's own pooler
Shapes    B texts    T positions    D width
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from langwright.data.packing import RowPlan
from langwright.data.store import TokenStore
from langwright.objectives.masked import Marks
from langwright.training.loss import Loss, Stateless

Texts = Sequence[NDArray[np.int64]]


@dataclass(frozen=True)
class ContrastiveBatch:
    """Texts, padded at the end, marks included.

    tokens_BT  int64
    mask_BT    int64, 1 for tokens and 0 for padding
    second     the partners' tokens and mask; None where each text is its own
    """

    tokens_BT: Tensor
    mask_BT: Tensor
    second: tuple[Tensor, Tensor] | None = None

    @property
    def units(self) -> int:
        """Texts that a partner is looked for."""
        return len(self.tokens_BT)

    @property
    def positions(self) -> int:
        """Positions computed; a text that is its own partner is read twice."""
        return self.tokens_BT.numel() + (self.tokens_BT if self.second is None else self.second[0]).numel()

    @property
    def padding(self) -> int:
        """Positions that hold no token."""
        other = self.mask_BT if self.second is None else self.second[1]
        return self.positions - int(self.mask_BT.sum()) - int(other.sum())


def padded(texts: Texts, pad_id: int) -> tuple[Tensor, Tensor]:
    """Token ids padded at the end to the longest, and 1 where there is a token."""
    width = max(len(ids) for ids in texts)
    tokens = np.full((len(texts), width), pad_id, dtype=np.int64)
    mask = np.zeros((len(texts), width), dtype=np.int64)
    for number, ids in enumerate(texts):
        tokens[number, : len(ids)], mask[number, : len(ids)] = ids, 1
    return torch.from_numpy(tokens), torch.from_numpy(mask)


@dataclass(frozen=True)
class SentenceExamples:
    """The rows of a plan, each a text that is its own partner.

    plan  rows of at most T - 2 tokens
    """

    store: TokenStore
    plan: RowPlan
    marks: Marks

    def __len__(self) -> int:
        return len(self.plan)

    def arrange(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """As they come: a batch is never cut."""
        return np.arange(len(rows), dtype=np.int64)

    def batch(self, rows: NDArray[np.int64], epochs: NDArray[np.int64] | None = None) -> ContrastiveBatch:
        """These rows; the same in every epoch."""
        texts = [self.plan.row(self.store, int(row)).ids for row in rows]
        framed = [np.concatenate([[self.marks.first], ids, [self.marks.last]]) for ids in texts]
        return ContrastiveBatch(*padded(framed, self.marks.pad))


@dataclass(frozen=True)
class PartnerExamples:
    """Pairs of texts that belong together, as token ids."""

    pairs: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]
    pad_id: int

    def __len__(self) -> int:
        return len(self.pairs)

    def arrange(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """As they come: a batch is never cut."""
        return np.arange(len(rows), dtype=np.int64)

    def batch(self, rows: NDArray[np.int64], epochs: NDArray[np.int64] | None = None) -> ContrastiveBatch:
        """These pairs; the same in every epoch."""
        first, second = zip(*(self.pairs[int(row)] for row in rows), strict=True)
        return ContrastiveBatch(*padded(first, self.pad_id), padded(second, self.pad_id))


def similarities(first_BD: Tensor, second_BD: Tensor, temperature: float) -> Tensor:
    """Cosine similarity of each text to each partner, over the temperature; shape (B, B), float32."""
    return F.normalize(first_BD.float(), dim=-1) @ F.normalize(second_BD.float(), dim=-1).T / temperature


class Contrastive(Stateless):
    """Find each text's partner among those of the batch."""

    separable = False

    def __init__(self, *, temperature: float = 0.05) -> None:
        self.temperature = temperature

    def __call__(self, model: nn.Module, batch: ContrastiveBatch) -> Loss:
        """The summed loss over texts, with the number whose partner is the nearest."""
        first_BD = vectors(model, batch.tokens_BT, batch.mask_BT)
        second_BD = vectors(model, *(batch.second or (batch.tokens_BT, batch.mask_BT)))
        near_BB = similarities(first_BD, second_BD, self.temperature)
        own_B = torch.arange(len(near_BB), device=near_BB.device)
        right = (near_BB.detach().argmax(-1) == own_B).sum()
        return Loss(F.cross_entropy(near_BB, own_B, reduction="sum"), batch.units, {"accuracy": right})


def vectors(model: nn.Module, tokens_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """The texts' vectors behind the pooler, shape (B, D)."""
    device = next(model.parameters()).device
    found_BD: Tensor = model(input_ids=tokens_BT.to(device), attention_mask=mask_BT.to(device)).pooler_output
    return found_BD
