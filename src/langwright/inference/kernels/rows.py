"""Products whose rows do not depend on each other, not even in their last bit.

How a matrix product sums depends on how many rows it is given: other sizes take other kernels, and each
adds in its own order. What is left alone is the size. So each product is tried at load with several
numbers of rows, with rows in other places and beside other neighbours, and the numbers that give every row
the same bits are one class. From then on only numbers of that class are ever computed: what comes is cut and
padded into them. int8 products are summed exactly in integers, and need none of this.

Source    He 2025, "Defeating Nondeterminism in LLM Inference", Thinking Machines Lab: Connectionism (batch
          invariance, and that kernels chosen by size are what breaks it)
Differs   sizes are chosen by experiment on the machine at hand; no kernel of our own
Shapes    M rows    K inputs    N outputs
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256)
FIRST = 16  # rows whose bits all sizes are compared by
MOST_OPERATIONS = 1.5e9  # of one product while it is tried
USUAL = (1, 2, 4, 8, 16, 32, 64, 128, 512)  # numbers of rows that a class is judged by
WEIGHT = 16  # a pass over the weight costs as much as so many rows
ALIGNED = 64  # bytes

Multiply = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Tiles:
    """Numbers of rows that may be computed, ascending."""

    sizes: tuple[int, ...]

    def cut(self, rows: int) -> tuple[int, ...]:
        """Sizes that together hold so many rows; the last may be larger than what is left."""
        whole, rest = divmod(rows, self.sizes[-1])
        return (self.sizes[-1],) * whole + cheapest(self.sizes, rest)[1]

    def cost(self, rows: int) -> int:
        """In rows, a pass over the weight counted as `WEIGHT`."""
        return sum(size + WEIGHT for size in self.cut(rows))


@lru_cache(maxsize=4096)
def cheapest(sizes: tuple[int, ...], rows: int) -> tuple[int, tuple[int, ...]]:
    """(cost, sizes) of the best way to hold rows fewer than the largest size."""
    if rows <= 0:
        return 0, ()
    best: tuple[int, tuple[int, ...]] | None = None
    for size in sizes:
        cost, rest = cheapest(sizes, rows - size) if size < rows else (0, ())
        if best is None or cost + size + WEIGHT < best[0]:
            best = cost + size + WEIGHT, (size, *rest)
        if size >= rows:
            break
    assert best is not None  # a class has at least one size
    return best


@dataclass
class Class:
    """Sizes that give the same rows the same bits, and the rows as they came out."""

    sizes: list[int]
    rows_MN: Tensor


def find_tiles(multiply: Multiply, inputs: int, dtype: torch.dtype) -> Tiles:
    """The class of sizes that costs the least, found by trying.

    multiply  a product by `trial_weight`, so that every other order of adding shows
    raises    ArithmeticError for a product that gives one row other bits when it is computed again
    """
    x_MK = trial_rows(inputs, dtype)
    outputs = multiply(x_MK[:1]).shape[-1]
    most = max(FIRST, MOST_OPERATIONS / (2 * inputs * outputs))
    classes: list[Class] = []
    for size in (size for size in SIZES if size <= most):
        rows_MN = steady_rows(multiply, x_MK, size)
        if rows_MN is None:
            continue
        for known in classes:
            shared = min(len(known.rows_MN), len(rows_MN))
            if same_bits(known.rows_MN[:shared], rows_MN[:shared]):
                known.sizes.append(size)
                known.rows_MN = max(known.rows_MN, rows_MN, key=len)
                break
        else:
            classes.append(Class([size], rows_MN))
    if not classes:
        raise ArithmeticError("this product gives one row other bits from one time to the next")
    found = [Tiles(tuple(one.sizes)) for one in classes]
    return min(found, key=lambda tiles: sum(tiles.cost(rows) / (rows + WEIGHT) for rows in USUAL))


def steady_rows(multiply: Multiply, x_MK: Tensor, size: int) -> Tensor | None:
    """The rows as products of this size give them, or None where a row's place or its neighbours change it."""
    covered = max(FIRST, size)
    rows_MN: Tensor | None = None
    for start in range(0, covered, size):
        y_MN = multiply(x_MK[start : start + size].clone())
        rows_MN = y_MN.new_empty(covered + size, y_MN.shape[-1]) if rows_MN is None else rows_MN
        rows_MN[start : start + size] = y_MN
    assert rows_MN is not None
    for shift in {0, 1, size // 2, size - 1} - {size}:  # the same rows again, and in other places beside others
        window_MK = x_MK[shift : shift + size].clone()
        shared = size - shift
        if not same_bits(multiply(window_MK)[:shared], rows_MN[shift:size]):
            return None
        window_MK = x_MK[:size].roll(shift, 0)
        if not same_bits(multiply(window_MK), rows_MN[:size].roll(shift, 0)):
            return None
    return rows_MN[:covered]


def trial_rows(inputs: int, dtype: torch.dtype) -> Tensor:
    """Random rows of very different sizes, as many as two of the largest product.

    With `trial_weight` nearly all of a sum cancels: what remains is mostly rounding, so that sums in two orders differ
    in many bits and not only in the last, which bfloat16 would hide.
    """
    generator = torch.Generator().manual_seed(inputs)
    half = (inputs - 1) // 2
    x_MK = torch.randn(2 * SIZES[-1], half, generator=generator)
    rest_MK = torch.randn(len(x_MK), inputs - 2 * half, generator=generator) * 1e-6
    return (torch.cat([x_MK, -x_MK, rest_MK], 1) * torch.randn(len(x_MK), 1, generator=generator).exp()).to(dtype)


def trial_weight(like_NK: Tensor) -> Tensor:
    """Random weights, laid out in memory as these are, by which nearly all of a sum of `trial_rows` cancels."""
    outputs, inputs = like_NK.shape
    generator = torch.Generator().manual_seed(outputs)
    half_NK = torch.randn(outputs, (inputs - 1) // 2, generator=generator)
    rest_NK = torch.randn(outputs, inputs - 2 * half_NK.shape[1], generator=generator)
    extent = 1 + sum((size - 1) * stride for size, stride in zip(like_NK.shape, like_NK.stride(), strict=True))
    offset = like_NK.data_ptr() % ALIGNED // like_NK.element_size()
    memory = torch.zeros(extent + offset, dtype=like_NK.dtype)
    weight_NK = memory.as_strided(like_NK.shape, like_NK.stride(), offset)
    return weight_NK.copy_(torch.cat([half_NK, half_NK, rest_NK], 1))


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors of one type are equal bit for bit."""
    kind = {2: torch.int16, 4: torch.int32, 8: torch.int64}[a.element_size()]
    return a.dtype == b.dtype and torch.equal(a.contiguous().view(kind), b.contiguous().view(kind))


def in_tiles(multiply: Multiply, tiles: Tiles, x_MK: Tensor) -> Tensor:
    """(M, K) to (M, N), computed in numbers of rows of one class only."""
    rows, at = x_MK.shape[0], 0
    parts: list[Tensor] = []
    for size in tiles.cut(rows):
        part_MK = x_MK[at : at + size]
        held = part_MK.shape[0]
        if held < size:
            part_MK = F.pad(part_MK, (0, 0, 0, size - held))
        elif part_MK.data_ptr() % ALIGNED or not part_MK.is_contiguous():
            part_MK = part_MK.clone(memory_format=torch.contiguous_format)
        parts.append(multiply(part_MK)[:held])
        at += held
    return parts[0] if len(parts) == 1 else torch.cat(parts) if parts else multiply(x_MK)


_known: dict[tuple[object, ...], Tiles] = {}


class Steady:
    """A product computed in tiles, tried once for each shape, layout, type and number of threads."""

    def __init__(self, make: Callable[[Tensor], Multiply], weight_NK: Tensor, *key: object) -> None:
        """make: the product by a weight; key: what besides the weight's layout decides which kernel runs."""
        self.make, self.like_NK = make, weight_NK
        self.multiply = make(weight_NK)
        self.key = (tuple(weight_NK.shape), weight_NK.stride(), weight_NK.data_ptr() % ALIGNED, *key)

    def __call__(self, x_MK: Tensor) -> Tensor:
        """(M, K) to (M, N)."""
        return in_tiles(self.multiply, self.tiles(x_MK.dtype), x_MK)

    def tiles(self, dtype: torch.dtype) -> Tiles:
        """The sizes for this type, on this machine, with this number of threads."""
        key = (dtype, torch.get_num_threads(), *self.key)
        if key not in _known:
            _known[key] = find_tiles(self.make(trial_weight(self.like_NK)), self.like_NK.shape[1], dtype)
        return _known[key]
