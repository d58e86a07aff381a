"""Gradient rules: what lies between the parts of an update and the gradient the optimizer sees.

Source    PCGrad: Yu et al. 2020, arXiv:2001.06782, algorithm 1 (each task's gradient is projected onto the normal
          plane of every other's it conflicts with, the others in random order)
          A-GEM: Chaudhry et al. 2019, arXiv:1812.00420, equation 11 (the gradient is projected where it points
          against the gradient on a memory of earlier tasks)
          noise scale: McCandlish et al. 2018, arXiv:1812.06162, equations 2.9, A.2 and A.3
          path integral: Zenke, Poole & Ganguli 2017, arXiv:1703.04200, equations 1 to 3
Differs   the noise scale's two batch sizes are the update and its micro-batches; they may be of unequal size, for
          which the estimators are weighted by it (with equal ones they are the paper's)
Symbols   g gradient, ω path integral, θ weights, G true gradient, Σ covariance of one unit's gradient

A rule may hold state, which goes into checkpoints. Each but `Sum` costs one more copy of the gradient, PCGrad one
for each task. Settings are declared here; torch is imported only where it computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, assert_never

from pydantic import Field

from langwright.errors import UserError
from langwright.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor, nn

    Weights = Sequence[nn.Parameter]
    Flat = list[Tensor]  # one gradient a weight

# --- what can be chosen ------------------------------------------------------------------------------


class PlainSum(Settings):
    """The gradients of the parts, added up."""

    kind: Literal["sum"] = "sum"


class MeasuredSum(Settings):
    """The same, and the gradient noise scale measured: about the batch size beyond which larger ones stop paying."""

    kind: Literal["noise-scale"] = "noise-scale"
    decay: Annotated[float, Field(ge=0, lt=1, description="Share of the running means that each update keeps")] = 0.95


class Surgery(Settings):
    """PCGrad: where the gradients of two tasks point against each other, each loses what is against the other."""

    kind: Literal["pcgrad"] = "pcgrad"


Gradients = Annotated[
    PlainSum | MeasuredSum | Surgery,
    Field(discriminator="kind", description="How the gradients of an update's parts become one"),
]


def build_rule(settings: Gradients, seed: int, tasks: int = 1) -> GradientRule:
    """The rule of the settings.

    tasks   that are learned together
    raises  UserError where a rule for several tasks is asked for with one
    """
    match settings:
        case PlainSum():
            return Sum()
        case MeasuredSum():
            return NoiseScale(settings.decay)
        case Surgery():
            if tasks < 2:
                raise UserError(
                    "gradients = pcgrad sets the gradients of several tasks against each other, and this run has one",
                    fix="leave gradients out: that rule is for several tasks that are trained together",
                )
            return PCGrad(seed)
    assert_never(settings)


# --- the rules ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """One micro-batch's share of an update.

    loss   a scalar with a graph, already divided by the units of the whole update
    units  the micro-batch's own
    task   the task it belongs to, where several are learned together
    """

    loss: Tensor
    units: int
    task: str = ""


class GradientRule(Protocol):
    """Turns the losses of an update's parts into `.grad` of the weights."""

    def backward(self, parts: Iterable[Part], weights: Weights, update: int) -> Mapping[str, Tensor]:
        """Backpropagate each part as it comes, and say what was measured on the way.

        parts    the forward pass of one runs when it is asked for, so only one graph is alive at a time
        weights  what the optimizer trains
        update   its number from 0, for what is drawn
        """
        ...

    def after_step(self) -> None:
        """Called when the optimizer has moved the weights; not where the update was given up."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """What a resume needs."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        ...


class Sum:
    """The ordinary gradient: the parts added up."""

    def backward(self, parts: Iterable[Part], weights: Weights, update: int) -> Mapping[str, Tensor]:
        """See `GradientRule.backward`."""
        for part in parts:
            part.loss.backward()  # type: ignore[no-untyped-call]
        return {}

    def after_step(self) -> None:
        """Nothing."""

    def state_dict(self) -> dict[str, Tensor]:
        """None."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Nothing to take back."""


class PCGrad(Sum):
    """Gradient surgery between tasks; an update with parts of one task only is left as it is."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def backward(self, parts: Iterable[Part], weights: Weights, update: int) -> Mapping[str, Tensor]:
        """Returns the share of pairs of tasks that were in conflict."""
        import torch

        from langwright.data.drawing import draws

        by_task: dict[str, Flat] = {}
        for part in parts:
            found = gradient_of(part.loss, weights)
            if part.task in by_task:
                torch._foreach_add_(by_task[part.task], found)
            else:
                by_task[part.task] = found
        generator = draws(self.seed, 0, update, "pcgrad")
        total = [torch.zeros_like(weight) for weight in weights]
        conflicts = 0
        for task, own in by_task.items():
            others = [other for other in by_task if other != task]
            changed = [value.clone() for value in own]
            for number in generator.permutation(len(others)):
                conflicts += project(changed, by_task[others[number]])
            torch._foreach_add_(total, changed)
        add_gradient(weights, total)
        pairs = len(by_task) * (len(by_task) - 1)
        return {"conflicts": torch.tensor(conflicts / pairs)} if pairs else {}


class NoiseScale(Sum):
    """The sum, with trΣ / |G|² measured from the gradients of the micro-batches and of the whole update.

    The running means of numerator and denominator begin at zero alike, so their ratio needs no correction.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.means: Tensor | None = None  # of trΣ and |G|², float64

    def backward(self, parts: Iterable[Part], weights: Weights, update: int) -> Mapping[str, Tensor]:
        """Returns the noise scale in units: target tokens, texts.

        raises  UserError where an update has one part alone
        """
        import torch

        total = [torch.zeros_like(weight) for weight in weights]
        squares, sizes = [], []
        for part in parts:
            found = gradient_of(part.loss, weights)
            torch._foreach_add_(total, found)
            if part.units:
                squares.append(inner(found, found).double())
                sizes.append(part.units)
        if len(sizes) < 2:
            raise UserError(
                "the gradient noise scale compares the micro-batches of an update, and here each update is computed at once",
                fix="set micro_rows to at most half of batch_rows",
            )
        add_gradient(weights, total)
        found_now = noise_and_signal(squares, sizes, inner(total, total).double())
        before = torch.zeros_like(found_now) if self.means is None else self.means.to(found_now.device)
        self.means = self.decay * before + (1 - self.decay) * found_now
        return {"gradient noise scale": self.means[0] / self.means[1]}

    def state_dict(self) -> dict[str, Tensor]:
        """The running means."""
        return {} if self.means is None else {"means": self.means}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        self.means = state.get("means")


