"""The loss on held-out rows, by one process or several."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from langwright.training.crew import ALONE, Crew
from langwright.training.devices import autocast_type
from langwright.training.loop import forward_precision
from langwright.training.loss import Batch, Objective


def bits_per_byte(loss: float, bytes_per_unit: float) -> float:
    """Nats per unit as bits per UTF-8 byte."""
    return loss / math.log(2) / bytes_per_unit


@torch.no_grad()
def evaluate_loss(
    model: nn.Module, objective: Objective[Any], batches: Iterable[tuple[Batch, bool]], dtype: str, crew: Crew = ALONE
) -> dict[str, float]:
    """Loss and metrics per unit over all processes' batches, with dropout off; nothing where nothing is supervised.

    batches  as `whole_epoch` gives them, with whether they count
    The model is left in training mode.
    """
    total, units = 0.0, 0
    sums: dict[str, float] = {}
    model.eval()
    for batch, counts in batches:
        with forward_precision(model, autocast_type(dtype)):
            loss = objective(model, batch)
        if not counts:
            continue
        total, units = total + loss.total.item(), units + loss.units
        for name, value in loss.metrics.items():
            sums[name] = sums.get(name, 0.0) + value.item()
    model.train()
    shares = crew.gather([total, units, sums])
    units = sum(share[1] for share in shares)
    if units == 0:
        return {}
    summed = {name: sum(share[2].get(name, 0.0) for share in shares) for _, _, found in shares for name in found}
    return {"loss": sum(share[0] for share in shares) / units} | {n: value / units for n, value in summed.items()}
