"""What an objective returns: sums, not means, so that a batch may be cut anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, runtime_checkable

from torch import Tensor, nn


@dataclass(frozen=True)
class Loss:
    """A summed loss.

    total    sum over `units`, a scalar that carries a graph; a term that does not depend on data is
             added as penalty × units
    units    what `total` sums over (target tokens, pairs, examples), known from the batch alone
    metrics  further detached sums over the same units, for the log
    """

    total: Tensor
    units: int
    metrics: dict[str, Tensor] = field(default_factory=dict)


class Batch(Protocol):
    """What the loop needs to know of any batch."""

    @property
    def units(self) -> int:
        """What the objective's loss will sum over."""
        ...

    @property
    def positions(self) -> int:
        """Token positions computed, padding included."""
        ...

    @property
    def padding(self) -> int:
        """Positions that are padding."""
        ...


def task_of(batch: Batch) -> str:
    """The task a batch belongs to, where several are learned together; empty otherwise."""
    return str(getattr(batch, "task", ""))


B_contra = TypeVar("B_contra", bound=Batch, contravariant=True)


class Objective(Protocol[B_contra]):
    """What a training step minimises, and nothing else.

    separable  False when examples of a batch interact (in-batch negatives); such a batch is never cut
    """

    separable: bool

    def __call__(self, model: nn.Module, batch: B_contra) -> Loss: ...

    def parameters(self) -> list[nn.Parameter]:
        """Weights of the objective's own, trained along with the model's."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """State of the objective's own, saved in checkpoints."""
        ...

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        ...


@runtime_checkable
class LogitObjective(Objective[B_contra], Protocol[B_contra]):
    """An objective whose loss is a function of the model's logits, so that wrappers may ask for them again."""

    def logits(self, model: nn.Module, batch: B_contra) -> Tensor:
        """What the model says of the batch."""
        ...

    def loss(self, logits: Tensor, batch: B_contra) -> Loss:
        """What that costs."""
        ...

    def scored(self, logits: Tensor, batch: B_contra) -> Tensor:
        """Logits of the units alone, float32, shape (units, classes)."""
        ...


class Stateless:
    """What an objective without weights or state of its own says of them."""

    separable = True

    def parameters(self) -> list[nn.Parameter]:
        """None."""
        return []

    def state_dict(self) -> dict[str, Tensor]:
        """None."""
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Nothing to take back."""


def tensors_of(batches: Iterable[Batch]) -> dict[str, Tensor]:
    """The tensors of some batches, to look at later."""
    return {
        f"{number}.{name}": value.contiguous()
        for number, batch in enumerate(batches)
        for name, value in vars(batch).items()
        if isinstance(value, Tensor)
    }
