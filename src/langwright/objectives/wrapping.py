"""What every objective that is made of another one shares: the inner one's weights, state and separability."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from langwright.errors import UserError
from langwright.training.loss import Objective

I_inner = TypeVar("I_inner", bound=Objective[Any])


def own_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """A model's trainable weights under their own names, compiled or not.

    raises  UserError where this process holds only a part of them
    """
    inside = getattr(model, "_orig_mod", model)
    found = {name: weight for name, weight in inside.named_parameters() if weight.requires_grad}
    if any(hasattr(weight, "full_tensor") for weight in found.values()):
        raise UserError("this objective looks at the weights themselves, which fsdp keeps in parts", fix="use ddp")
    return found


class Wrapper(Generic[I_inner]):
    """An objective around another; what it adds is in `__call__` of those that extend it."""

    def __init__(self, inner: I_inner) -> None:
        self.inner = inner
        self.separable = inner.separable

    def parameters(self) -> list[nn.Parameter]:
        """The inner objective's."""
        return self.inner.parameters()

    def state_dict(self) -> dict[str, Tensor]:
        """The inner objective's."""
        return self.inner.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """The inner objective's."""
        self.inner.load_state_dict(state)
