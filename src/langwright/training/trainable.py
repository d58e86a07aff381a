"""Which weights of a model are trained, from when on, and how fast: by name, from the top, biases alone, one layer after another.

Sources   bias terms alone (BitFit): Ben Zaken, Ravfogel & Goldberg 2022, arXiv:2106.10199, section 3
          gradual unfreezing and rates by layer: Howard & Ruder 2018 (ULMFiT), arXiv:1801.06146, sections 3.2 and 3.3
          (each lower layer at 1 / 2.6 of the rate above it)
          layer-wise decay of the rate: Clark et al. 2020 (ELECTRA), arXiv:2003.10555, appendix B
Differs   where passes are few and layers many, layers join evenly over a share of the run instead of one a pass
Depths    0 embeddings; 1 … L layers, those of an encoder below those of its decoder; L + 1 what stands behind the
          last layer: norm, pooling, head. A head that shares its matrix with the embedding is at depth 0
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Literal, assert_never

from pydantic import Field

from langwright.errors import UserError
from langwright.models.adapter_settings import Adapter
from langwright.settings import Settings

if TYPE_CHECKING:
    import torch
    from torch import nn


METHOD = (
    "What is trained: weights of the model (full, pattern, last, biases, gradual), or an adapter beside frozen ones"
)


class Full(Settings):
    """Every weight."""

    kind: Literal["full"] = "full"


class Pattern(Settings):
    """The weights whose names fit."""

    kind: Literal["pattern"] = "pattern"
    train: Annotated[
        tuple[str, ...], Field(description="Names of weights to train, with * for any letters, such as *.mlp.*")
    ] = ("*",)
    freeze: Annotated[tuple[str, ...], Field(description="Names of weights to leave alone all the same")] = ()


class Last(Settings):
    """The last layers, and what stands behind them: norm, pooling, head."""

    kind: Literal["last"] = "last"
    layers: Annotated[int, Field(ge=0, description="How many layers, counted from the top")] = 1


class Biases(Settings):
    """Bias terms alone, and a new head."""

    kind: Literal["biases"] = "biases"


class Gradual(Settings):
    """Every weight in the end: the head first, then one layer more at a time, from the top down."""

    kind: Literal["gradual"] = "gradual"
    layers: Annotated[int, Field(ge=0, description="Layers that are trained with the head from the beginning")] = 0
    epochs: Annotated[
        float | None, Field(gt=0, description="Passes over the rows after which one more layer joins; see by_share")
    ] = None
    by_share: Annotated[
        float,
        Field(gt=0, le=1, description="Share of the run over which layers join evenly, where no epochs are given"),
    ] = 0.5


Choice = Full | Pattern | Last | Biases | Gradual
Method = Annotated[Choice | Adapter, Field(discriminator="kind", description=METHOD)]


# --- names and depths ------------------------------------------------------------------------------


def plain_name(name: str) -> str:
    """A weight's name as the model itself has it, without what adapters and compilation put around it."""
    for part in ("_orig_mod.", "base_model.model.", "base_layer.", "modules_to_save.default."):
        name = name.replace(part, "")
    return name


@dataclass(frozen=True)
class Depths:
    """Where every weight of a model stands; see the module.

    of      depth by name of the weight
    layers  L
    """

    of: Mapping[str, int]
    layers: int


def depths(model: nn.Module) -> Depths:
    """The depths of a model's weights. What stands between two stacks of layers belongs to the layer before it."""
    from torch import nn

    lists = [name for name, module in model.named_modules() if isinstance(module, nn.ModuleList) and len(module)]
    stacks = tuple(f"{name}." for name in lists if not any(name.startswith(f"{other}.") for other in lists))
    names = [name for name, _ in model.named_parameters()]
    found: dict[str, int] = {}
    seen: dict[str, None] = {}  # layers, in order
    final = max((place for place, name in enumerate(names) if name.startswith(stacks)), default=-1)
    for place, name in enumerate(names):
        stack = next((stack for stack in stacks if name.startswith(stack)), None)
        if stack is not None:
            seen[stack + name[len(stack) :].partition(".")[0]] = None
        found[name] = len(seen) if place <= final else len(seen) + 1
    return Depths(found, len(seen))


def heads(model: nn.Module) -> set[str]:
    """Names of the weights outside the model's body, and of its pooling: what a new task begins with at random."""
    body = getattr(model, "base_model_prefix", "")
    return {
        name
        for name, _ in model.named_parameters()
        if not plain_name(name).startswith(f"{body}.") or "pooler" in name.split(".")
    }


# --- what is trained -------------------------------------------------------------------------------


def choose(model: nn.Module, choice: Choice, *, new_head: bool = False) -> None:
    """Mark the weights that are trained at some time of the run; the others are frozen: no gradient, no optimizer state.

    new_head  the model's head is drawn at random, and so trained along with bias terms
    raises    UserError for a name that fits nothing, more layers than there are, or nothing left to train
    """
    weights = dict(model.named_parameters())
    trained = chosen_names(model, choice, new_head)
    if not trained:
        raise UserError(
            "nothing is left to train: of {count} weights none was chosen",
            fix="`langwright inspect MODEL` names them; `method.train` and `method.freeze` say which",
            count=len(weights),
        )
    for name, weight in weights.items():
        weight.requires_grad_(name in trained)