def noise_and_signal(squares: Sequence[Tensor], sizes: Sequence[int], whole: Tensor) -> Tensor:
    """(trΣ, |G|²), unbiased, from one update; shape (2,).

    squares  |gradient|² of each micro-batch, as it stands in the update's sum
    sizes    units of each
    whole    |gradient|² of the update

    A micro-batch of u units out of U has the mean gradient g·U/u, whose square is |G|² + trΣ/u on average.
    """
    import torch

    units = sum(sizes)
    small = torch.stack([square * (units / size) for square, size in zip(squares, sizes, strict=True)]).sum()
    noise = (small - whole) * units / (len(sizes) - 1)
    return torch.stack([noise, whole - noise / units])


class AGEM(Sum):
    """A-GEM around another rule: what points against the gradient on the memory is taken out."""

    def __init__(self, rule: GradientRule, reference: Callable[[int], Tensor]) -> None:
        """reference: the mean loss on some of the memory, given the update's number; a scalar with a graph."""
        self.rule, self.reference = rule, reference

    def backward(self, parts: Iterable[Part], weights: Weights, update: int) -> Mapping[str, Tensor]:
        """Returns 1 as `projected` where the gradient was changed, else 0."""
        import torch

        measured = self.rule.backward(parts, weights, update)
        held = gradient_of(self.reference(update), weights)
        for weight in weights:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        changed = project([weight.grad for weight in weights if weight.grad is not None], held)
        return {**measured, "projected": torch.tensor(float(changed))}

    def after_step(self) -> None:
        """The inner rule's."""
        self.rule.after_step()

    def state_dict(self) -> dict[str, Tensor]:
        """The inner rule's."""
        return self.rule.state_dict()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """The inner rule's."""
        self.rule.load_state_dict(state)


class PathIntegral:
    """Synaptic intelligence's ω around another rule: how much each weight's own moves have lowered the loss.

    ω = Σ over updates of -g · Δθ, with g the gradient of the data's loss before clipping.
    """

    def __init__(
        self, rule: GradientRule, weights: Mapping[str, nn.Parameter], penalty: Callable[[], Tensor] | None = None
    ) -> None:
        """penalty: what the loss contains besides the data's; its gradient is taken out of g."""
        import torch

        self.rule, self.weights, self.penalty = rule, dict(weights), penalty
        self.integral = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        self.before: list[tuple[Tensor, Tensor]] = []  # (g, θ) of the update under way

    def backward(self, parts: Iterable[Part], weights: Weights, update: int) -> Mapping[str, Tensor]:
        """See `GradientRule.backward`; takes down g and θ."""
        import torch

        measured = self.rule.backward(parts, weights, update)
        own = list(self.weights.values())
        found = [torch.zeros_like(weight) if weight.grad is None else weight.grad.clone() for weight in own]
        if self.penalty is not None:
            torch._foreach_sub_(found, gradient_of(self.penalty(), own))
        self.before = [(g, weight.detach().clone()) for g, weight in zip(found, own, strict=True)]
        return measured

    def after_step(self) -> None:
        """Add what this update's moves were worth."""
        for (name, weight), (gradient, start) in zip(self.weights.items(), self.before, strict=True):
            self.integral[name] -= gradient * (weight.detach() - start)
        self.before = []
        self.rule.after_step()

    def state_dict(self) -> dict[str, Tensor]:
        """ω and the inner rule's."""
        return {f"path:{name}": value for name, value in self.integral.items()} | self.rule.state_dict()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        self.integral = {name: state[f"path:{name}"].to(w.device) for name, w in self.weights.items()}
        self.rule.load_state_dict({key: value for key, value in state.items() if not key.startswith("path:")})


# --- gradients as lists ------------------------------------------------------------------------------


def gradient_of(loss: Tensor, weights: Weights) -> Flat:
    """The gradient by each weight; zero where the loss does not depend on it."""
    import torch

    found = torch.autograd.grad(loss, list(weights), allow_unused=True)
    return [torch.zeros_like(w) if g is None else g for w, g in zip(weights, found, strict=True)]


def add_gradient(weights: Weights, values: Flat) -> None:
    """Make these the weights' `.grad`, or add them to what is there."""
    for weight, value in zip(weights, values, strict=True):
        weight.grad = value if weight.grad is None else weight.grad + value


def inner(one: Flat, other: Flat) -> Tensor:
    """Their inner product; a scalar."""
    import torch

    return torch.stack([(a * b).sum() for a, b in zip(one, other, strict=True)]).sum()


def project(changed: Flat, held: Flat) -> bool:
    """Take out of the first, in place, what points against the second; whether there was any."""
    import torch

    against = inner(changed, held)
    if against >= 0:
        return False
    share = against / inner(held, held)
    torch._foreach_sub_(changed, [share * value for value in held])
    return True
