"""Optimizers over a model's trainable weights, with decay groups."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from langwright.training.settings import AdamW


def decay_groups(named: Iterable[tuple[str, nn.Parameter]], weight_decay: float) -> list[dict[str, object]]:
    """Two groups: matrices, which decay, and vectors (norms, biases), which do not. Frozen weights are in neither."""
    trainable = [(name, weight) for name, weight in named if weight.requires_grad]
    matrices = [weight for _, weight in trainable if weight.ndim >= 2]
    vectors = [weight for _, weight in trainable if weight.ndim < 2]
    groups: list[dict[str, object]] = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def build_optimizer(
    settings: AdamW, named: Iterable[tuple[str, nn.Parameter]], learning_rate: float
) -> torch.optim.Optimizer:
    """The optimizer of the settings; the loop sets the rate of every update."""
    groups = decay_groups(named, settings.weight_decay)
    return torch.optim.AdamW(
        groups, lr=learning_rate, betas=(settings.beta1, settings.beta2), eps=settings.epsilon, fused=True
    )
