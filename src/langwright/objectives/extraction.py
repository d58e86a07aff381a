"""Span extraction: where in a passage an answer starts and where it ends.

Source    Devlin et al. 2019, arXiv:1810.04805, sections 4.2 and 4.3: the sum of the log-likelihoods of start and end,
          and the first token for both where there is no answer
Differs   padding takes no part in the softmax, so that the loss does not depend on the batch a passage stands in; and
          start and end are averaged instead of summed, as in transformers
Shapes    B windows of passages    T positions
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from langwright.objectives.classification import UnitLosses
from langwright.objectives.losses import cross_entropy
from langwright.objectives.texts import Ids, Stateless, TextBatch, by_length, padded, read_by
from langwright.training.loss import Loss

NEVER = -1e4  # a logit of what cannot be: its probability is 0 in float32


@dataclass(frozen=True)
class SpanBatch(TextBatch):
    """Questions with windows of passages: first and last token of the answer, edges_B2 int64; 0 and 0 for none."""

    edges_B2: Tensor


@dataclass(frozen=True)
class SpanExamples:
    """Encoded questions with windows of passages, batched by length.

    edges  (N, 2): first and last token of the answer
    """

    texts: Sequence[Ids]
    edges: NDArray[np.int64]
    pad_id: int
    types: Sequence[Ids] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def arrange(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Windows of like length next to each other."""
        return by_length(self.texts, rows)

    def batch(self, rows: NDArray[np.int64], epochs: NDArray[np.int64] | None = None) -> SpanBatch:
        """These windows; the same in every epoch."""
        tokens_BT, mask_BT = padded([self.texts[row] for row in rows], self.pad_id)
        types_BT = None if self.types is None else padded([self.types[row] for row in rows], 0)[0]
        return SpanBatch(tokens_BT, mask_BT, torch.from_numpy(self.edges[rows]), types_BT=types_BT)


class Spans(Stateless):
    """Start and end of an answer, by cross-entropy over positions."""

    separable = True

    def __init__(self, losses: UnitLosses = cross_entropy) -> None:
        self.losses = losses

    def __call__(self, model: nn.Module, batch: SpanBatch) -> Loss:
        """The summed loss over windows, with the number of which both edges are right."""
        return self.loss(self.logits(model, batch), batch)

    def logits(self, model: nn.Module, batch: SpanBatch) -> Tensor:
        """Of start and end, shape (B, 2, T), float32, NEVER at padding."""
        said = read_by(model, batch)
        logits_B2T = torch.stack([said.start_logits, said.end_logits], dim=1).float()
        return logits_B2T.masked_fill(batch.mask_BT.to(logits_B2T.device)[:, None] == 0, NEVER)

    def loss(self, logits: Tensor, batch: SpanBatch) -> Loss:
        """The mean of start's and end's, summed over windows."""
        edges_B2 = batch.edges_B2.to(logits.device)
        right = (logits.detach().argmax(-1) == edges_B2).all(-1).sum()
        losses = self.losses(logits.flatten(0, 1), edges_B2.flatten())
        return Loss(losses.sum() / 2, batch.units, {"accuracy": right})

    def scored(self, logits: Tensor, batch: SpanBatch) -> Tensor:
        """Shape (2·B, T): a start and an end for each window."""
        return logits.flatten(0, 1)
