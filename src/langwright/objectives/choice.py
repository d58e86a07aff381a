"""Multiple choice: each answer is read with its question and gets a score; the right one's should be the largest.

Source    Radford et al. 2018 (GPT), section 3.3: a softmax over the scores of answers that are each read by themselves;
          for encoders Devlin et al. 2019, arXiv:1810.04805, section 4.4
Shapes    Q questions    K most answers of one    N answers of all together    T positions
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from langwright.objectives.classification import UnitLosses
from langwright.objectives.extraction import NEVER
from langwright.objectives.losses import cross_entropy
from langwright.objectives.texts import Ids, Stateless, TextBatch, padded, read_by
from langwright.training.loss import Loss


@dataclass(frozen=True)
class ChoiceBatch(TextBatch):
    """Questions with their answers, one row each, (N, T).

    counts_Q   int64: answers of each question, whose rows stand together
    answers_Q  int64: which of them is right
    """

    counts_Q: Tensor
    answers_Q: Tensor

    @property
    def units(self) -> int:
        """Questions."""
        return len(self.counts_Q)


@dataclass(frozen=True)
class ChoiceExamples:
    """Questions, each as one encoded text an answer, batched by length.

    texts  by question, by answer
    """

    texts: Sequence[Sequence[Ids]]
    answers: NDArray[np.int64]
    pad_id: int
    types: Sequence[Sequence[Ids]] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def arrange(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Questions of like length next to each other."""
        longest = [max(len(ids) for ids in self.texts[row]) for row in rows]
        return np.argsort(longest, kind="stable").astype(np.int64)

    def batch(self, rows: NDArray[np.int64], epochs: NDArray[np.int64] | None = None) -> ChoiceBatch:
        """These questions; the same in every epoch."""
        tokens_NT, mask_NT = padded([ids for row in rows for ids in self.texts[row]], self.pad_id)
        types_NT = None
        if self.types is not None:
            types_NT, _ = padded([ids for row in rows for ids in self.types[row]], 0)
        counts_Q = torch.tensor([len(self.texts[row]) for row in rows])
        return ChoiceBatch(tokens_NT, mask_NT, counts_Q, torch.from_numpy(self.answers[rows]), types_BT=types_NT)


def scores_of(model: nn.Module, batch: TextBatch, *, nested: bool) -> Tensor:
    """The score of each answer, shape (N,), float32.

    nested  by a head for choices, which is given (questions, answers, T): here each answer as a question of its own;
            otherwise by a sequence head with one output
    """
    if nested:
        types_N1T = None if batch.types_BT is None else batch.types_BT[:, None]
        batch = TextBatch(batch.tokens_BT[:, None], batch.mask_BT[:, None], types_BT=types_N1T)
    scores_N1: Tensor = read_by(model, batch).logits
    return scores_N1.float().squeeze(-1)


class Choice(Stateless):
    """The right answer among several, by cross-entropy over their scores where nothing else is asked for."""

    separable = True

    def __init__(self, losses: UnitLosses = cross_entropy, *, nested: bool = False) -> None:
        """nested: see `scores_of`."""
        self.losses = losses
        self.nested = nested

    def __call__(self, model: nn.Module, batch: ChoiceBatch) -> Loss:
        """The summed loss over questions, with the number that are right."""
        return self.loss(self.logits(model, batch), batch)

    def logits(self, model: nn.Module, batch: ChoiceBatch) -> Tensor:
        """Shape (Q, K), float32, NEVER where a question has fewer answers."""
        scores_N = scores_of(model, batch, nested=self.nested)
        counts = batch.counts_Q.tolist()
        parts = [
            nn.functional.pad(part, (0, max(counts) - len(part)), value=NEVER) for part in torch.split(scores_N, counts)
        ]
        return torch.stack(parts)

    def loss(self, logits: Tensor, batch: ChoiceBatch) -> Loss:
        """Summed over questions."""
        answers_Q = batch.answers_Q.to(logits.device)
        right = (logits.detach().argmax(-1) == answers_Q).sum()
        return Loss(self.losses(logits, answers_Q).sum(), batch.units, {"accuracy": right})

    def scored(self, logits: Tensor, batch: ChoiceBatch) -> Tensor:
        """Shape (Q, K): every question is a unit."""
        return logits
