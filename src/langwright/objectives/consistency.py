"""Asking that a model say the same of the same text twice, around any objective that has logits.

Source    R-Drop: Liang et al. 2021, arXiv:2106.14448, equations 2 to 4 (two passes with different dropout, and the
          mean of the two directions of the Kullback-Leibler divergence between them)
          VAT: Miyato et al. 2018, arXiv:1704.03976, equations 5 to 11, with the change made in the word embeddings
          as in Miyato, Dai & Goodfellow 2017, arXiv:1605.07725, equations 8 and 9
Shapes    U units    C classes    B rows    T positions    D width
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from langwright.objectives.adversarial import embeddings_changed, gradient_at, unit
from langwright.objectives.wrapping import Wrapper
from langwright.training.loss import LogitObjective, Loss


def divergence(of_UC: Tensor, to_UC: Tensor) -> Tensor:
    """Summed Kullback-Leibler divergence in nats of what the first logits say from what the second say; a scalar."""
    return F.kl_div(to_UC.log_softmax(-1), of_UC.log_softmax(-1), reduction="sum", log_target=True)


class RDrop(Wrapper[LogitObjective[Any]]):
    """Two passes with different dropout; their losses' mean, and how far apart they are.

    Differs from the paper by a constant: its loss is the sum of the two, ours their mean, so that the rate
    and the logged loss mean what they mean without it; `weight` is its α.
    """

    def __init__(self, inner: LogitObjective[Any], *, weight: float = 1.0) -> None:
        super().__init__(inner)
        self.weight = weight

    def __call__(self, model: nn.Module, batch: Any) -> Loss:
        """The inner loss alone while evaluating, where dropout is off."""
        if not torch.is_grad_enabled():
            return self.inner(model, batch)
        first, second = self.inner.logits(model, batch), self.inner.logits(model, batch)
        one, other = self.inner.loss(first, batch), self.inner.loss(second, batch)
        p_UC, q_UC = self.inner.scored(first, batch), self.inner.scored(second, batch)
        apart = 0.5 * (divergence(p_UC, q_UC) + divergence(q_UC, p_UC))
        total = 0.5 * (one.total + other.total) + 0.5 * self.weight * apart
        return Loss(total, one.units, {**one.metrics, "divergence": apart.detach()})


class VAT(Wrapper[LogitObjective[Any]]):
    """The loss, and how far what the model says moves under the small change that moves it most.

    The change needs no labels: it is found by power iteration on the divergence's second derivative.
    """

    def __init__(
        self,
        inner: LogitObjective[Any],
        *,
        epsilon: float = 1.0,
        probe: float = 0.1,
        iterations: int = 1,
        weight: float = 1.0,
    ) -> None:
        super().__init__(inner)
        self.epsilon, self.probe, self.iterations, self.weight = epsilon, probe, iterations, weight

    def __call__(self, model: nn.Module, batch: Any) -> Loss:
        """The inner loss alone while evaluating."""
        if not torch.is_grad_enabled():
            return self.inner(model, batch)
        with embeddings_changed(model) as seen:
            logits = self.inner.logits(model, batch)
        clean = self.inner.loss(logits, batch)
        said_UC = self.inner.scored(logits, batch).detach()
        direction_BTD = unit(torch.randn_like(seen[0]))
        for _ in range(self.iterations):
            moved, embeddings_BTD = self._moved(model, batch, said_UC, self.probe * direction_BTD)
            direction_BTD = unit(gradient_at(moved, embeddings_BTD))
        moved, _ = self._moved(model, batch, said_UC, self.epsilon * direction_BTD)
        metrics = {**clean.metrics, "divergence": moved.detach()}
        return Loss(clean.total + self.weight * moved, clean.units, metrics)

    def _moved(self, model: nn.Module, batch: Any, said_UC: Tensor, change_BTD: Tensor) -> tuple[Tensor, Tensor]:
        with embeddings_changed(model, change_BTD) as seen:
            logits = self.inner.logits(model, batch)
        return divergence(said_UC, self.inner.scored(logits, batch)), seen[0]