def chosen_names(model: nn.Module, choice: Choice, new_head: bool) -> set[str]:
    """Names of the weights of a choice."""
    names = [name for name, _ in model.named_parameters()]
    match choice:
        case Full() | Gradual():
            return set(names)
        case Pattern():
            left_out = {name for pattern in choice.freeze for name in fitting(pattern, names)}
            return {name for pattern in choice.train for name in fitting(pattern, names)} - left_out
        case Last():
            where = depths(model)
            check_layers(choice.layers, where.layers)
            return {name for name in names if where.of[name] > where.layers - choice.layers}
        case Biases():
            found = {name for name in names if name.endswith(".bias")}
            if not found:
                raise UserError(
                    "this model has no bias terms to train alone",
                    fix="choose another method, such as lora or last; models of the GPT-2 and BERT families have biases",
                )
            return found | (heads(model) if new_head else set())
    assert_never(choice)


def fitting(pattern: str, names: Sequence[str]) -> list[str]:
    """The names that a pattern fits; UserError where there is none."""
    found = [name for name in names if fnmatchcase(plain_name(name), pattern)]
    if not found:
        raise UserError(
            "no weight has a name that fits {pattern}",
            fix="names look like {example}; * stands for any letters",
            pattern=pattern,
            example=names[len(names) // 2],
        )
    return found


def check_layers(asked: int, there: int) -> None:
    """UserError for more layers than a model has."""
    if asked > there:
        raise UserError(
            "layers = {asked} is more than the {there} layers of this model",
            fix="give {there} or less",
            asked=asked,
            there=there,
        )


# --- from when on ----------------------------------------------------------------------------------


def beginnings(choice: Gradual, phases: int, steps: int, updates_an_epoch: float) -> list[int]:
    """Updates made before each phase begins; the first phase begins with the run.

    >>> beginnings(Gradual(epochs=1.0), 3, 100, 12.5)
    [0, 13, 25]
    >>> beginnings(Gradual(by_share=0.5), 3, 100, 12.5)
    [0, 25, 50]
    """
    apart = choice.by_share * steps / max(phases - 1, 1) if choice.epochs is None else choice.epochs * updates_an_epoch
    return [math.ceil(phase * apart) for phase in range(phases)]


Groups = Callable[[Iterable[tuple[str, "nn.Parameter"]]], list[dict[str, object]]]


class Unfreezing:
    """The weights that join later, from the top down: a function of the updates made, so that a resume finds them again.

    weights  by name, all that join later, whether they have or not
    """

    def __init__(self, model: nn.Module, choice: Gradual, steps: int, updates_an_epoch: float, groups: Groups) -> None:
        """Freezes what joins later. groups: weights by name as the optimizer wants them."""
        where = depths(model)
        check_layers(choice.layers, where.layers)
        first = where.layers + 1 - choice.layers  # least depth that is trained from the beginning
        deep: dict[int, dict[str, nn.Parameter]] = {}
        for name, weight in model.named_parameters():
            if weight.requires_grad and where.of[name] < first:
                deep.setdefault(where.of[name], {})[name] = weight
        self.groups = groups
        self.phases = [deep[depth] for depth in sorted(deep, reverse=True)]
        self.begin = beginnings(choice, len(self.phases) + 1, steps, updates_an_epoch)[1:]
        self.joined = 0
        self.weights = {name: weight for phase in self.phases for name, weight in phase.items()}
        for weight in self.weights.values():
            weight.requires_grad_(False)

    def join(self, made: int, optimizer: torch.optim.Optimizer) -> int:
        """Hand the optimizer what is due after this many updates; returns how many numbers joined."""
        count = 0
        while self.joined < len(self.phases) and self.begin[self.joined] <= made:
            phase = self.phases[self.joined]
            for weight in phase.values():
                weight.requires_grad_(True)
                count += weight.numel()
            for group in self.groups(phase.items()):
                optimizer.add_param_group(group)
            self.joined += 1
        return count


# --- how fast --------------------------------------------------------------------------------------


def rate_factors(
    model: nn.Module, layer_decay: float, rates: Mapping[str, float], others: Sequence[str] = ()
) -> dict[str, float]:
    """What the learning rate of each weight is multiplied with, by name: the decay once for each layer above it,
    and every rate whose pattern fits.

    others  names of weights that are not the model's, and learn at the full rate
    raises  UserError for a pattern that fits no weight
    """
    where = depths(model)
    found = {name: layer_decay ** (where.layers + 1 - depth) for name, depth in where.of.items()}
    found |= dict.fromkeys(others, 1.0)
    for pattern, rate in rates.items():
        for name in fitting(pattern, list(found)):
            found[name] *= rate
    return found
