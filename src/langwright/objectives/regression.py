"""A number for a text: how far it is off, or whether texts come in the right order.

Source    least squares, Bishop 2006, section 3.1.1; order by pairs, Herbrich et al. 1999 and Burges et al. 2005
Shapes    B texts    P pairs of texts with different numbers
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from langwright.objectives.losses import squared_error
from langwright.objectives.texts import Ids, Stateless, TextBatch, by_length, padded, read_by
from langwright.training.loss import Loss


@dataclass(frozen=True)
class ValueBatch(TextBatch):
    """Texts with a number each: values_B float32."""

    values_B: Tensor


@dataclass(frozen=True)
class OrderedBatch(ValueBatch):
    """The same, where what is learned is which of two texts has the larger number."""

    @property
    def better(self) -> Tensor:
        """(P, 2): the text with the larger number, and the other one, of every pair."""
        return torch.nonzero(self.values_B[:, None] > self.values_B[None])

    @property
    def units(self) -> int:
        """Pairs of texts with different numbers."""
        return len(self.better)


@dataclass(frozen=True)
class ValueExamples:
    """Encoded texts with numbers, batched by length.

    ordered  make batches for learning the order
    """

    texts: Sequence[Ids]
    values: NDArray[np.float32]
    pad_id: int
    types: Sequence[Ids] | None = None
    ordered: bool = False

    def __len__(self) -> int:
        return len(self.texts)

    def arrange(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Texts of like length next to each other."""
        return by_length(self.texts, rows)

    def batch(self, rows: NDArray[np.int64], epochs: NDArray[np.int64] | None = None) -> ValueBatch:
        """These texts; the same in every epoch."""
        tokens_BT, mask_BT = padded([self.texts[row] for row in rows], self.pad_id)
        types_BT = None if self.types is None else padded([self.types[row] for row in rows], 0)[0]
        made = OrderedBatch if self.ordered else ValueBatch
        return made(tokens_BT, mask_BT, torch.from_numpy(self.values[rows]), types_BT=types_BT)


class Regression(Stateless):
    """The number itself, by its squared error."""

    separable = True

    def __call__(self, model: nn.Module, batch: ValueBatch) -> Loss:
        """Summed over texts."""
        said_B = values_of(model, batch)
        return Loss(squared_error(said_B, batch.values_B.to(said_B.device)).sum(), batch.units)


class Ranking(Stateless):
    """The order of numbers, over all pairs of a batch: its texts are compared, so a batch is never cut."""

    separable = False

    def __init__(self, losses: Callable[[Tensor, Tensor], Tensor]) -> None:
        """losses: (the better ones' scores, the worse ones') -> a loss a pair, shape (P,)."""
        self.losses = losses

    def __call__(self, model: nn.Module, batch: OrderedBatch) -> Loss:
        """Summed over pairs, with the number in the right order."""
        said_B = values_of(model, batch)
        better_P, worse_P = (said_B[places] for places in batch.better.to(said_B.device).unbind(-1))
        right = (better_P.detach() > worse_P.detach()).sum()
        return Loss(self.losses(better_P, worse_P).sum(), batch.units, {"accuracy": right})


def values_of(model: nn.Module, batch: TextBatch) -> Tensor:
    """The number that a model gives each text, shape (B,), float32."""
    logits_B1: Tensor = read_by(model, batch).logits
    return logits_B1.float().squeeze(-1)
