"""Several tasks learned together on `models.shared.SharedTrunk`, each by its own objective on its own head.

Source    Kendall, Gal & Cipolla 2018, arXiv:1705.07115, equations 7 and 10 (weighting by uncertainty)
Differs   the variance of equation 10 is the temperature of a softmax; s = log σ² is learned, as the paper advises
          (section 4.2), and begins at 0, where both tasks weigh what they weigh without it
Symbols   L a task's mean loss, σ² its variance, s = log σ²
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from langwright.training.loss import Loss, Objective
from langwright.training.mixing import TaskBatch, Together


class MultiTask:
    """Each batch by the objective of its task, on the head of its task.

    Plain, the loss is Σ share · L. With uncertainty it is Σ share · (exp(-s) L + s/2), or for a squared error, which
    is a Gaussian's exponent but for the half, Σ share · (½ exp(-s) L + s/2); s is learned for each task.
    """

    def __init__(
        self, tasks: Mapping[str, Objective[Any]], *, uncertainty: bool = False, squared: frozenset[str] = frozenset()
    ) -> None:
        """squared: tasks whose loss is a squared error."""
        self.tasks, self.squared = dict(tasks), squared
        self.separable = all(objective.separable for objective in self.tasks.values())
        self.log_variances = {task: nn.Parameter(torch.zeros(())) for task in self.tasks} if uncertainty else {}

    def __call__(self, model: Any, batch: TaskBatch | Together) -> Loss:
        """The loss over rows of a `SharedTrunk`, scaled so that each task's is a mean over its own units.

        Metrics are of each task by itself. While evaluating variances play no part.
        """
        if isinstance(batch, Together):
            return added([self(model, part) for part in batch.parts])
        found = self.tasks[batch.task](model.head(batch.task), batch.batch)
        total, own = batch.scale * found.total, batch.scale / batch.share
        metrics = {f"{batch.task} {name}": own * value for name, value in found.metrics.items()}
        metrics[f"{batch.task} loss"] = own * found.total.detach()
        if self.log_variances and torch.is_grad_enabled():
            log_variance = self.log_variances[batch.task].to(total.device)
            half = 0.5 if batch.task in self.squared else 1.0
            total = half * torch.exp(-log_variance) * total + 0.5 * log_variance * batch.rows
            metrics[f"{batch.task} variance"] = log_variance.detach().exp() * (batch.rows / batch.share)
        return Loss(total, batch.rows, metrics)

    def parameters(self) -> list[nn.Parameter]:
        """log σ² of each task, and what the tasks' objectives own."""
        inner = [weight for objective in self.tasks.values() for weight in objective.parameters()]
        return [*self.log_variances.values(), *inner]

    def state_dict(self) -> dict[str, Tensor]:
        """What the tasks' objectives hold."""
        return {
            f"{number}.{key}": value
            for number, objective in enumerate(self.tasks.values())
            for key, value in objective.state_dict().items()
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        for number, objective in enumerate(self.tasks.values()):
            lead = f"{number}."
            objective.load_state_dict({k.removeprefix(lead): v for k, v in state.items() if k.startswith(lead)})


def added(losses: list[Loss]) -> Loss:
    """Sums of sums."""
    metrics: dict[str, Tensor] = {}
    for loss in losses:
        for name, value in loss.metrics.items():
            metrics[name] = metrics[name] + value if name in metrics else value
    return Loss(torch.stack([loss.total for loss in losses]).sum(), sum(loss.units for loss in losses), metrics)
