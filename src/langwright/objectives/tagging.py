"""Tagging: a label for every word, from a head over each token's hidden state; alone, as a row, or in layers.

Source    Devlin et al. 2019, arXiv:1810.04805, section 5.3: a word is judged by its first token; the others of it are
          not learned
          Lafferty, McCallum & Pereira 2001, ICML, equation 1: a whole row of tags (`models.chain`)
Shapes    B texts    T positions    C tags    U tokens with a tag    W words of the longest text    L layers
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from langwright.models.chain import chain_of
from langwright.objectives.classification import UnitLosses
from langwright.objectives.losses import cross_entropy
from langwright.objectives.next_token import IGNORED
from langwright.objectives.texts import Ids, Stateless, TextBatch, by_length, padded, read_by
from langwright.training.loss import Loss


@dataclass(frozen=True)
class TagBatch(TextBatch):
    """Texts with tags: tags_BT int64, IGNORED where no word begins; (B, T, L) where there are several layers of tags."""

    tags_BT: Tensor

    @property
    def units(self) -> int:
        """Tokens with a tag."""
        return int((self.tags_BT != IGNORED).sum())


@dataclass(frozen=True)
class TagExamples:
    """Encoded texts with a tag for each token, batched by length.

    tags   (T,) of each text, or (T, L)
    types  (T,) of each text, for models that are told
    """

    texts: Sequence[Ids]
    tags: Sequence[Ids]
    pad_id: int
    types: Sequence[Ids] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def arrange(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Texts of like length next to each other."""
        return by_length(self.texts, rows)

    def batch(self, rows: NDArray[np.int64], epochs: NDArray[np.int64] | None = None) -> TagBatch:
        """These texts; the same in every epoch."""
        tokens_BT, mask_BT = padded([self.texts[row] for row in rows], self.pad_id)
        layers = self.tags[int(rows[0])].shape[1:]
        tags = np.full((*tokens_BT.shape, *layers), IGNORED, dtype=np.int64)
        for number, row in enumerate(rows):
            tags[number, : len(self.tags[row])] = self.tags[row]
        types_BT = None if self.types is None else padded([self.types[row] for row in rows], 0)[0]
        return TagBatch(tokens_BT, mask_BT, torch.from_numpy(tags), types_BT=types_BT)


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


class LayeredTagging(Tagging):
    """For each word a tag in every layer, each layer one label's outside, begin and inside: spans of two labels may overlap.

    A unit is a word in a layer, so that the loss means the same whatever the number of labels.
    """

    def logits(self, model: nn.Module, batch: TagBatch) -> Tensor:
        """Shape (B, T, L, 3)."""
        logits_BTC = super().logits(model, batch)
        return logits_BTC.view(*logits_BTC.shape[:-1], -1, 3)


class ChainTagging(Stateless):
    """The whole row of a text's tags by the model's conditional random field: minus its log-probability.

    Differs   a window of a longer text is a row of its own in training; in use a text is one row.
    """

    separable = True

    def __call__(self, model: nn.Module, batch: TagBatch) -> Loss:
        """Nats summed over texts, with the number of words whose own score is highest for the right tag."""
        logits_BTC: Tensor = read_by(model, batch).logits
        tags_BT = batch.tags_BT.to(logits_BTC.device)
        order_BW, mask_BW = words_first(tags_BT != IGNORED)
        scores_BWC = logits_BTC.gather(1, order_BW[..., None].expand(-1, -1, logits_BTC.shape[-1]))
        tags_BW = tags_BT.gather(1, order_BW)
        lost_B = chain_of(model)(scores_BWC, mask_BW, tags_BW)
        right = ((scores_BWC.detach().argmax(-1) == tags_BW) & mask_BW).sum()
        return Loss(lost_B.sum(), batch.units, {"accuracy": right})


def words_first(judged_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Places of judged tokens in their order, others behind them, cut to the longest: (int64 (B, W), where they are (B, W))."""
    widest = int(judged_BT.sum(1).max())
    order_BW = (~judged_BT).long().argsort(dim=1, stable=True)[:, :widest]
    return order_BW, judged_BT.gather(1, order_BW)
