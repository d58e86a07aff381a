"""Sequence to sequence: an encoder reads one text, a decoder writes another and is told what it should have written.

Source    Sutskever et al. 2014, arXiv:1409.3215, equation 1: the sum over target tokens of
          -log p(token | input, target tokens before it); teacher forcing as in Williams & Zipser 1989
          label smoothing as in Szegedy et al. 2016, arXiv:1512.00567, section 7
Shapes    B pairs    S input positions    T target positions    V vocabulary
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from langwright.objectives.losses import cross_entropy
from langwright.objectives.next_token import IGNORED, token_losses
from langwright.training.loss import Loss

Ids = NDArray[np.int64]
Pair = tuple[Ids, Ids]  # input and target, each with its end-of-text token where it has one


@dataclass(frozen=True)
class Seq2SeqBatch:
    """Pairs padded to a width.

    tokens_BS   int64, what the encoder reads
    mask_BS     int64, 1 for tokens and 0 for padding
    targets_BT  int64, the id to write at each position; IGNORED behind the end
    """

    tokens_BS: Tensor
    mask_BS: Tensor
    targets_BT: Tensor
    units: int
    padding: int

    @property
    def positions(self) -> int:
        """B·(S + T)."""
        return self.tokens_BS.numel() + self.targets_BT.numel()


def collate_pairs(pairs: Sequence[Pair], pad_id: int, widths: tuple[int, int] | None = None) -> Seq2SeqBatch:
    """Pairs as a batch.

    widths  of inputs and targets; the longest of each when left out
    """
    wide, long = widths or (max(len(a) for a, _ in pairs), max(len(b) for _, b in pairs))
    tokens = np.full((len(pairs), wide), pad_id, dtype=np.int64)
    mask = np.zeros((len(pairs), wide), dtype=np.int64)
    targets = np.full((len(pairs), long), IGNORED, dtype=np.int64)
    for row, (given, wanted) in enumerate(pairs):
        tokens[row, : len(given)] = given
        mask[row, : len(given)] = 1
        targets[row, : len(wanted)] = wanted
    units = sum(len(wanted) for _, wanted in pairs)
    padding = tokens.size + targets.size - units - sum(len(given) for given, _ in pairs)
    return Seq2SeqBatch(torch.from_numpy(tokens), torch.from_numpy(mask), torch.from_numpy(targets), units, padding)


@dataclass(frozen=True)
class PairExamples:
    """Encoded pairs, batched by length."""

    pairs: Sequence[Pair]
    pad_id: int

    def __len__(self) -> int:
        return len(self.pairs)

    def arrange(self, rows: Ids) -> Ids:
        """Pairs of like length next to each other, so that little is padded."""
        lengths = [(len(self.pairs[row][0]), len(self.pairs[row][1])) for row in rows]
        return np.array(sorted(range(len(rows)), key=lengths.__getitem__), dtype=np.int64)

    def batch(self, rows: Ids, epochs: Ids | None = None) -> Seq2SeqBatch:
        """These pairs; the same in every epoch."""
        return collate_pairs([self.pairs[row] for row in rows], self.pad_id)


def decoder_inputs(targets_BT: Tensor, start: int) -> Tensor:
    """What the decoder reads: the targets one place to the right, behind the token it begins with, shape (B, T).

    Behind a target's end, where no position is learned, it reads that token too.
    """
    begin_B1 = torch.full_like(targets_BT[:, :1], start)
    return torch.cat([begin_B1, targets_BT[:, :-1].masked_fill(targets_BT[:, :-1] == IGNORED, start)], dim=1)


class Seq2Seq:
    """Write each target token, given the input and the target tokens before it."""

    separable = True

    def __init__(self, start: int, *, smoothing: float = 0.0, compiled: bool = False) -> None:
        """What is learned by.

        start      the token that the decoder begins with, which the model's config names
        smoothing  share of the target's probability that is spread over the vocabulary
        compiled   compile the loss too, so that the float32 copy of the logits is never written out
        """
        self.start = start
        self.smoothing = smoothing
        self._losses = torch.compile(token_losses, dynamic=False) if compiled else token_losses

    def __call__(self, model: nn.Module, batch: Seq2SeqBatch) -> Loss:
        """The summed loss over the batch's target tokens."""
        return self.loss(self.logits(model, batch), batch)

    def logits(self, model: nn.Module, batch: Seq2SeqBatch) -> Tensor:
        """Shape (B, T, V)."""
        device = next(model.parameters()).device
        logits_BTV: Tensor = model(
            input_ids=batch.tokens_BS.to(device),
            attention_mask=batch.mask_BS.to(device),
            decoder_input_ids=decoder_inputs(batch.targets_BT.to(device), self.start),
            use_cache=False,
        ).logits
        return logits_BTV

    def loss(self, logits: Tensor, batch: Seq2SeqBatch) -> Loss:
        """Summed over target tokens; held-out text is judged without smoothing, and there what is right is counted."""
        targets_BT = batch.targets_BT.to(logits.device)
        if not torch.is_grad_enabled():
            right = (logits.argmax(-1) == targets_BT).sum()
            return Loss(token_losses(logits, targets_BT), batch.units, {"accuracy": right})
        if self.smoothing:
            targets_U = targets_BT[targets_BT != IGNORED]
            losses_U = cross_entropy(self.scored(logits, batch), targets_U, smoothing=self.smoothing)
            return Loss(losses_U.sum(), batch.units)
        return Loss(self._losses(logits, targets_BT), batch.units)

    def scored(self, logits: Tensor, batch: Seq2SeqBatch) -> Tensor:
        """Shape (units, V)."""
        return logits[batch.targets_BT.to(logits.device) != IGNORED].float()

    def parameters(self) -> list[nn.Parameter]:
        """None of its own."""
        return []

    def state_dict(self) -> dict[str, Tensor]:
        """None of its own."""
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Nothing to take back."""
