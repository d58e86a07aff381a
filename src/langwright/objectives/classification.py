"""Classification: the label of a text from a head on the model.

Source    cross-entropy of softmax regression, Bishop 2006, section 4.3.4
Shapes    B texts    T positions    C labels
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from langwright.training.loss import Loss


@dataclass(frozen=True)
class ClassificationBatch:
    """Texts padded to the longest of them, with their labels.

    tokens_BT  int64, padded at the end
    mask_BT    int64, 1 for tokens and 0 for padding
    labels_B   int64
    """

    tokens_BT: Tensor
    mask_BT: Tensor
    labels_B: Tensor

    @property
    def units(self) -> int:
        """Texts."""
        return len(self.labels_B)

    @property
    def positions(self) -> int:
        """B·T."""
        return self.tokens_BT.numel()

    @property
    def padding(self) -> int:
        """Positions that hold no token."""
        return self.positions - int(self.mask_BT.sum())


def collate_texts(texts: Sequence[NDArray[np.int64]], labels: Sequence[int], pad_id: int) -> ClassificationBatch:
    """Pad token ids at the end to the longest text."""
    width = max(len(ids) for ids in texts)
    tokens = np.full((len(texts), width), pad_id, dtype=np.int64)
    mask = np.zeros((len(texts), width), dtype=np.int64)
    for number, ids in enumerate(texts):
        tokens[number, : len(ids)] = ids
        mask[number, : len(ids)] = 1
    return ClassificationBatch(
        torch.from_numpy(tokens), torch.from_numpy(mask), torch.tensor(list(labels), dtype=torch.int64)
    )


@dataclass(frozen=True)
class TextExamples:
    """Encoded texts with labels, batched by length."""

    texts: Sequence[NDArray[np.int64]]
    labels: NDArray[np.int64]
    pad_id: int

    def __len__(self) -> int:
        return len(self.texts)

    def arrange(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Texts of like length next to each other, so that little is padded."""
        return np.argsort([len(self.texts[row]) for row in rows], kind="stable").astype(np.int64)

    def batch(self, rows: NDArray[np.int64], epochs: NDArray[np.int64] | None = None) -> ClassificationBatch:
        """These texts; the same in every epoch."""
        return collate_texts([self.texts[row] for row in rows], self.labels[rows].tolist(), self.pad_id)


class Classification:
    """Cross-entropy of the label."""

    separable = True

    def __call__(self, model: nn.Module, batch: ClassificationBatch) -> Loss:
        """The summed loss over texts, with the number that are right."""
        return self.loss(self.logits(model, batch), batch)

    def logits(self, model: nn.Module, batch: ClassificationBatch) -> Tensor:
        """Shape (B, C), float32."""
        device = next(model.parameters()).device
        logits_BC: Tensor = model(
            input_ids=batch.tokens_BT.to(device), attention_mask=batch.mask_BT.to(device), use_cache=False
        ).logits
        return logits_BC.float()

    def loss(self, logits: Tensor, batch: ClassificationBatch) -> Loss:
        """Summed over texts."""
        labels_B = batch.labels_B.to(logits.device)
        right = (logits.detach().argmax(-1) == labels_B).sum()
        return Loss(F.cross_entropy(logits, labels_B, reduction="sum"), batch.units, {"accuracy": right})

    def scored(self, logits: Tensor, batch: ClassificationBatch) -> Tensor:
        """Shape (B, C): every text is a unit."""
        return logits

    def parameters(self) -> list[nn.Parameter]:
        """None of its own: the head is the model's."""
        return []

    def state_dict(self) -> dict[str, Tensor]:
        """None of its own."""
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Nothing to take back."""
