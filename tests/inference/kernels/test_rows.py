"""Numbers of rows that give the same bits: found by trying, and held to from then on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from langwright.inference.kernels.products import Int8, Packed, Plain
from langwright.inference.kernels.rows import SIZES, Steady, Tiles, find_tiles, same_bits, trial_rows

PLACES = [(0, 1), (3, 4), (70, 71), (0, 2), (5, 12), (60, 77), (1, 65), (0, 100)]
"""Cuts through 100 rows: alone, few, many, at the beginning and at the end."""


def same_alone_and_together(multiply: Callable[[Tensor], Tensor], x_MK: Tensor) -> bool:
    """Whether rows have the same bits in every cut."""
    whole_MN = multiply(x_MK)
    return all(same_bits(multiply(x_MK[a:b]), whole_MN[a:b]) for a, b in PLACES)


@given(st.sets(st.sampled_from(SIZES), min_size=1), st.integers(1, 1500))
def test_tiles_hold_every_row_once(sizes: set[int], rows: int) -> None:
    cut = Tiles(tuple(sorted(sizes))).cut(rows)
    assert set(cut) <= sizes
    assert sum(cut) >= rows
    assert sum(cut[:-1]) < rows  # no tile is empty


def test_rows_are_cut_where_a_pass_over_the_weight_is_worth_it() -> None:
    assert Tiles((1, 8, 16, 32)).cut(9) == (16,)  # one pass with seven rows too many, and not two passes
    assert Tiles((1, 8, 16, 32)).cut(40) == (32, 8)
    assert Tiles((16,)).cut(33) == (16, 16, 16)


def kernels(*borders: int) -> Callable[[Tensor], Tensor]:
    """A product that takes another kernel from each of these numbers of rows on: each sums in another order."""
    weight_NK = torch.randn(8, 32, generator=torch.Generator().manual_seed(0))

    def multiply(x_MK: Tensor) -> Tensor:
        order = torch.randperm(32, generator=torch.Generator().manual_seed(sum(len(x_MK) >= b for b in borders)))
        total = torch.zeros(len(x_MK), 8)
        for k in order.tolist():
            total = total + x_MK[:, k : k + 1] * weight_NK[:, k]
        return total

    return multiply


@pytest.mark.parametrize(("borders", "sizes"), [((), SIZES), ((2, 1000), SIZES[1:]), ((33,), SIZES[:12])])
def test_the_class_that_costs_least_is_found(borders: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    assert find_tiles(kernels(*borders), 32, torch.float32).sizes == sizes


def test_a_product_in_which_the_place_matters_is_computed_row_by_row() -> None:
    plain = kernels()

    def multiply(x_MK: Tensor) -> Tensor:
        return plain(x_MK) * (1 + torch.arange(len(x_MK))[:, None] * 1e-3)

    assert find_tiles(multiply, 32, torch.float32).sizes == (1,)


def test_a_product_that_is_never_the_same_is_refused() -> None:
    with pytest.raises(ArithmeticError):
        find_tiles(lambda x_MK: x_MK + torch.rand(1), 32, torch.float32)


@pytest.mark.parametrize("kind", [Plain, Packed])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(48, 32), (97, 32), (1024, 1024)])
def test_rows_in_tiles_do_not_depend_on_each_other(kind: type, dtype: torch.dtype, shape: tuple[int, int]) -> None:
    weight_NK = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    steady = Steady(partial(kind, bias_N=None), weight_NK, kind.__name__)
    x_MK = trial_rows(shape[1], dtype)[-100:]  # none of those the sizes were tried with
    assert same_alone_and_together(steady, x_MK)
    torch.testing.assert_close(steady(x_MK), F.linear(x_MK, weight_NK), rtol=2e-2, atol=1.0 if dtype == torch.bfloat16 else 1e-3)  # fmt: skip


def test_rows_of_a_plain_product_do() -> None:
    weight_NK = torch.randn(1024, 1024, generator=torch.Generator().manual_seed(1))
    assert not same_alone_and_together(Plain(weight_NK, None), trial_rows(1024, torch.float32)[-100:])


@pytest.mark.spec("C8", "an int8 product gives a row the same bits whatever rows it is beside")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(48, 32), (97, 33), (1024, 1024), (256, 4096)])
def test_rows_of_an_int8_product_never_do(dtype: torch.dtype, shape: tuple[int, int]) -> None:
    product = Int8(torch.randn(shape, generator=torch.Generator().manual_seed(1)), torch.ones(shape[0]) / 3)
    x_MK = trial_rows(shape[1], dtype)[:512]
    whole_MN = product(x_MK)
    for rows in (1, 2, 3, 5, 8, 13, 31, 32, 33, 64, 100, 129, 255, 511):
        for start in (0, 512 - rows):
            assert same_bits(product(x_MK[start : start + rows]), whole_MN[start : start + rows]), (rows, start)
