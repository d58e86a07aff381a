"""Optimizers that torch does not have, or not for all of a model's weights.

Shapes    x a weight of any shape; X a matrix of n rows and m columns
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

Groups = Iterable[dict[str, Any]]
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic that drives singular values towards 1 (Jordan et al. 2024)
ITERATIONS = 5


class Lamb(torch.optim.Optimizer):
    """AdamW, the update of each weight made as long as the weight before the rate is applied.

    Source    You et al. 2020, arXiv:1904.00962, algorithm 2, with φ(z) = z; a weight or an update of length
              zero is left at ratio 1
    Differs   vectors (norms, biases) are not decayed, as in BERT's own training
    """

    def __init__(self, groups: Groups, lr: float, betas: tuple[float, float], epsilon: float) -> None:
        super().__init__(groups, {"lr": lr, "betas": betas, "epsilon": epsilon, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update; `closure` is not used."""
        for group in self.param_groups:
            for x in group["params"]:
                if x.grad is None:
                    continue
                update = adam_direction(x, self.state[x], group) + group["weight_decay"] * x
                ratio = x.norm() / update.norm()
                ratio = torch.where(torch.isfinite(ratio) & (ratio > 0), ratio, 1.0)
                x.sub_(group["lr"] * ratio * update)


class Lion(torch.optim.Optimizer):
    """The sign of a mean of the gradients.

    Source    Chen et al. 2023, arXiv:2302.06675, algorithm 2
    """

    def __init__(self, groups: Groups, lr: float, betas: tuple[float, float]) -> None:
        super().__init__(groups, {"lr": lr, "betas": betas, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update; `closure` is not used."""
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for x in group["params"]:
                if x.grad is None:
                    continue
                state = self.state[x]
                if not state:
                    state["mean"] = torch.zeros_like(x)
                direction = torch.lerp(x.grad, state["mean"], beta1).sign_()
                x.mul_(1 - group["lr"] * group["weight_decay"]).sub_(direction, alpha=group["lr"])
                state["mean"].lerp_(x.grad, 1 - beta2)


class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal for the groups marked `orthogonal`, AdamW for the others.

    Source    Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; the length of an
              update as in Liu et al. 2025, arXiv:2502.16982, equation 4: 0.2 · √max(n, m), so that one
              learning rate serves both kinds
    Differs   the iteration runs in float32 on a CPU, in bfloat16 elsewhere
    """

    def __init__(
        self, groups: Groups, lr: float, momentum: float, *, nesterov: bool, betas: tuple[float, float], epsilon: float
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "nesterov": nesterov, "betas": betas, "epsilon": epsilon}
        super().__init__(groups, {**defaults, "weight_decay": 0.0, "orthogonal": False})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update; `closure` is not used."""
        for group in self.param_groups:
            for x in group["params"]:
                if x.grad is None:
                    continue
                state = self.state[x]
                if group["orthogonal"]:
                    update = self._orthogonal(x, state, group)
                else:
                    update = adam_direction(x, state, group)
                x.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update, alpha=group["lr"])

    @staticmethod
    def _orthogonal(x: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
        assert x.grad is not None  # weights without one are passed over
        if not state:
            state["momentum"] = torch.zeros_like(x)
        kept = group["momentum"]
        state["momentum"].lerp_(x.grad, 1 - kept)
        direction = torch.lerp(x.grad, state["momentum"], kept) if group["nesterov"] else state["momentum"]
        return orthogonal(direction) * (0.2 * math.sqrt(max(x.shape)))


def adam_direction(x: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    """Bias-corrected mean over the root of the bias-corrected mean square (Kingma & Ba 2015, algorithm 1); state moves on."""
    beta1, beta2 = group["betas"]
    if not state:
        state["step"] = 0
        state["mean"], state["square"] = torch.zeros_like(x), torch.zeros_like(x)
    state["step"] += 1
    state["mean"].lerp_(x.grad, 1 - beta1)
    state["square"].mul_(beta2).addcmul_(x.grad, x.grad, value=1 - beta2)
    mean = state["mean"] / (1 - beta1 ** state["step"])
    root = (state["square"] / (1 - beta2 ** state["step"])).sqrt_()
    direction: Tensor = mean.div_(root.add_(group["epsilon"]))
    return direction


def orthogonal(matrix: Tensor) -> Tensor:
    """Nearly the nearest matrix whose singular values are all 1; they come out between about 0.7 and 1.2.

    Five steps of the quintic Newton-Schulz iteration X ← aX + b(XXᵀ)X + c(XXᵀ)²X on X / ‖X‖.
    """
    a, b, c = COEFFICIENTS
    X = matrix.float() if matrix.device.type == "cpu" else matrix.bfloat16()
    tall = X.shape[0] > X.shape[1]
    X = X.T if tall else X
    X = X / X.norm().clamp(min=1e-7)
    for _ in range(ITERATIONS):
        A = X @ X.T
        X = torch.addmm(X, torch.addmm(A, A, A, beta=b, alpha=c), X, beta=a)
    return (X.T if tall else X).to(matrix.dtype)
