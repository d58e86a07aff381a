"""The modules that stand in a serving model where its linear layers stood.

Linears that are given the same tensor (queries, keys and values; gate and up) are one `Site`: their weights
lie end to end and are multiplied at once. Whichever of them is called first computes for all, the others
hand out their part of it. That the tensor is the same is asked at each call, by identity; a linear that is
given another tensor computes for that one, so a model that does otherwise once in a while is still right.

Shapes    M rows    K inputs    N outputs
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from langwright.inference.kernels.products import Kind
from langwright.inference.kernels.rows import Multiply


class Stand(nn.Module):
    """Stands for one linear layer of a site."""

    def __init__(self, site: Site, place: int, like: nn.Module, dtype: torch.dtype, called: bool = True) -> None:
        """called: its weight is on no device, and code may only ask for its type; else it may compute with it."""
        super().__init__()
        self.out_features, self.in_features = weight_of(like)[0].shape
        self.nf, self.nx = self.out_features, self.in_features  # as a Conv1D calls them
        self.weight, self.bias = (shown(tensor, dtype, called) for tensor in (like.weight, like.bias))
        self.site, self.place = (site,), place  # in a tuple, since a site is no part of the tree of modules

    def forward(self, x: Tensor) -> Tensor:
        """(..., K) to (..., N)."""
        return self.site[0].part(self.place, x)

    def extra_repr(self) -> str:
        """Features, and how they are computed."""
        return f"{self.in_features}, {self.out_features}, {self.site[0].kind}"


class Site:
    """One product of one or more linears with the same input."""

    def __init__(self, multiply: Multiply, kind: Kind, widths: Sequence[int]) -> None:
        """widths: outputs of each linear, in the order their weights lie."""
        self.multiply, self.kind = multiply, kind
        ends = torch.tensor(widths).cumsum(0).tolist()
        self.spans = [(end - width, width) for end, width in zip(ends, widths, strict=True)]
        self.shares = True  # off: every linear computes on its own, for comparison
        self._x: Tensor | None = None
        self._y: Tensor | None = None
        self._left: set[int] = set()

    def part(self, place: int, x: Tensor) -> Tensor:
        """What the linear of this place gives for x."""
        if len(self.spans) == 1:
            return self._computed(x)
        if self._x is x and place in self._left and self.shares:
            y = self._y
        else:
            y, self._left = self._computed(x), set(range(len(self.spans)))
            self._x, self._y = x, y
        assert y is not None
        self._left.discard(place)
        if not self._left:
            self.forget()
        return y.narrow(-1, *self.spans[place])

    def exchange(self, multiply: Multiply, kind: Kind) -> None:
        """Compute in another way from now on."""
        self.multiply, self.kind = multiply, kind
        self.forget()

    def forget(self) -> None:
        """Let go of the last input and what came of it."""
        self._x, self._y, self._left = None, None, set()

    def _computed(self, x: Tensor) -> Tensor:
        y_MN = self.multiply(x.reshape(-1, x.shape[-1]))
        return y_MN.view(*x.shape[:-1], y_MN.shape[-1])


def shown(tensor: Any, dtype: torch.dtype, called: bool) -> Tensor | None:
    """What a stand shows as its weight or bias."""
    if tensor is None:
        return None
    return torch.empty(tensor.shape, dtype=dtype, device="meta") if called else tensor.detach().to(dtype)


def is_linear(module: nn.Module) -> bool:
    """Whether a module is a plain linear layer of torch or transformers; a subclass may do something else."""
    return type(module) in (nn.Linear, Conv1D)


def weight_of(module: nn.Module) -> tuple[Tensor, Tensor | None]:
    """(weight (N, K), bias (N,)) of a linear layer."""
    weight, bias = module.weight, module.bias
    assert isinstance(weight, Tensor)
    assert bias is None or isinstance(bias, Tensor)
    return (weight.t() if isinstance(module, Conv1D) else weight).detach(), None if bias is None else bias.detach()


def joined(modules: Sequence[nn.Module]) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of several linears with the same input, end to end; a bias that one lacks is zero."""
    parts = [weight_of(module) for module in modules]
    if len(parts) == 1:
        return parts[0]
    weight_NK = torch.cat([weight for weight, _ in parts])
    if all(bias is None for _, bias in parts):
        return weight_NK, None
    return weight_NK, torch.cat([w.new_zeros(len(w)) if b is None else b for w, b in parts])


def weighed_alike(modules: Sequence[nn.Module]) -> bool:
    """Whether these linears take as many inputs, in one type and on one device, so that they can be one."""
    weights = [weight_of(module)[0] for module in modules]
    return len({(weight.shape[1], weight.dtype, weight.device) for weight in weights}) == 1
