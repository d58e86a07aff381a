"""Optimizers: what each can be told, and how a model's weights are handed to it. Imports torch only to build one.

Where torch has a well-kept implementation it is used; LAMB, Lion and Muon beside AdamW are in `updates.py`.
Norms and biases are never decayed, by any of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Literal, Self, assert_never

from pydantic import Field, model_validator

from langwright.errors import UserError
from langwright.settings import Settings

if TYPE_CHECKING:
    import torch
    from torch import nn

DECAY = "Decoupled decay of matrices; norms and biases are never decayed"
IN_GRADIENT = "Decay of matrices, added to the gradient (L2); norms and biases are never decayed"
FIRST = "Decay of the running mean of gradients"
SECOND = "Decay of the running mean of squared gradients"
EPSILON = "Added to the denominator"


class SGD(Settings):
    """Stochastic gradient descent, with momentum (Polyak 1964) or Nesterov's (Sutskever et al. 2013, section 2) where wanted."""

    kind: Literal["sgd"] = "sgd"
    momentum: Annotated[float, Field(ge=0, lt=1, description="Share of the last update that is kept; 0 keeps none")] = (
        0.0
    )
    nesterov: Annotated[bool, Field(description="Look ahead along the momentum, as Nesterov does")] = False
    weight_decay: Annotated[float, Field(ge=0, description=IN_GRADIENT)] = 0.0

    @model_validator(mode="after")
    def momentum_to_look_along(self) -> Self:
        """UserError for Nesterov's look ahead where no momentum is kept."""
        if self.nesterov and not self.momentum:
            raise UserError(
                "optimizer.nesterov = true looks ahead along the momentum, and optimizer.momentum = 0 keeps none",
                fix="give optimizer.momentum too, such as 0.9, or leave nesterov out",
            )
        return self


class Adagrad(Settings):
    """Each weight's rate falls with the root of its summed squared gradients (Duchi et al. 2011, JMLR 12:2121)."""

    kind: Literal["adagrad"] = "adagrad"
    epsilon: Annotated[float, Field(gt=0, description=EPSILON)] = 1e-10
    weight_decay: Annotated[float, Field(ge=0, description=IN_GRADIENT)] = 0.0


class RMSprop(Settings):
    """Gradients divided by the root of their running mean square (Tieleman & Hinton 2012, lecture 6.5)."""

    kind: Literal["rmsprop"] = "rmsprop"
    beta2: Annotated[float, Field(ge=0, lt=1, description=SECOND)] = 0.99
    momentum: Annotated[float, Field(ge=0, lt=1, description="Share of the last update that is kept; 0 keeps none")] = (
        0.0
    )
    epsilon: Annotated[float, Field(gt=0, description=EPSILON)] = 1e-8
    weight_decay: Annotated[float, Field(ge=0, description=IN_GRADIENT)] = 0.0


class Adam(Settings):
    """Running means of gradients and of their squares (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1)."""

    kind: Literal["adam"] = "adam"
    beta1: Annotated[float, Field(ge=0, lt=1, description=FIRST)] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1, description=SECOND)] = 0.999
    epsilon: Annotated[float, Field(gt=0, description=EPSILON)] = 1e-8
    weight_decay: Annotated[float, Field(ge=0, description=IN_GRADIENT)] = 0.0


class AdamW(Settings):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101)."""

    kind: Annotated[Literal["adamw"], Field(description="The optimizer")] = "adamw"
    beta1: Annotated[float, Field(ge=0, lt=1, description=FIRST)] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1, description=SECOND)] = 0.95
    epsilon: Annotated[float, Field(gt=0, description=EPSILON)] = 1e-8
    weight_decay: Annotated[float, Field(ge=0, description=DECAY)] = 0.1


class RAdam(Settings):
    """Adam that waits until the variance of its rate can be known (Liu et al. 2020, arXiv:1908.03265, algorithm 2)."""

    kind: Literal["radam"] = "radam"
    beta1: Annotated[float, Field(ge=0, lt=1, description=FIRST)] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1, description=SECOND)] = 0.999
    epsilon: Annotated[float, Field(gt=0, description=EPSILON)] = 1e-8
    weight_decay: Annotated[float, Field(ge=0, description=DECAY)] = 0.1


class Lamb(Settings):
    """AdamW whose update of a matrix is as long as the matrix, times the rate: for large batches (You et al. 2020, arXiv:1904.00962, algorithm 2)."""

    kind: Literal["lamb"] = "lamb"
    beta1: Annotated[float, Field(ge=0, lt=1, description=FIRST)] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1, description=SECOND)] = 0.999
    epsilon: Annotated[float, Field(gt=0, description=EPSILON)] = 1e-6
    weight_decay: Annotated[float, Field(ge=0, description=DECAY)] = 0.01


class Adafactor(Settings):
    """Adam whose second moments of a matrix are kept as a row and a column (Shazeer & Stern 2018, arXiv:1804.04235, algorithm 5)."""

    kind: Literal["adafactor"] = "adafactor"
    beta2_decay: Annotated[
        float, Field(lt=0, description="Power of the update's number by which the second moment's decay nears 1")
    ] = -0.8
    clip_threshold: Annotated[float, Field(gt=0, description="Largest root mean square of an update")] = 1.0
    weight_decay: Annotated[float, Field(ge=0, description=DECAY)] = 0.0


class Lion(Settings):
    """The sign of a mean of gradients; wants a rate three to ten times smaller than AdamW's (Chen et al. 2023, arXiv:2302.06675, algorithm 2)."""

    kind: Literal["lion"] = "lion"
    beta1: Annotated[float, Field(ge=0, lt=1, description="Share of the running mean in the update's direction")] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1, description=FIRST)] = 0.99
    weight_decay: Annotated[float, Field(ge=0, description=DECAY)] = 0.1


