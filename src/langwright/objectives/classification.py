"""Classification: the label of a text, or every label that holds of it, from a head on the model.

Source    cross-entropy of softmax regression, Bishop 2006, section 4.3.4; several labels as a logistic regression
          each, Bishop 2006, section 4.3.2
Shapes    B texts    T positions    C labels
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from langwright.data.lexicon import Terms
from langwright.objectives.losses import binary_cross_entropy, cross_entropy
from langwright.objectives.texts import Ids, Stateless, TextBatch, by_length, laid, padded, read_by
from langwright.training.loss import Loss

UnitLosses = Callable[[Tensor, Tensor], Tensor]
"""(logits (U, C), what is right) -> a loss a unit, shape (U,)."""


@dataclass(frozen=True)
class ClassificationBatch(TextBatch):
    """Texts with their labels: labels_B int64."""

    labels_B: Tensor


@dataclass(frozen=True)
class SeveralBatch(TextBatch):
    """Texts with every label that holds: labels_BC float32, 1 where it does, a share of it where texts are mixed."""

    labels_BC: Tensor


def collate_texts(texts: Sequence[Ids], labels: Sequence[int], pad_id: int) -> ClassificationBatch:
    """Pad token ids at the end to the longest text."""
    return ClassificationBatch(*padded(texts, pad_id), torch.tensor(list(labels), dtype=torch.int64))


@dataclass(frozen=True)
class TextExamples:
    """Encoded texts with labels, batched by length.

    labels  int64 (N,)
    types   0 for the first and 1 for the second of two texts, by token
    terms   the known runs of words of each text, for a head that is told of them
    """

    texts: Sequence[Ids]
    labels: NDArray[np.int64]
    pad_id: int
    types: Sequence[Ids] | None = None
    terms: Sequence[Terms] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def taken(self, rows: NDArray[np.int64]) -> TextExamples:
        """Some of them, in this order."""
        types = None if self.types is None else [self.types[row] for row in rows]
        terms = None if self.terms is None else [self.terms[row] for row in rows]
        texts = [self.texts[row] for row in rows]
        return replace(self, texts=texts, labels=self.labels[rows], types=types, terms=terms)

    def arrange(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Texts of like length next to each other."""
        return by_length(self.texts, rows)

    def batch(self, rows: NDArray[np.int64], epochs: NDArray[np.int64] | None = None) -> ClassificationBatch:
        """These texts; the same in every epoch."""
        tokens_BT, mask_BT = padded([self.texts[row] for row in rows], self.pad_id)
        types_BT = None if self.types is None else padded([self.types[row] for row in rows], 0)[0]
        terms = None if self.terms is None else laid([self.terms[row] for row in rows])
        return ClassificationBatch(
            tokens_BT, mask_BT, torch.from_numpy(self.labels[rows]), types_BT=types_BT, terms=terms
        )


@dataclass(frozen=True)
class SeveralExamples:
    """Encoded texts with several labels each, or none, batched by length.

    labels  float32 (N, C): 1 for each that holds
    terms   as in `TextExamples`
    """

    texts: Sequence[Ids]
    labels: NDArray[np.float32]
    pad_id: int
    terms: Sequence[Terms] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def arrange(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Texts of like length next to each other."""
        return by_length(self.texts, rows)

    def batch(self, rows: NDArray[np.int64], epochs: NDArray[np.int64] | None = None) -> SeveralBatch:
        """These texts; the same in every epoch."""
        tokens_BT, mask_BT = padded([self.texts[row] for row in rows], self.pad_id)
        terms = None if self.terms is None else laid([self.terms[row] for row in rows])
        return SeveralBatch(tokens_BT, mask_BT, torch.from_numpy(self.labels[rows]), terms=terms)


class Classification(Stateless):
    """The label of each text, by cross-entropy where nothing else is asked for."""

    separable = True

    def __init__(self, losses: UnitLosses = cross_entropy) -> None:
        self.losses = losses

    def __call__(self, model: nn.Module, batch: ClassificationBatch) -> Loss:
        """The summed loss over texts, with the number that are right."""
        return self.loss(self.logits(model, batch), batch)

    def logits(self, model: nn.Module, batch: TextBatch) -> Tensor:
        """Shape (B, C), float32."""
        logits_BC: Tensor = read_by(model, batch).logits
        return logits_BC.float()

    def loss(self, logits: Tensor, batch: ClassificationBatch) -> Loss:
        """Summed over texts."""
        labels_B = batch.labels_B.to(logits.device)
        right = (logits.detach().argmax(-1) == labels_B).sum()
        return Loss(self.losses(logits, labels_B).sum(), batch.units, {"accuracy": right})

    def scored(self, logits: Tensor, batch: ClassificationBatch) -> Tensor:
        """Shape (B, C): every text is a unit."""
        return logits


class SeveralLabels(Stateless):
    """Every label that holds of a text, each a question of its own, by binary cross-entropy."""

    separable = True

    def __init__(self, losses: UnitLosses = binary_cross_entropy) -> None:
        self.losses = losses

    def __call__(self, model: nn.Module, batch: SeveralBatch) -> Loss:
        """The loss summed over labels and texts, with the number of texts of which every label is right."""
        return self.loss(self.logits(model, batch), batch)

    def logits(self, model: nn.Module, batch: TextBatch) -> Tensor:
        """Shape (B, C), float32; a label is given where its logit is above 0."""
        logits_BC: Tensor = read_by(model, batch).logits
        return logits_BC.float()

    def loss(self, logits: Tensor, batch: SeveralBatch) -> Loss:
        """Summed over labels and texts."""
        labels_BC = batch.labels_BC.to(logits.device)
        right = ((logits.detach() > 0) == (labels_BC > 0.5)).all(-1).sum()
        return Loss(self.losses(logits, labels_BC).sum(), batch.units, {"accuracy": right})

    def scored(self, logits: Tensor, batch: SeveralBatch) -> Tensor:
        """Shape (B·C, 2): each label is a question with two answers."""
        return torch.stack([torch.zeros_like(logits), logits], dim=-1).flatten(0, 1)
