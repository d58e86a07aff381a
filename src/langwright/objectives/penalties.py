"""Terms that pull weights towards zero or towards where they were, added to any objective.

A penalty does not depend on the data, so it is added as penalty × units and a batch may be cut anywhere.

Source    L1 and L2: Tibshirani 1996; Krogh & Hertz 1992
          L2-SP: Li, Grandvalet & Davoine 2018, arXiv:1802.01483, equation 2 (towards the weights one started from)
          EWC: Kirkpatrick et al. 2017, arXiv:1612.00796, equation 3 (towards the weights of an earlier task, each
          held as firmly as that task's Fisher information says)
          online EWC: Schwarz et al. 2018, arXiv:1805.06370, equation 9 (one running Fisher instead of one a task)
Symbols   θ weights, θ* where they are held, F diagonal of the Fisher information
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from langwright.objectives.wrapping import Wrapper, own_weights
from langwright.training.loss import LogitObjective, Loss, Objective

Named = Mapping[str, Tensor]


class Penalty(Protocol):
    """A function of the weights, with tensors of its own that a resume needs."""

    def __call__(self, model: nn.Module) -> Tensor: ...

    def state_dict(self) -> dict[str, Tensor]: ...

    def load_state_dict(self, state: Named) -> None: ...


class Penalised(Wrapper[Objective[Any]]):
    """An objective with penalties added."""

    def __init__(self, inner: Objective[Any], penalties: Mapping[str, Penalty]) -> None:
        """penalties: by the name under which each is logged."""
        super().__init__(inner)
        self.penalties = dict(penalties)

    def __call__(self, model: nn.Module, batch: Any) -> Loss:
        """The inner loss alone while evaluating."""
        found = self.inner(model, batch)
        if not torch.is_grad_enabled():
            return found
        total, metrics = found.total, dict(found.metrics)
        for name, penalty in self.penalties.items():
            value = penalty(model) * found.units
            total, metrics[name] = total + value, value.detach()
        return Loss(total, found.units, metrics)

    def state_dict(self) -> dict[str, Tensor]:
        """The inner objective's and the penalties'."""
        mine = {
            f"{name}.{key}": value
            for name, penalty in self.penalties.items()
            for key, value in penalty.state_dict().items()
        }
        return {**self.inner.state_dict(), **mine}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        rest = dict(state)
        for name, penalty in self.penalties.items():
            own = {key.removeprefix(f"{name}."): rest.pop(key) for key in list(rest) if key.startswith(f"{name}.")}
            penalty.load_state_dict(own)
        self.inner.load_state_dict(rest)


def decayed(model: nn.Module) -> dict[str, nn.Parameter]:
    """The trainable matrices: what penalties of size act on, as weight decay does."""
    return {name: weight for name, weight in own_weights(model).items() if weight.ndim >= 2}


def total_of(terms: Iterable[Tensor]) -> Tensor:
    """Their sum; a scalar."""
    return torch.stack(list(terms)).sum()


class Norm:
    """strength · Σ|θ| or strength · ½ Σθ², over trainable matrices."""

    def __init__(self, strength: float, power: Literal[1, 2]) -> None:
        self.strength, self.power = strength, power

    def __call__(self, model: nn.Module) -> Tensor:
        """A scalar with a graph."""
        weights = decayed(model).values()
        if self.power == 1:
            return self.strength * total_of(weight.abs().sum() for weight in weights)
        return 0.5 * self.strength * total_of(weight.square().sum() for weight in weights)

    def state_dict(self) -> dict[str, Tensor]:
        """None."""
        return {}

    def load_state_dict(self, state: Named) -> None:
        """Nothing to take back."""


class Anchored:
    """strength · ½ Σ F (θ - θ*)²; with F = 1 this is L2-SP, with a Fisher diagonal EWC.

    anchor      θ* by weight name; weights it does not name (a new head) are not held
    importance  F by weight name, never negative; 1 where None
    """

    def __init__(self, strength: float, anchor: Named, importance: Named | None = None) -> None:
        self.strength = strength
        self.anchor = {name: value.detach().clone() for name, value in anchor.items()}
        self.importance = None if importance is None else {n: importance[n].detach().clone() for n in self.anchor}

    def __call__(self, model: nn.Module) -> Tensor:
        """A scalar with a graph."""
        terms = []
        for name, weight in own_weights(model).items():
            if name not in self.anchor:
                continue
            moved = (weight - self.anchor[name].to(weight.device)).square()
            terms.append((moved if self.importance is None else moved * self.importance[name].to(weight.device)).sum())
        return 0.5 * self.strength * total_of(terms)

    def state_dict(self) -> dict[str, Tensor]:
        """θ* and F."""
        held = {f"anchor:{name}": value for name, value in self.anchor.items()}
        return held | {f"importance:{name}": value for name, value in (self.importance or {}).items()}

    def load_state_dict(self, state: Named) -> None:
        """Take back what `state_dict` gave."""
        parts = {key.partition(":")[::2]: value for key, value in state.items()}
        self.anchor = {name: value for (part, name), value in parts.items() if part == "anchor"}
        self.importance = {name: value for (part, name), value in parts.items() if part == "importance"} or None


def fisher_diagonal(
    model: nn.Module,
    objective: LogitObjective[Any],
    examples: Iterable[Any],
    *,
    labels: Literal["exact", "sampled", "data"] = "sampled",
    seed: int = 0,
) -> dict[str, Tensor]:
    """Mean over examples of the squared gradient of log p(y | x), by weight name; dropout off.

    examples  batches of one example each: the square of a sum of gradients is not the sum of squares
    labels    `exact` takes the expectation over every class, which the definition asks for and costs a backward
              pass a class; `sampled` draws y from the model, right on average; `data` takes the true labels,
              the "empirical Fisher", which is not the Fisher information (Kunstner et al. 2019, arXiv:1905.12558)
    """
    generator = torch.Generator().manual_seed(seed)
    weights = own_weights(model)
    found = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    was_training, count = model.training, 0
    model.eval()
    for batch in examples:
        count += 1
        for share, log_probability in outcomes(model, objective, batch, labels, generator):
            gradients = torch.autograd.grad(
                log_probability, list(weights.values()), retain_graph=True, allow_unused=True
            )
            for name, gradient in zip(weights, gradients, strict=True):
                if gradient is not None:
                    found[name] += share * gradient.square()
    model.train(was_training)
    return {name: value / max(count, 1) for name, value in found.items()}


def outcomes(
    model: nn.Module, objective: LogitObjective[Any], batch: Any, labels: str, generator: torch.Generator
) -> Iterable[tuple[float, Tensor]]:
    """(weight, log p(y | x)) for the outcomes y of one example that are to be counted."""
    logits = objective.logits(model, batch)
    if labels == "data":
        return [(1.0, -objective.loss(logits, batch).total)]
    logp_UC = objective.scored(logits, batch).log_softmax(-1)
    probability_UC = logp_UC.detach().exp()
    if labels == "sampled":
        drawn_U1 = torch.multinomial(probability_UC.cpu(), 1, generator=generator).to(logp_UC.device)
        return [(1.0, logp_UC.gather(-1, drawn_U1).sum())]
    if len(logp_UC) != 1:
        raise ValueError("the exact Fisher needs examples with one unit each; a sequence has too many outcomes")
    return [(float(p), logp) for p, logp in zip(probability_UC[0], logp_UC[0], strict=True)]


def running(before: Named, found: Named, decay: float) -> dict[str, Tensor]:
    """Online EWC's importance after another task: decay · before + found."""
    return {name: decay * before[name] + value if name in before else value for name, value in found.items()}
