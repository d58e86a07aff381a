"""Learning-rate schedules: what each can be told, and the rate of every update. Imports nothing heavy.

Differs from `transformers.get_scheduler`: update s (from 0) of N uses what transformers gives at s + 1 of
N + 1, so that neither the first nor the last update is made with a rate of zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, assert_never

from pydantic import Field

from langwright.settings import Settings


class WarmUp(Settings):
    """What begins with a rise from zero (Goyal et al. 2017, arXiv:1706.02677, section 2.2)."""

    warmup_share: Annotated[
        float, Field(ge=0, lt=1, description="Share of the steps in which the rate rises from zero")
    ] = 0.05


class Constant(WarmUp):
    """Warm-up, then the peak to the end."""

    kind: Literal["constant"] = "constant"


class Linear(WarmUp):
    """Warm-up, then a straight line down to zero."""

    kind: Literal["linear"] = "linear"


class Polynomial(WarmUp):
    """Warm-up, then (1 - share done) to a power, down to a share of the peak."""

    kind: Literal["polynomial"] = "polynomial"
    power: Annotated[float, Field(gt=0, description="Power of the share that is still to do")] = 2.0
    final_share: Annotated[float, Field(ge=0, le=1, description="Share of the peak rate that is left at the end")] = 0.0


class Cosine(WarmUp):
    """Warm-up, then half a cosine down to a share of the peak (Loshchilov & Hutter 2017, arXiv:1608.03983)."""

    kind: Literal["cosine"] = "cosine"
    final_share: Annotated[float, Field(ge=0, le=1, description="Share of the peak rate that is left at the end")] = 0.1


class CosineRestarts(WarmUp):
    """Warm-up, then half cosines one after the other, each from the peak (Loshchilov & Hutter 2017, arXiv:1608.03983)."""

    kind: Literal["cosine-restarts"] = "cosine-restarts"
    cycles: Annotated[int, Field(ge=1, description="Rises to the peak, or falls from it, over the run")] = 4
    final_share: Annotated[float, Field(ge=0, le=1, description="Share of the peak rate that is left at the end")] = 0.0


class Trapezoid(WarmUp):
    """Warm-up, a plateau, then a straight line down to zero (Zhai et al. 2022, arXiv:2106.04560; Hägele et al. 2024, arXiv:2405.18392)."""

    kind: Literal["trapezoid"] = "trapezoid"
    decay_share: Annotated[
        float, Field(gt=0, lt=1, description="Share of the steps, at the end, in which the rate falls to zero")
    ] = 0.2


class InverseSquareRoot(WarmUp):
    """Warm-up, then in proportion to one over the root of the update's number (Vaswani et al. 2017, arXiv:1706.03762, equation 3)."""

    kind: Literal["inverse-square-root"] = "inverse-square-root"


class Cyclic(Settings):
    """Up and down in straight lines between a low rate and the peak (Smith 2017, arXiv:1506.01186, section 3)."""

    kind: Literal["cyclic"] = "cyclic"
    mode: Annotated[
        Literal["triangular", "triangular2", "exp_range"],
        Field(
            description="Whether the peaks stay (triangular), are halved each time (triangular2) or fall off evenly (exp_range)"
        ),
    ] = "triangular"
    cycles: Annotated[int, Field(ge=1, description="Rises to the peak, or falls from it, over the run")] = 4
    lowest_share: Annotated[float, Field(gt=0, le=1, description="Share of the peak rate between two peaks")] = 0.1
    decay: Annotated[
        float, Field(gt=0, le=1, description="With exp_range, what the height is multiplied with at each update")
    ] = 0.9994


class StepDecay(WarmUp):
    """The rate multiplied by a factor once in so many epochs, counted in whole epochs."""

    kind: Literal["step"] = "step"
    every_epochs: Annotated[int, Field(ge=1, description="Whole passes over the data between two falls")] = 20
    factor: Annotated[float, Field(gt=0, lt=1, description="What the rate is multiplied with at each fall")] = 0.1


