"""Mixup for text: two texts laid over each other in the embeddings, and their labels in the same shares.

Source    Zhang et al. 2018, arXiv:1710.09412, equations 1 and 2; for text Guo, Mao & Zhang 2019, arXiv:1905.08941,
          section 3.1 (wordMixup: embeddings of both texts, the shorter one followed by zeros, λ from Beta(α, α))
Differs   which text a row is mixed with, and λ, are functions of (seed, epoch, row) over the whole training split, not
          of the batch, so a batch may be cut anywhere and a resume draws the same
Shapes    B texts    T positions    C labels    D width
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from langwright.data.drawing import draws
from langwright.objectives.classification import (
    Classification,
    ClassificationBatch,
    SeveralBatch,
    SeveralExamples,
    SeveralLabels,
    TextExamples,
)
from langwright.objectives.texts import TextBatch
from langwright.objectives.wrapping import Wrapper
from langwright.training.loss import Loss

Labelled = ClassificationBatch | SeveralBatch


@dataclass(frozen=True)
class MixedBatch(TextBatch):
    """Texts, each with another one laid over it.

    tokens_BT, mask_BT  of both: where the first has ended, the second's
    first, second       the texts by themselves, of width T
    shares_B            float32: how much of a row is the first
    """

    first: Labelled
    second: Labelled
    shares_B: Tensor


@dataclass(frozen=True)
class MixedExamples:
    """Texts that are mixed anew in every epoch."""

    texts: TextExamples | SeveralExamples
    alpha: float
    seed: int

    def __len__(self) -> int:
        return len(self.texts)

    def arrange(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Texts of like length next to each other."""
        return self.texts.arrange(rows)

    def drawn(self, row: int, epoch: int) -> tuple[int, float]:
        """Which row is laid over this one, and the share of this one."""
        numbers = draws(self.seed, epoch, row, "mixup")
        return int(numbers.integers(len(self.texts))), float(numbers.beta(self.alpha, self.alpha))

    def batch(self, rows: NDArray[np.int64], epochs: NDArray[np.int64] | None = None) -> MixedBatch:
        """These texts, mixed as in these epochs."""
        seen = np.zeros(len(rows), dtype=np.int64) if epochs is None else epochs
        drawn = [self.drawn(int(row), int(epoch)) for row, epoch in zip(rows, seen, strict=True)]
        both = self.texts.batch(np.concatenate([rows, np.array([other for other, _ in drawn], dtype=np.int64)]))
        first, second = part(both, slice(None, len(rows))), part(both, slice(len(rows), None))
        over = first.mask_BT.bool()
        types_BT = None
        if first.types_BT is not None and second.types_BT is not None:
            types_BT = torch.where(over, first.types_BT, second.types_BT)
        return MixedBatch(
            torch.where(over, first.tokens_BT, second.tokens_BT),
            first.mask_BT | second.mask_BT,
            first,
            second,
            torch.tensor([share for _, share in drawn], dtype=torch.float32),
            types_BT=types_BT,
        )


def part(batch: Labelled, rows: slice) -> Labelled:
    """Some rows of a batch, at the whole one's width."""
    types_BT = None if batch.types_BT is None else batch.types_BT[rows]
    labels = batch.labels_B if isinstance(batch, ClassificationBatch) else batch.labels_BC
    return type(batch)(batch.tokens_BT[rows], batch.mask_BT[rows], labels[rows], types_BT=types_BT)


@contextmanager
def embeddings_mixed(model: nn.Module, batch: MixedBatch) -> Iterator[None]:
    """Within the block the word embeddings come out as λ · of the first text + (1 - λ) · of the second.

    What else changes them, such as adversarial training, changes the mixed ones.
    """
    layer: nn.Embedding = model.get_input_embeddings()  # type: ignore[operator]

    def mixed(_: nn.Module, __: Any, out_BTD: Tensor) -> Tensor:
        first_BTD, second_BTD = (
            nn.functional.embedding(one.tokens_BT.to(out_BTD.device), layer.weight, layer.padding_idx).to(out_BTD.dtype)
            * one.mask_BT.to(out_BTD)[..., None]
            for one in (batch.first, batch.second)
        )
        share_B11 = batch.shares_B.to(out_BTD)[:, None, None]
        return share_B11 * first_BTD + (1 - share_B11) * second_BTD

    hook = layer.register_forward_hook(mixed, prepend=True)
    try:
        yield
    finally:
        hook.remove()


class Mixup(Wrapper[Classification | SeveralLabels]):
    """Classification of mixed texts: each label costs in the share its text has. Texts that are not mixed cost as before."""

    def __call__(self, model: nn.Module, batch: MixedBatch | Labelled) -> Loss:
        """Summed over rows."""
        return self.loss(self.logits(model, batch), batch)

    def logits(self, model: nn.Module, batch: MixedBatch | Labelled) -> Tensor:
        """Shape (B, C), float32."""
        if not isinstance(batch, MixedBatch):
            return self.inner.logits(model, batch)
        with embeddings_mixed(model, batch):
            return self.inner.logits(model, batch)

    def loss(self, logits: Tensor, batch: MixedBatch | Labelled) -> Loss:
        """λ · the loss with the first text's label + (1 - λ) · the loss with the second's."""
        if not isinstance(batch, MixedBatch):
            return self.inner.loss(logits, batch)  # type: ignore[arg-type]  # of the kind the inner one is for
        losses_2B = torch.stack([self.inner.losses(logits, right(one, logits)) for one in (batch.first, batch.second)])
        shares_B = batch.shares_B.to(losses_2B)
        total = (shares_B * losses_2B[0] + (1 - shares_B) * losses_2B[1]).sum()
        return Loss(total, batch.units, {})

    def scored(self, logits: Tensor, batch: MixedBatch | Labelled) -> Tensor:
        """As the inner objective's."""
        plain = batch.first if isinstance(batch, MixedBatch) else batch
        return self.inner.scored(logits, plain)  # type: ignore[arg-type]


def right(batch: Labelled, logits: Tensor) -> Tensor:
    """What is right of each text, beside the logits."""
    labels = batch.labels_B if isinstance(batch, ClassificationBatch) else batch.labels_BC
    return labels.to(logits.device)
