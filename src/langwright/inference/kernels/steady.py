"""What besides linear layers makes a row depend on its neighbours, found by watching, and put right where it is.

Two things do. A module may multiply by a weight of its own without a linear layer (a router, experts):
that product takes the kernel of its number of rows. And functions such as exp or tanh are computed many
elements at a time, with other instructions, and so other last bits, for the few that remain at the end:
which those are depends on how many elements there are, and so on the number of rows.

A forward pass is watched with two numbers of tokens. Modules in which one of these happens run from then on
in a mode in which raw products are computed in tiles (rows.py), and such functions on tensors that are
padded until nothing remains at their end.

Shapes    M rows    K inputs    N outputs    T tokens
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial, wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from transformers import PreTrainedModel

from langwright.inference.kernels.linears import Stand
from langwright.inference.kernels.products import Plain
from langwright.inference.kernels.rows import Steady
from langwright.inference.kernels.sharing import forward, trial_ids

SEVERAL = frozenset(
    [
        "celu",
        "cos",
        "cosh",
        "digamma",
        "elu",
        "erf",
        "erfc",
        "erfinv",
        "exp",
        "exp2",
        "expm1",
        "gelu",
        "lgamma",
        "log",
        "log10",
        "log1p",
        "log2",
        "logit",
        "logsigmoid",
        "mish",
        "pow",
        "selu",
        "sigmoid",
        "silu",
        "sin",
        "sinh",
        "softplus",
        "softsign",
        "tan",
        "tanh",
        "acos",
        "asin",
        "atan",
        "acosh",
        "asinh",
        "atanh",
    ]
)
"""Functions of single elements whose last bit may be another at the end of a tensor."""
PRODUCTS = frozenset({"linear", "matmul", "mm", "addmm"})
CHUNK = 32768  # elements below which torch does not share a loop out among threads, a thread for each so many
GELU_ALONE = 16384  # elements up to which gelu is not shared out; more are, among all threads
LANES = 128  # bytes that are computed at a time
MOST_ROWS = 16384  # in one pass at most, of texts that are scored


def end_to_end(elements: int, width: int, threads: int) -> int:
    """The least number of elements, from this one on, of which none is left over, however the threads share them.

    width  bytes of one element
    """
    unit = LANES // width
    while True:
        elements = -(-elements // unit) * unit
        shares = {min(threads, max(1, -(-elements // CHUNK))), threads if elements > GELU_ALONE else 1}
        if all(elements % (unit * among) == 0 for among in shares):
            return elements
        elements += 1


class SteadyMode(TorchFunctionMode):
    """Within it raw products are computed in tiles, and functions of single elements without remainders."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """As the function itself."""
        kwargs = kwargs or {}
        name, in_place = name_of(func)
        if name in PRODUCTS and (product := raw_product(name, args, kwargs)) is not None:
            x, weight_NK, bias_N = product
            return tiled_product(x, weight_NK, bias_N)
        if inexact(name, args):
            return padded_function(func, args[0], args[1:], kwargs, in_place or bool(kwargs.get("inplace")))
        return func(*args, **kwargs)


def name_of(func: Callable[..., Any]) -> tuple[str, bool]:
    """(name of a torch function without underscores, whether it works in place)."""
    name: str = getattr(func, "__name__", "")
    if name.startswith("__"):
        return name.strip("_"), name.startswith("__i")
    return name.strip("_"), name.endswith("_")


def inexact(name: str, args: tuple[Any, ...]) -> bool:
    """Whether this is a function of single elements whose last bit is not told by its definition."""
    if name not in SEVERAL or not args or not isinstance(args[0], Tensor) or not args[0].is_floating_point():
        return False
    multiplied = name == "pow" and len(args) > 1 and not isinstance(args[1], Tensor) and args[1] in (2, 3)
    return not multiplied


def raw_product(
    name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Tensor, Tensor, Tensor | None] | None:
    """(x, weight (N, K), bias) of a product by one matrix, or None when it is another kind of product."""
    if name == "linear":
        x, weight = args[:2] if len(args) > 1 else (args[0], kwargs["weight"])
        return x, weight, args[2] if len(args) > 2 else kwargs.get("bias")
    if name == "addmm":
        if len(args) != 3 or kwargs or args[0].dim() != 1:
            return None
        return args[1], args[2].t(), args[0]
    x, weight = args[0], args[1] if len(args) > 1 else kwargs.get("other", kwargs.get("mat2"))
    if not isinstance(weight, Tensor) or weight.dim() != 2 or x.dim() < 2:
        return None
    return x, weight.t(), None


def tiled_product(x: Tensor, weight_NK: Tensor, bias_N: Tensor | None) -> Tensor:
    """x W^T + b, (..., K) to (..., N), each row by itself."""
    steady = Steady(partial(Plain, bias_N=bias_N), weight_NK, "plain", bias_N is None)
    return steady(x.reshape(-1, x.shape[-1])).view(*x.shape[:-1], weight_NK.shape[0])


def padded_function(
    func: Callable[..., Any], x: Tensor, more: tuple[Any, ...], kwargs: Mapping[str, Any], in_place: bool
) -> Any:
    """A function of single elements, of a tensor padded until none is left over."""
    elements = x.numel()
    whole = end_to_end(elements, x.element_size(), torch.get_num_threads())
    if any(isinstance(value, Tensor) for value in more) or (whole == elements and x.is_contiguous()):
        return func(x, *more, **kwargs)
    flat = F.pad(x.detach().reshape(-1), (0, whole - elements), value=0.5)
    found = func(flat, *more, **kwargs)[:elements].view(x.shape)
    return x.copy_(found) if in_place else found


# --- watching ------------------------------------------------------------------------------------


@dataclass
class Watch(TorchFunctionMode):
    """Notes in which modules raw products and functions of single elements happen, and of how many elements."""

    raw: set[str] = field(default_factory=set)
    several: dict[str, list[tuple[int, int]]] = field(default_factory=dict)  # of a module: (elements, bytes of one)
    inside: list[str | None] = field(default_factory=list)  # None: in a `Stand`

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """As the function itself, which is noted."""
        kwargs = kwargs or {}
        name, _ = name_of(func)
        where = self.inside[-1] if self.inside else ""
        if where is None:
            pass
        elif name in PRODUCTS and raw_product(name, args, kwargs) is not None:
            self.raw.add(where)
        elif inexact(name, args):
            self.several.setdefault(where, []).append((args[0].numel(), args[0].element_size()))
        return func(*args, **kwargs)


def watched(model: PreTrainedModel, tokens: int) -> Watch:
    """What happens where in a forward pass; what a `Stand` does is not looked at."""
    watch = Watch()

    def enter(name: str) -> Any:
        return lambda module, *_: watch.inside.append(None if isinstance(module, Stand) else name)

    def leave(*_: Any) -> None:
        watch.inside.pop()

    handles = []
    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(enter(name)))
        handles.append(module.register_forward_hook(leave))
    try:
        with watch:
            forward(model, trial_ids(model, tokens))
    finally:
        for handle in handles:
            handle.remove()
    return watch


def unsteady_modules(model: PreTrainedModel, threads: int | None = None) -> list[str]:
    """Names of the modules in which a row may depend on how many rows there are."""
    threads = threads or torch.get_num_threads()
    one, four = watched(model, 1), watched(model, 4)
    found = set(one.raw | four.raw)
    for name in {*one.several, *four.several} - found:
        few, many = one.several.get(name, []), four.several.get(name, [])
        if len(few) != len(many) or any(
            most > least and uneven((most - least) // 3, width, threads)
            for (least, width), (most, _) in zip(few, many, strict=True)
        ):
            found.add(name)
    return sorted(name for name in found if not any(inside(name, other) for other in found))


def inside(name: str, other: str) -> bool:
    """Whether a module lies in another one, by their names."""
    return name != other and (not other or name.startswith(f"{other}."))


@cache
def uneven(elements: int, width: int, threads: int) -> bool:
    """Whether elements are left over for some number of rows with so many of them."""
    return any(end_to_end(rows * elements, width, threads) != rows * elements for rows in range(1, MOST_ROWS + 1))


def make_steady(model: PreTrainedModel) -> list[str]:
    """Let such modules run in `SteadyMode`; their names. `undo_steady` takes it back."""
    names = unsteady_modules(model)
    for name in names:
        module = model.get_submodule(name)
        module.forward = in_mode(module.forward)
    return names


def in_mode(usual: Callable[..., Any]) -> Callable[..., Any]:
    """A module's own forward pass, in the mode."""

    @wraps(usual)
    def steady(*args: Any, **kwargs: Any) -> Any:
        with SteadyMode():
            return usual(*args, **kwargs)

    return steady


def undo_steady(model: nn.Module, names: list[str]) -> None:
    """Let modules run as they are."""
    for name in names:
        del model.get_submodule(name).forward
