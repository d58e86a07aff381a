"""Training on the worst small change of the word embeddings, around any objective.

Source    FGM: Miyato, Dai & Goodfellow 2017, arXiv:1605.07725, equations 5 and 6 (the change is ε along each
          example's own gradient, of length ε)
          PGD: Madry et al. 2018, arXiv:1706.06083, equation 2.1 and section 2.1 (steps along the gradient, each
          followed by a projection onto the ball of radius ε)
          FreeLB: Zhu et al. 2020, arXiv:1909.11764, algorithm 1 (the gradients at all K points on the way are
          averaged)
Shapes    B rows    T positions    D width

The change is an example's own, not the batch's, so a batch may be cut anywhere. While evaluating nothing is
changed. FGM and PGD add the adversarial loss to the clean one; FreeLB replaces it.

Cost      forward passes 2 (FGM), K + 2 (PGD), K (FreeLB); each needs a backward pass to the embeddings beside
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from langwright.objectives.wrapping import Wrapper
from langwright.training.loss import Loss, Objective


@contextmanager
def embeddings_changed(model: nn.Module, change_BTD: Tensor | None = None) -> Iterator[list[Tensor]]:
    """Within the block the word embeddings come out with the change added; the list gets what came out.

    The change may be of any shape that is added to (B, T, D); None adds nothing.
    """
    seen: list[Tensor] = []

    def changed(_: nn.Module, __: Any, out_BTD: Tensor) -> Tensor:
        result = out_BTD if change_BTD is None else out_BTD + change_BTD
        if not torch.is_grad_enabled():  # a look beside the loss: nothing will ask for its gradient
            return result
        if not result.requires_grad:  # frozen embeddings, of which the gradient is wanted all the same
            result = result.requires_grad_()
        seen.append(result)
        return result

    hook = word_embeddings(model).register_forward_hook(changed)
    try:
        yield seen
    finally:
        hook.remove()


def word_embeddings(model: nn.Module) -> nn.Module:
    """Where words become vectors; of an encoder-decoder, the words that are read."""
    two = getattr(getattr(model, "config", None), "is_encoder_decoder", False)
    reader = model.get_encoder() if two else model  # type: ignore[operator]
    found: nn.Module = reader.get_input_embeddings()  # type: ignore[operator]
    return found


def loss_at(
    inner: Objective[Any], model: nn.Module, batch: Any, change_BTD: Tensor | None = None
) -> tuple[Loss, Tensor]:
    """The loss with the embeddings changed, and the changed embeddings, which carry its graph."""
    with embeddings_changed(model, change_BTD) as seen:
        loss = inner(model, batch)
    return loss, seen[0]


def gradient_at(loss: Tensor, embeddings_BTD: Tensor) -> Tensor:
    """How the loss changes with each embedding, shape (B, T, D); the graph is kept."""
    (gradient_BTD,) = torch.autograd.grad(loss, embeddings_BTD, retain_graph=True)
    return gradient_BTD


def unit(direction_BTD: Tensor) -> Tensor:
    """Each row's direction at length 1; zero where it is zero."""
    length_B: Tensor = direction_BTD.flatten(1).norm(dim=1)
    return direction_BTD / length_B.clamp(min=torch.finfo(direction_BTD.dtype).tiny)[:, None, None]


def inside(change_BTD: Tensor, epsilon: float) -> Tensor:
    """Each row's change, shortened to ε where it is longer."""
    length_B: Tensor = change_BTD.flatten(1).norm(dim=1)
    return change_BTD * (epsilon / length_B.clamp(min=epsilon)).nan_to_num(0.0)[:, None, None]


class FGM(Wrapper[Objective[Any]]):
    """The loss, and the loss a step of length ε up each example's gradient."""

    def __init__(self, inner: Objective[Any], *, epsilon: float = 1.0, weight: float = 1.0) -> None:
        super().__init__(inner)
        self.epsilon, self.weight = epsilon, weight

    def __call__(self, model: nn.Module, batch: Any) -> Loss:
        """Clean + weight · adversarial; clean alone while evaluating."""
        if not torch.is_grad_enabled():
            return self.inner(model, batch)
        clean, embeddings_BTD = loss_at(self.inner, model, batch)
        change_BTD = self.epsilon * unit(gradient_at(clean.total, embeddings_BTD))
        adversarial, _ = loss_at(self.inner, model, batch, change_BTD)
        return both(clean, adversarial, self.weight)


class PGD(Wrapper[Objective[Any]]):
    """The loss, and the loss after K steps up the gradient inside the ball of radius ε."""

    def __init__(
        self,
        inner: Objective[Any],
        *,
        epsilon: float = 1.0,
        step_size: float = 0.3,
        steps: int = 3,
        weight: float = 1.0,
    ) -> None:
        super().__init__(inner)
        self.epsilon, self.step_size, self.steps, self.weight = epsilon, step_size, steps, weight

    def __call__(self, model: nn.Module, batch: Any) -> Loss:
        """Clean + weight · adversarial; clean alone while evaluating."""
        if not torch.is_grad_enabled():
            return self.inner(model, batch)
        clean, embeddings_BTD = loss_at(self.inner, model, batch)
        found, change_BTD = clean, torch.zeros_like(embeddings_BTD)
        for _ in range(self.steps):
            ahead_BTD = self.step_size * unit(gradient_at(found.total, embeddings_BTD))
            change_BTD = inside(change_BTD + ahead_BTD, self.epsilon)
            found, embeddings_BTD = loss_at(self.inner, model, batch, change_BTD)
        return both(clean, found, self.weight)


class FreeLB(Wrapper[Objective[Any]]):
    """The mean of the losses at K points on the way up, the first a random one inside the ball."""

    def __init__(self, inner: Objective[Any], *, epsilon: float = 1.0, step_size: float = 0.3, steps: int = 3) -> None:
        super().__init__(inner)
        self.epsilon, self.step_size, self.steps = epsilon, step_size, steps

    def __call__(self, model: nn.Module, batch: Any) -> Loss:
        """The mean over the points; clean while evaluating."""
        if not torch.is_grad_enabled():
            return self.inner(model, batch)
        width = model.get_input_embeddings().embedding_dim  # type: ignore[operator]
        rows, length = batch.tokens_BT.shape
        change_BTD = torch.empty((rows, length, width), device=next(model.parameters()).device).uniform_(-1, 1)
        change_BTD = change_BTD * (self.epsilon / (length * width) ** 0.5)
        totals: list[Tensor] = []
        for step in range(self.steps):
            found, embeddings_BTD = loss_at(self.inner, model, batch, change_BTD)
            totals.append(found.total)
            if step + 1 < self.steps:
                ahead_BTD = self.step_size * unit(gradient_at(found.total, embeddings_BTD))
                change_BTD = inside(change_BTD + ahead_BTD, self.epsilon)
        return Loss(torch.stack(totals).mean(), found.units, found.metrics)


def both(clean: Loss, adversarial: Loss, weight: float) -> Loss:
    """The two added, with the adversarial one also beside."""
    metrics = {**clean.metrics, "adversarial": adversarial.total.detach()}
    return Loss(clean.total + weight * adversarial.total, clean.units, metrics)
