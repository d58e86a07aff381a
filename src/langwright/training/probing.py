"""What a model takes on this machine, found out before the first update: rows that fit, time, memory."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from langwright.errors import UserError
from langwright.training.checkpoints import generator_states, set_generators
from langwright.training.devices import MemoryWatch, autocast_type, available_memory
from langwright.training.feed import Examples
from langwright.training.loop import forward_precision
from langwright.training.loss import Batch, Objective
from langwright.training.planning import rows_that_fit

if TYPE_CHECKING:
    from langwright.models.sizes import Estimate

ROOM = 0.8  # of the free memory: as much as an update may take, measured
TIMED = 3  # passes over usual rows, of which the fastest counts


@dataclass(frozen=True)
class Probe:
    """What micro-batches of real rows showed.

    seconds       forward and backward of usual rows, uncompiled
    memory_bytes  of this process, or allocated on the GPU: at the most in an update over the longest rows, with
                  the optimizer's state as it is estimated for AdamW
    """

    micro_rows: int
    seconds: float
    memory_bytes: int


def probe(
    model: nn.Module,
    objective: Objective[Any],
    examples: Examples,
    *,
    batch_rows: int,
    micro_rows: int | None,
    length: int,
    size: Estimate,
    dtype: str,
    device: torch.device,
) -> Probe:
    """Try the longest rows, as many at once as should fit, fewer where they do not; then time usual ones.

    The model's gradients are cleared; weights and generators are left as they were.

    micro_rows  as the person set it; None lets memory decide
    length      most positions in a row
    size        what the model should take with one row, which says where to begin
    raises      UserError when a single row does not fit, or what was asked for does not
    """
    free = available_memory(device)
    fixed = micro_rows if objective.separable else batch_rows  # what may not be cut is computed whole
    rows = fixed or rows_that_fit(batch_rows, size.activation_bytes, size.fixed_bytes, free)
    generators = generator_states()
    model.train()
    while True:
        taken = memory_of(model, objective, longest(examples, rows), dtype, device)
        if taken is not None and (fixed or rows == 1 or taken.grown + size.optimizer_bytes <= ROOM * free):
            break
        if fixed or rows == 1:
            raise too_much(rows, length, free)
        rows = max(fewer for fewer in range(1, rows) if batch_rows % fewer == 0)
    usual = examples.batch(np.linspace(0, len(examples) - 1, min(rows, len(examples))).astype(np.int64))
    seconds = min(one_pass(model, objective, usual, dtype, device) for _ in range(TIMED))
    set_generators(generators)
    return Probe(rows, seconds, taken.most + size.optimizer_bytes)


def too_much(rows: int, length: int, free: int) -> UserError:
    """So many rows were tried, and do not fit."""
    return UserError(
        "{rows} rows of {length} tokens at once need more than the {free:.1f} GB of memory that are free",
        fix="lower micro_rows, shorten the rows with --set length=N, turn on gradient_checkpointing, or take a smaller model",
        rows=rows,
        length=length,
        free=free / 1e9,
    )


def longest(examples: Examples, count: int) -> Batch:
    """The batch of so many rows with the most positions.

    Examples whose rows differ in length arrange them by it, so that it lies at one of the ends.
    """
    places = examples.arrange(np.arange(len(examples), dtype=np.int64))
    ends = (places[:count], places[-count:])
    return max((examples.batch(end) for end in ends), key=lambda batch: batch.positions)


def memory_of(
    model: nn.Module, objective: Objective[Any], batch: Batch, dtype: str, device: torch.device
) -> MemoryWatch | None:
    """Memory of one pass; None where a GPU has too little."""
    try:
        with MemoryWatch(device) as watch:
            one_pass(model, objective, batch, dtype, device)
    except torch.OutOfMemoryError:
        model.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
        return None
    return watch


def one_pass(model: nn.Module, objective: Objective[Any], batch: Batch, dtype: str, device: torch.device) -> float:
    """Seconds of forward and backward."""
    began = time.perf_counter()
    with forward_precision(model, autocast_type(dtype)):
        loss = objective(model, batch)
    (loss.total / max(loss.units, 1)).backward()  # type: ignore[no-untyped-call]
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    seconds = time.perf_counter() - began
    model.zero_grad(set_to_none=True)
    return seconds
