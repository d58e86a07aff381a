"""Tagging: a label for every word, from a head over each token's hidden state.

Source    Devlin et al. 2019, arXiv:1810.04805, section 5.3: a word is judged by its first token; the others of it are
          not learned
Shapes    B texts    T positions    C tags    U tokens with a tag
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from langwright.objectives.classification import UnitLosses
from langwright.objectives.losses import cross_entropy
from langwright.objectives.next_token import IGNORED
from langwright.objectives.texts import Ids, Stateless, TextBatch, by_length, padded, read_by
from langwright.training.loss import Loss


@dataclass(frozen=True)
class TagBatch(TextBatch):
    """Texts with tags: tags_BT int64, IGNORED where no word begins."""

    tags_BT: Tensor

    @property
    def units(self) -> int:
        """Tokens with a tag."""
        return int((self.tags_BT != IGNORED).sum())


@dataclass(frozen=True)
class TagExamples:
    """Encoded texts with a tag for each token, batched by length."""

    texts: Sequence[Ids]
    tags: Sequence[Ids]
    pad_id: int

    def __len__(self) -> int:
        return len(self.texts)

    def arrange(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Texts of like length next to each other."""
        return by_length(self.texts, rows)

    def batch(self, rows: NDArray[np.int64], epochs: NDArray[np.int64] | None = None) -> TagBatch:
        """These texts; the same in every epoch."""
        tags_BT, _ = padded([self.tags[row] for row in rows], IGNORED)
        return TagBatch(*padded([self.texts[row] for row in rows], self.pad_id), tags_BT)


class Tagging(Stateless):
    """The tag of every word, by cross-entropy where nothing else is asked for."""

    separable = True

    def __init__(self, losses: UnitLosses = cross_entropy) -> None:
        self.losses = losses

    def __call__(self, model: nn.Module, batch: TagBatch) -> Loss:
        """The summed loss over words, with the number that are right."""
        return self.loss(self.logits(model, batch), batch)

    def logits(self, model: nn.Module, batch: TagBatch) -> Tensor:
        """Shape (B, T, C)."""
        logits_BTC: Tensor = read_by(model, batch).logits
        return logits_BTC

    def loss(self, logits: Tensor, batch: TagBatch) -> Loss:
        """Summed over words."""
        tags_U = batch.tags_BT[batch.tags_BT != IGNORED].to(logits.device)
        logits_UC = self.scored(logits, batch)
        right = (logits_UC.detach().argmax(-1) == tags_U).sum()
        return Loss(self.losses(logits_UC, tags_U).sum(), batch.units, {"accuracy": right})

    def scored(self, logits: Tensor, batch: TagBatch) -> Tensor:
        """Shape (U, C), float32."""
        return logits[(batch.tags_BT != IGNORED).to(logits.device)].float()