class Plateau(WarmUp):
    """The rate multiplied by a factor when the validation loss has stopped falling."""

    kind: Literal["plateau"] = "plateau"
    factor: Annotated[float, Field(gt=0, lt=1, description="What the rate is multiplied with at each fall")] = 0.5
    patience: Annotated[int, Field(ge=0, description="Evaluations without a better loss that are put up with")] = 2
    threshold: Annotated[
        float, Field(ge=0, lt=1, description="Share by which a loss has to be lower than the best to be better")
    ] = 1e-4


Schedule = Annotated[
    Constant
    | Linear
    | Polynomial
    | Cosine
    | CosineRestarts
    | Trapezoid
    | InverseSquareRoot
    | Cyclic
    | StepDecay
    | Plateau,
    Field(discriminator="kind", description="How the learning rate moves over the run"),
]


def rate_factor(
    schedule: Schedule, update: int, updates: int, *, updates_an_epoch: float = math.inf, losses: Sequence[float] = ()
) -> float:
    """What the peak learning rate is multiplied with at an update.

    update            number of updates already done, 0 <= update < updates
    updates           number of updates planned
    updates_an_epoch  in one pass over the data; asked by `step` alone
    losses            validation losses measured so far, in order; asked by `plateau` alone
    """
    if isinstance(schedule, Cyclic):
        return cyclic_factor(schedule, update, updates)
    warmup = round(schedule.warmup_share * updates)
    at, end = update + 1, updates + 1
    if at <= warmup:
        return at / warmup
    done = (at - warmup) / (end - warmup)
    match schedule:
        case Constant():
            return 1.0
        case Linear():
            return 1 - done
        case Polynomial():
            return between(schedule.final_share, (1 - done) ** schedule.power)
        case Cosine():
            return between(schedule.final_share, 0.5 * (1 + math.cos(math.pi * done)))
        case CosineRestarts():
            return between(schedule.final_share, 0.5 * (1 + math.cos(math.pi * (schedule.cycles * done % 1.0))))
        case Trapezoid():
            decay = max(1, round(schedule.decay_share * updates))
            return min(1.0, (end - at) / decay)
        case InverseSquareRoot():
            return math.sqrt(max(warmup, 1) / at)
        case StepDecay():
            epochs = math.floor(update / updates_an_epoch)
            return float(schedule.factor ** (epochs // schedule.every_epochs))
        case Plateau():
            return float(schedule.factor ** falls(losses, schedule.patience, schedule.threshold))
    assert_never(schedule)


def between(low: float, share: float) -> float:
    """From `low` at share 0 to 1 at share 1."""
    return low + (1 - low) * share


def cyclic_factor(schedule: Cyclic, update: int, updates: int) -> float:
    """Smith 2017, listing 1, with half a cycle of `updates / (2 · cycles)` updates."""
    half = updates / (2 * schedule.cycles)
    cycle = math.floor(1 + update / (2 * half))
    height = max(0.0, 1 - abs(update / half - 2 * cycle + 1))
    match schedule.mode:
        case "triangular":
            scale = 1.0
        case "triangular2":
            scale = 0.5 ** (cycle - 1)
        case "exp_range":
            scale = schedule.decay**update
    return between(schedule.lowest_share, height * scale)


def falls(losses: Sequence[float], patience: int, threshold: float) -> int:
    """How often the rate has fallen after these losses: each time more than `patience` in a row were no better.

    As torch.optim.lr_scheduler.ReduceLROnPlateau with its relative threshold and no cooldown.

    >>> falls([3.0, 2.0, 2.0, 2.0, 2.0, 2.0], patience=1, threshold=0.0)
    2
    """
    best, waited, count = math.inf, 0, 0
    for loss in losses:
        if loss < best * (1 - threshold):
            best, waited = loss, 0
        else:
            waited += 1
        if waited > patience:
            count, waited = count + 1, 0
    return count
