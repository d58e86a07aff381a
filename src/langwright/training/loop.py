"""The training loop. There is one, and it knows no objective by name.

It is a generator: `for step in train(…)` makes one optimizer update a turn, and whoever turns it decides
when to log, save, evaluate or stop.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from langwright.errors import UserError
from langwright.training.crew import ALONE, Crew
from langwright.training.gradients import GradientRule, Part, Sum
from langwright.training.loss import Batch, Loss, Objective, task_of
from langwright.training.scaling import LossScale
from langwright.training.trainable import plain_name


@dataclass(frozen=True)
class Step:
    """One optimizer update, as it was made."""

    number: int  # updates done, from 1
    total: Tensor  # detached sum over units
    units: int
    metrics: dict[str, Tensor]  # detached sums over units
    gradient_norm: Tensor  # before clipping
    learning_rate: float
    positions: int  # token positions computed, padding included
    padding: int
    seconds: float  # from asking for the data to the end of the update; the caller's own time is left out
    measured: Mapping[str, Tensor] = field(default_factory=dict)  # by the gradient rule; not sums

    @property
    def loss(self) -> float:
        """Per unit, in nats; 0 where no token of the update was supervised."""
        return self.total.item() / max(self.units, 1)

    @property
    def useful(self) -> float:
        """Share of computed positions that are not padding."""
        return 1 - self.padding / self.positions

    @property
    def tokens_per_second(self) -> float:
        """Positions computed a second, padding included."""
        return self.positions / self.seconds


class NonFinite(UserError):
    """The loss or a gradient is not a number. The update was not made: the weights are as before it."""

    def __init__(self, step: int, weight: str, batches: Sequence[Batch], rank: int | None = None) -> None:
        """
        weight  the first whose gradient is not finite, of the model or of the objective; empty when it is the loss itself
        rank    the process in which it began, where there are several and it is known
        """
        fix = "lower the learning rate or raise the warm-up; the unfinished run keeps its last good checkpoint in checkpoints/ and the batch in run/bad-batch.safetensors"
        if rank is None:
            super().__init__(
                "training broke down at step {step}: the gradient of {weight} is not a finite number"
                if weight
                else "training broke down at step {step}: the loss is not a finite number",
                fix=fix,
                step=step,
                weight=weight,
            )
        else:
            super().__init__(
                "training broke down at step {step} in process {rank}: the gradient of {weight} is not a finite number"
                if weight
                else "training broke down at step {step} in process {rank}: the loss is not a finite number",
                fix=fix,
                step=step,
                weight=weight,
                rank=rank,
            )
        self.batches = tuple(batches)
        self.rank = rank


@dataclass
class Gathered:
    """What an update's micro-batches add up to."""

    total: Tensor | None = None
    metrics: dict[str, Tensor] = field(default_factory=dict)
    positions: int = 0
    padding: int = 0
    broken: tuple[int, ...] = ()  # processes whose own loss or gradient was not finite, where there are several

    def add(self, loss: Loss) -> None:
        """Add one micro-batch's sums."""
        total = loss.total.detach().float()
        self.total = total if self.total is None else self.total + total
        for name, value in loss.metrics.items():
            self.metrics[name] = self.metrics[name] + value if name in self.metrics else value

    def over_all(self, crew: Crew, finite: bool) -> Gathered:
        """The sums over all processes; `finite` says whether this one's gradient was."""
        assert self.total is not None  # an update has at least one part
        if crew.size == 1:
            return self
        metrics = {name: float(value) for name, value in self.metrics.items()}
        said = crew.gather([self.total.item(), metrics, self.positions, self.padding, finite])
        totals, shares, positions, padding, fine = zip(*said, strict=True)
        summed: dict[str, float] = {}
        for share in shares:
            for name, value in share.items():
                summed[name] = summed.get(name, 0.0) + value
        broken = tuple(rank for rank, ok in enumerate(fine) if not (ok and math.isfinite(totals[rank])))
        return Gathered(
            torch.tensor(math.fsum(totals) if all(map(math.isfinite, totals)) else math.nan),
            {name: torch.tensor(value) for name, value in summed.items()},
            sum(positions),
            sum(padding),
            broken,
        )