class Muon(Settings):
    """Momentum made orthogonal for hidden matrices, AdamW for embeddings, heads and vectors (Jordan et al. 2024, "Muon"; Liu et al. 2025, arXiv:2502.16982, equation 4)."""

    kind: Literal["muon"] = "muon"
    momentum: Annotated[float, Field(ge=0, lt=1, description="Share of the momentum that is kept at each update")] = (
        0.95
    )
    nesterov: Annotated[bool, Field(description="Look ahead along the momentum, as Nesterov does")] = True
    beta1: Annotated[float, Field(ge=0, lt=1, description=FIRST)] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1, description=SECOND)] = 0.95
    epsilon: Annotated[float, Field(gt=0, description=EPSILON)] = 1e-8
    weight_decay: Annotated[float, Field(ge=0, description=DECAY)] = 0.1


Optimizer = Annotated[
    SGD | Adagrad | RMSprop | Adam | AdamW | RAdam | Lamb | Adafactor | Lion | Muon,
    Field(discriminator="kind", description="What turns gradients into updates"),
]


Named = Iterable[tuple[str, "nn.Parameter"]]


def decay_groups(
    named: Named, weight_decay: float, factors: Mapping[str, float] | None = None
) -> list[dict[str, object]]:
    """Groups of one decay and one factor of the rate: matrices decay, vectors (norms, biases) do not. Frozen weights are in none."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in named:
        if weight.requires_grad:
            key = (weight_decay if weight.ndim >= 2 else 0.0, (factors or {}).get(name, 1.0))
            groups.setdefault(key, []).append(weight)
    return [{"params": weights, "weight_decay": decay, "factor": factor} for (decay, factor), weights in groups.items()]


def parameter_groups(
    settings: Optimizer, named: Named, embeddings: frozenset[str], factors: Mapping[str, float]
) -> list[dict[str, object]]:
    """The weights that are trained, as the optimizer of the settings wants them.

    embeddings  names of weights that Muon leaves to AdamW, as `embedding_names` finds them
    factors     what the loop multiplies the rate with, by weight name; 1 for others
    """
    if not isinstance(settings, Muon):
        return decay_groups(named, settings.weight_decay, factors)
    named = list(named)
    hidden = [(n, w) for n, w in named if w.ndim == 2 and n not in embeddings]
    rest = [(n, w) for n, w in named if w.ndim != 2 or n in embeddings]
    return [
        *({**group, "orthogonal": True} for group in decay_groups(hidden, settings.weight_decay, factors)),
        *({**group, "orthogonal": False} for group in decay_groups(rest, settings.weight_decay, factors)),
    ]


def embedding_names(model: nn.Module) -> frozenset[str]:
    """Names of the weights that stand for tokens or labels: embeddings, and the matrix that gives logits."""
    from torch import nn

    outputs = getattr(model, "get_output_embeddings", lambda: None)()
    found = [module for module in model.modules() if isinstance(module, nn.Embedding)] + [outputs]
    weights = {id(weight) for module in found if module is not None for weight in module.parameters()}
    return frozenset(name for name, weight in model.named_parameters() if id(weight) in weights)


def build_optimizer(
    settings: Optimizer,
    named: Named,
    learning_rate: float,
    embeddings: frozenset[str] = frozenset(),
    factors: Mapping[str, float] | None = None,
) -> torch.optim.Optimizer:
    """The optimizer of the settings over the weights that are trained; the loop sets the rate of every update.

    embeddings, factors  see `parameter_groups`
    """
    from torch import optim

    from langwright.training import updates

    groups = parameter_groups(settings, named, embeddings, factors or {})
    # torch has no fused SGD for weights in parts
    whole = not any(hasattr(weight, "full_tensor") for group in groups for weight in group["params"])  # type: ignore[attr-defined]
    match settings:
        case SGD():
            return optim.SGD(groups, learning_rate, momentum=settings.momentum, nesterov=settings.nesterov, fused=whole)
        case Adagrad():
            return optim.Adagrad(groups, learning_rate, eps=settings.epsilon)
        case RMSprop():
            return optim.RMSprop(
                groups, learning_rate, alpha=settings.beta2, eps=settings.epsilon, momentum=settings.momentum
            )
        case Adam():
            return optim.Adam(
                groups, learning_rate, betas=(settings.beta1, settings.beta2), eps=settings.epsilon, fused=True
            )
        case AdamW():
            return optim.AdamW(
                groups, learning_rate, betas=(settings.beta1, settings.beta2), eps=settings.epsilon, fused=True
            )
        case RAdam():
            return optim.RAdam(
                groups,
                learning_rate,
                betas=(settings.beta1, settings.beta2),
                eps=settings.epsilon,
                decoupled_weight_decay=True,
            )
        case Lamb():
            return updates.Lamb(groups, learning_rate, (settings.beta1, settings.beta2), settings.epsilon)
        case Adafactor():
            return optim.Adafactor(groups, learning_rate, beta2_decay=settings.beta2_decay, d=settings.clip_threshold)
        case Lion():
            return updates.Lion(groups, learning_rate, (settings.beta1, settings.beta2))
        case Muon():
            return updates.Muon(
                groups,
                learning_rate,
                settings.momentum,
                nesterov=settings.nesterov,
                betas=(settings.beta1, settings.beta2),
                epsilon=settings.epsilon,
            )
    assert_never(settings)
