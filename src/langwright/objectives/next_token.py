"""Next-token prediction: pre-training on running text, and supervised fine-tuning on what is supervised.

Source    causal language modelling as in Radford et al. 2019 (GPT-2), section 2: the sum over tokens of
          -log p(token | tokens before it); a supervised conversation differs only in which tokens count
Shapes    B rows    T positions    V vocabulary
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from langwright.data.packing import RowPlan, Sample
from langwright.data.store import TokenStore
from langwright.training.loss import Loss

IGNORED = -100
SPARSE = 0.75  # share of positions that are supervised, below which the head is computed at those alone
CHUNK = 1024  # positions of the head computed at once then: one shape, so that a compiled loss is compiled once


@dataclass(frozen=True)
class NextTokenBatch:
    """Rows ready for the model.

    tokens_BT    int64, padded at the end
    targets_BT   int64, the id to predict at each position; IGNORED where none
    positions_BT int64, counted from each document's start when attention stops there, else from the row's
    boundaries   int32, shape (B·T + 1,): where each document begins in the rows laid end to end, then B·T over
                 and over; None when a row is one causal sequence
    """

    tokens_BT: Tensor
    targets_BT: Tensor
    positions_BT: Tensor
    boundaries: Tensor | None
    units: int
    padding: int

    @property
    def positions(self) -> int:
        """B·T."""
        return self.tokens_BT.numel()


def collate_rows(rows: Sequence[Sample], length: int, pad_id: int, *, stop_at_documents: bool) -> NextTokenBatch:
    """Lay rows of at most T + 1 ids into a batch of width T = `length`.

    stop_at_documents  attention and positions begin anew at each document, and no document's first token
                       is predicted from another document
    """
    count = len(rows)
    tokens = np.full((count, length), pad_id, dtype=np.int64)
    targets = np.full((count, length), IGNORED, dtype=np.int64)
    positions = np.tile(np.arange(length, dtype=np.int64), (count, 1))
    boundaries: list[int] = []
    padding = 0
    for number, row in enumerate(rows):
        width = min(len(row.ids) - 1, length)
        tokens[number, :width] = row.ids[:width]
        wanted = np.array(row.supervised[1 : width + 1], dtype=bool)
        padding += length - width
        if stop_at_documents:
            starts = row.starts[row.starts < width]
            inner = row.starts[(row.starts > 0) & (row.starts <= width)]
            wanted[inner - 1] = False
            for start, end in pairwise([*starts.tolist(), width]):
                positions[number, start:end] = np.arange(end - start)
            boundaries += (number * length + starts).tolist()
            if width < length:
                boundaries.append(number * length + width)
                positions[number, width:] = np.arange(length - width)
        targets[number, :width] = np.where(wanted, row.ids[1 : width + 1], IGNORED)
    edges = None
    if stop_at_documents:  # always as long as it could be, so that a compiled model sees one shape
        edges = torch.full((count * length + 1,), count * length, dtype=torch.int32)
        edges[: len(boundaries)] = torch.tensor(boundaries, dtype=torch.int32)
    units = int((targets != IGNORED).sum())
    return NextTokenBatch(
        torch.from_numpy(tokens), torch.from_numpy(targets), torch.from_numpy(positions), edges, units, padding
    )


@dataclass(frozen=True)
class RowExamples:
    """The rows of a plan over a token store, as batches of width `plan.length`."""

    store: TokenStore
    plan: RowPlan
    pad_id: int
    stop_at_documents: bool

    def __len__(self) -> int:
        return len(self.plan)

    def arrange(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """As they come: all rows are equally wide."""
        return np.arange(len(rows), dtype=np.int64)

    def batch(self, rows: NDArray[np.int64], epochs: NDArray[np.int64] | None = None) -> NextTokenBatch:
        """These rows; the same in every epoch."""
        samples = [self.plan.row(self.store, int(row)) for row in rows]
        return collate_rows(samples, self.plan.length, self.pad_id, stop_at_documents=self.stop_at_documents)


def token_losses(logits_BTV: Tensor, targets_BT: Tensor) -> Tensor:
    """Summed negative log-probability of the targets in nats, computed in float32; a scalar."""
    return F.cross_entropy(
        logits_BTV.flatten(0, 1).float(), targets_BT.flatten(), ignore_index=IGNORED, reduction="sum"
    )


@torch.no_grad()
def has_plain_head(model: nn.Module, batch: NextTokenBatch) -> bool:
    """Whether a model's logits are its output embedding times its last hidden state, in float32 to the bit.

    Not so where they are scaled or capped, which some families do. Looking draws nothing from the generators that
    training goes on with. A model of which this process holds a part is not looked at: all would have to look at once.
    """
    inside = getattr(model, "_orig_mod", model)  # uncompiled
    weight = next(inside.parameters())
    if not callable(getattr(inside, "get_output_embeddings", None)) or hasattr(weight, "full_tensor"):
        return False
    tokens_1T = batch.tokens_BT[:1].to(weight.device)
    kept = [weight.device] if weight.device.type == "cuda" else []
    with torch.random.fork_rng(devices=kept), torch.autocast(weight.device.type, enabled=False):
        out = inside(input_ids=tokens_1T, use_cache=False, output_hidden_states=True)
        return torch.equal(inside.get_output_embeddings()(out.hidden_states[-1]), out.logits)  # type: ignore[operator]


class NextToken:
    """Predict each supervised token from those before it.

    Where much of a batch is not supervised, as in conversations, the head, which is the largest matrix of a
    small model, is computed at supervised positions alone. That is done only with models whose logits are
    seen to be their output embedding times the last hidden state, and nothing more.
    """

    separable = True

    def __init__(self, *, compiled: bool = False) -> None:
        """compiled: see `compile_loss`."""
        self._losses = token_losses
        if compiled:
            self.compile_loss()
        self._plain_head: bool | None = None  # not known before the first sparse batch

    def __call__(self, model: nn.Module, batch: NextTokenBatch) -> Loss:
        """The summed loss over the batch's supervised tokens."""
        if torch.is_grad_enabled() and batch.units < SPARSE * batch.positions:
            if self._plain_head is None:
                self._plain_head = has_plain_head(model, batch)
            if self._plain_head:
                return Loss(self._sparse_total(model, batch), batch.units)
        return self.loss(self.logits(model, batch), batch)

    def compile_loss(self) -> None:
        """Compile the loss beside the model, so that the float32 copy of the logits is never written out."""
        self._losses = torch.compile(token_losses, dynamic=False)

    def _sparse_total(self, model: nn.Module, batch: NextTokenBatch) -> Tensor:
        """The summed loss from the head at supervised positions."""
        hidden_BTD = self._run(model, batch, output_hidden_states=True, logits_to_keep=1).hidden_states[-1]
        head = model.get_output_embeddings()  # type: ignore[operator]
        targets_BT = batch.targets_BT.to(hidden_BTD.device)
        wanted_BT = targets_BT != IGNORED
        missing = -batch.units % CHUNK
        hidden_UD = F.pad(hidden_BTD[wanted_BT], (0, 0, 0, missing))
        targets_U = F.pad(targets_BT[wanted_BT], (0, missing), value=IGNORED)
        chunks = zip(torch.split(hidden_UD, CHUNK), torch.split(targets_U, CHUNK), strict=True)
        return torch.stack([self._losses(head(h_CD)[None], t_C[None]) for h_CD, t_C in chunks]).sum()

    def _run(self, model: nn.Module, batch: NextTokenBatch, **options: Any) -> Any:
        device = next(model.parameters()).device
        return model(
            input_ids=batch.tokens_BT.to(device),
            position_ids=batch.positions_BT.to(device),
            use_cache=False,
            **self.seen(batch, device),
            **options,
        )

    def seen(self, batch: NextTokenBatch, device: torch.device) -> dict[str, Tensor]:
        """Arguments that tell the model which positions see which: those before them in their document."""
        return {} if batch.boundaries is None else {"document_boundaries": batch.boundaries}

    def logits(self, model: nn.Module, batch: NextTokenBatch) -> Tensor:
        """Shape (B, T, V)."""
        logits_BTV: Tensor = self._run(model, batch).logits
        return logits_BTV

    def loss(self, logits: Tensor, batch: NextTokenBatch) -> Loss:
        """Summed over targets; the number that is foreseen exactly is counted in evaluation only."""
        targets_BT = batch.targets_BT.to(logits.device)
        metrics: dict[str, Tensor] = {}
        if not torch.is_grad_enabled():
            metrics["accuracy"] = (logits.argmax(-1) == targets_BT).sum()
        return Loss(self._losses(logits, targets_BT), batch.units, metrics)

    def scored(self, logits: Tensor, batch: NextTokenBatch) -> Tensor:
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