def train(
    model: nn.Module,
    objective: Objective[Any],
    batches: Iterable[Sequence[Batch]],
    optimizer: torch.optim.Optimizer,
    *,
    rate: Callable[[int], float],
    start: int = 0,
    steps: int,
    clip: float = 1.0,
    clip_value: float | None = None,
    gradients: GradientRule | None = None,
    autocast: torch.dtype | None = None,
    crew: Crew = ALONE,
    scale: LossScale | None = None,
) -> Iterator[Step]:
    """Yield one Step per optimizer update, numbered from `start + 1` to `steps`.

    batches    for each update its micro-batches; ends early, without an error, when it runs out
    rate       learning rate of an update, given how many were made before it; a group of the optimizer with a
               "factor" gets it times that
    clip       largest norm of the whole gradient; 0 turns clipping off
    clip_value largest absolute value of each of the gradient's entries, cut before the norm; None cuts none
    gradients  the rule between backward and the optimizer; the sum of the parts by default
    autocast   type that matrices are multiplied in; None leaves the model's own
    crew       the processes that make an update together; each has its own micro-batches of it
    scale      of the loss, for gradients in float16; an update whose gradients overflow is made again with a smaller one
    raises     NonFinite before the update when the loss or the gradient is not finite;
               UserError when a batch whose examples interact was cut
    """
    rule = gradients or Sum()
    stream = iter(batches)
    for number in range(start + 1, steps + 1):
        began = time.perf_counter()
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]  # some may have joined
        parts = next(stream, None)
        if parts is None:
            return
        refuse_cut(objective, parts)
        units = sum(crew.gather(sum(part.units for part in parts)))
        while True:
            own = Gathered(positions=sum(part.positions for part in parts), padding=sum(part.padding for part in parts))
            share = max(units, 1) / (scale.scale if scale else 1.0)
            losses = scaled_losses(model, objective, parts, share, own, autocast)
            measured = rule.backward(losses, weights, update=number - 1)
            gathered = own.over_all(crew, crew.add_gradients(weights))
            assert gathered.total is not None
            if scale is None or scale.back(weights, gathered.total, crew):
                break
            optimizer.zero_grad(set_to_none=True)
        norm = finite_norm(model, objective, weights, gathered, number, parts, crew)
        clip_gradient(weights, norm, clip, clip_value, crew)
        learning_rate = rate(number - 1)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * group.get("factor", 1.0)
        optimizer.step()
        rule.after_step()
        optimizer.zero_grad(set_to_none=True)
        yield Step(
            number,
            gathered.total,
            units,
            gathered.metrics,
            norm,
            learning_rate,
            positions=gathered.positions,
            padding=gathered.padding,
            seconds=time.perf_counter() - began,
            measured=measured,
        )


def refuse_cut(objective: Objective[Any], parts: Sequence[Batch]) -> None:
    """UserError when a batch whose examples interact was cut."""
    if len(parts) > 1 and not objective.separable:
        raise UserError(
            "this objective compares the examples of a batch, so the batch cannot be cut into {count} micro-batches",
            fix="set micro_rows to batch_rows, or lower batch_rows",
            count=len(parts),
        )


def scaled_losses(
    model: nn.Module,
    objective: Objective[Any],
    parts: Sequence[Batch],
    units: float,
    gathered: Gathered,
    autocast: torch.dtype | None,
) -> Iterator[Part]:
    """Each micro-batch's share of the update's mean loss, its graph alive until the next is asked for.

    units  what each sum is divided by
    """
    for part in parts:
        with forward_precision(model, autocast):
            loss = objective(model, part)
        gathered.add(loss)
        yield Part(loss.total / units, part.units, task_of(part))


def forward_precision(model: nn.Module, autocast: torch.dtype | None) -> contextlib.AbstractContextManager[object]:
    """Autocast on the model's device, or nothing."""
    if autocast is None:
        return contextlib.nullcontext()
    return torch.autocast(next(model.parameters()).device.type, dtype=autocast)


def finite_norm(
    model: nn.Module,
    objective: Objective[Any],
    weights: list[nn.Parameter],
    gathered: Gathered,
    number: int,
    parts: Sequence[Batch],
    crew: Crew,
) -> Tensor:
    """The gradient's norm; NonFinite names the first weight that went wrong."""
    norm = norm_of(weights, crew)
    assert gathered.total is not None  # an update has at least one part
    if not (torch.isfinite(norm) and torch.isfinite(gathered.total)):
        named = [(plain_name(name), weight) for name, weight in model.named_parameters()]
        named += [(f"objective.{own}", weight) for own, weight in enumerate(objective.parameters())]
        broken = [
            name
            for name, weight in named
            if weight.grad is not None and not torch.isfinite(crew.whole(weight.grad)).all()
        ]
        raise NonFinite(number, broken[0] if broken else "", parts, gathered.broken[0] if gathered.broken else None)
    return norm


def norm_of(weights: list[nn.Parameter], crew: Crew) -> Tensor:
    """Length of the whole gradient, also where this process holds a part of it."""
    return crew.whole(nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None]))


def clip_gradient(
    weights: list[nn.Parameter], norm: Tensor, clip: float, clip_value: float | None, crew: Crew = ALONE
) -> None:
    """Cut the gradient in place: each entry to `clip_value`, then the whole to the norm `clip`."""
    if clip_value is not None:
        nn.utils.clip_grad_value_(weights, clip_value)
        norm = norm_of(weights, crew)
    if clip > 0:
        nn.utils.clip_grads_with_norm_(weights, clip, norm)
