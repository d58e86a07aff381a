"""Against forgetting what was learned before: the old model's answers kept, weights held by what they were worth.

Source    LwF: Li & Hoiem 2017, arXiv:1606.09282, equations 1 to 3 (on new data the new model is to answer as the
          old one did, both softened by a temperature)
          SI: Zenke, Poole & Ganguli 2017, arXiv:1703.04200, equations 4 and 5; the path integral itself is
          `training.gradients.PathIntegral`
          one head for each task: Lopez-Paz & Ranzato 2017, arXiv:1706.08840, section 2 (the task of an example is known)
Differs   LwF is the divergence rather than the cross-entropy: the same gradient, and zero where the two agree.
          SI's strength is the paper's c, and its penalty c Σ Ω (θ - θ̃)² is `Anchored` with strength 2c
Shapes    U units    C classes    B texts
Symbols   T temperature, Ω importance, ω path integral, Δ how far a weight has moved during a task, ξ damping
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from langwright.objectives.classification import Classification, ClassificationBatch
from langwright.objectives.consistency import divergence
from langwright.objectives.wrapping import Wrapper
from langwright.training.loss import LogitObjective, Loss


class LwF(Wrapper[LogitObjective[Any]]):
    """The loss, and how far the answers have moved from those of the model as it was."""

    def __init__(
        self,
        inner: LogitObjective[Any],
        teacher: nn.Module,
        *,
        weight: float = 1.0,
        temperature: float = 2.0,
        groups: Sequence[Sequence[int]] | None = None,
        scored: Callable[[Tensor, Any], Tensor] | None = None,
    ) -> None:
        """teacher  the model as it was; nothing trains it
        groups   classes that were answers of one question each, such as an old task's; all together when left out
        scored   logits of the units; the inner objective's own when left out
        """
        super().__init__(inner)
        self.teacher = teacher.eval().requires_grad_(False)
        self.weight, self.temperature = weight, temperature
        self.groups = None if groups is None else [list(group) for group in groups]
        self.scored = scored or inner.scored

    def __call__(self, model: nn.Module, batch: Any) -> Loss:
        """The inner loss alone while evaluating."""
        if not torch.is_grad_enabled():
            return self.inner(model, batch)
        logits = self.inner.logits(model, batch)
        found = self.inner.loss(logits, batch)
        with torch.no_grad():
            then_UC = self.scored(self.inner.logits(self.teacher, batch), batch) / self.temperature
        now_UC = self.scored(logits, batch) / self.temperature
        groups = [slice(None)] if self.groups is None else self.groups
        moved = torch.stack([divergence(then_UC[:, group], now_UC[:, group]) for group in groups]).sum()
        return Loss(found.total + self.weight * moved, found.units, {**found.metrics, "moved": moved.detach()})


def worth(
    path: Mapping[str, Tensor],
    start: Mapping[str, Tensor],
    end: Mapping[str, Tensor],
    *,
    damping: float,
    before: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """SI's importance Ω of each weight after a task: what earlier tasks left, plus ω / (Δ² + ξ).

    A weight whose moves made the loss higher has a negative ω. It counts as zero, since a negative importance
    would push the weight away from where it is.
    """
    found = {
        name: (value / ((end[name] - start[name]).square() + damping)).clamp(min=0) for name, value in path.items()
    }
    return {name: value + before[name] if before else value for name, value in found.items()}


class HeadATask(Classification):
    """Classification where each task has classes of its own, and a text is asked about those of its task alone.

    One linear head over all classes with the others left out is the same as a head for each task.
    """

    def __init__(self, groups: Sequence[Sequence[int]]) -> None:
        """groups: the classes of each task; each class belongs to one."""
        super().__init__()
        task_of_C = torch.empty(sum(map(len, groups)), dtype=torch.int64)
        for number, group in enumerate(groups):
            task_of_C[list(group)] = number
        self.task_of_C = task_of_C

    def scored(self, logits: Tensor, batch: ClassificationBatch) -> Tensor:
        """Shape (B, C): -inf for classes of other tasks."""
        task_of_C = self.task_of_C.to(logits.device)
        other_BC = task_of_C[None] != task_of_C[batch.labels_B.to(logits.device)][:, None]
        return logits.masked_fill(other_BC, -torch.inf)

    def loss(self, logits: Tensor, batch: ClassificationBatch) -> Loss:
        """Summed over texts."""
        return super().loss(self.scored(logits, batch), batch)
