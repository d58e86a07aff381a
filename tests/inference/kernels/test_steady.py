"""What besides linear layers makes a row depend on its neighbours is found, and put right."""

from __future__ import annotations

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from tests.inference.tiny import LLAMA, random_model
from torch import nn

from langwright.inference.kernels.preparing import prepared
from langwright.inference.kernels.rows import same_bits
from langwright.inference.kernels.steady import LANES, SteadyMode, end_to_end, make_steady, undo_steady, uneven
from langwright.inference.precision import Preparation

WIDE = transformers.LlamaConfig(
    vocab_size=256, hidden_size=256, intermediate_size=512, num_hidden_layers=1, num_attention_heads=2,
    num_key_value_heads=1, head_dim=128,
)  # fmt: skip


@given(st.integers(1, 300_000), st.sampled_from([2, 4]), st.integers(1, 16))
def test_nothing_is_left_over_in_any_threads_share(elements: int, width: int, threads: int) -> None:
    found = end_to_end(elements, width, threads)
    assert found >= elements
    for used in (
        min(threads, -(-found // 32768)),
        threads if found > 16384 else 1,
    ):  # as torch shares a loop out, and gelu
        share = -(-found // used)
        assert share * used == found
        assert share * width % LANES == 0
    assert end_to_end(found, width, threads) == found


def test_small_models_have_such_modules_and_even_ones_have_none() -> None:
    assert prepared(random_model(LLAMA), Preparation(strict=True, precision="float32")).report.steady == (
        "model.layers.0.mlp.act_fn", "model.layers.1.mlp.act_fn", "model.rotary_emb",
    )  # fmt: skip
    assert prepared(random_model(WIDE), Preparation(strict=True, precision="float32")).report.steady == ()


def test_a_router_and_experts_multiply_by_weights_of_their_own() -> None:
    config = transformers.MixtralConfig(
        vocab_size=97, hidden_size=128, intermediate_size=128, num_hidden_layers=1, num_attention_heads=1,
        num_key_value_heads=1, num_local_experts=4,
    )  # fmt: skip
    model = random_model(config)
    before = model.get_experts_implementation()
    done = prepared(model, Preparation(strict=True, precision="float32"))
    assert done.report.steady == ("model.layers.0.mlp.experts", "model.layers.0.mlp.gate")
    done.release()
    assert model.get_experts_implementation() == before


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["silu", "gelu", "tanh", "sigmoid", "exp"])
@torch.no_grad()
def test_functions_give_rows_of_any_width_the_same_bits(name: str, dtype: torch.dtype) -> None:
    function = getattr(nn.functional, name, None) or getattr(torch, name)
    differs = False
    for width in (1, 7, 48, 100):
        x_MW = torch.randn(64, width, generator=torch.Generator().manual_seed(width)).to(dtype) * 4
        plain_MW = function(x_MW)
        with SteadyMode():
            whole_MW = function(x_MW)
            for row in range(64):
                assert same_bits(function(x_MW[row : row + 1]), whole_MW[row : row + 1])
                assert same_bits(function(x_MW[row:]), whole_MW[row:])
        torch.testing.assert_close(whole_MW, plain_MW)
        differs |= any(not same_bits(function(x_MW[row : row + 1]), plain_MW[row : row + 1]) for row in range(64))
    if name in ("sigmoid", "silu") and dtype == torch.float32:
        assert differs  # which is what the mode is for


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("name", ["silu", "gelu", "sigmoid", "softplus", "pow"])
@torch.no_grad()
def test_many_rows_shared_out_among_threads_are_the_same_as_few(name: str, threads: int) -> None:
    function = {
        "gelu": lambda x: nn.functional.gelu(x, approximate="tanh"),
        "pow": lambda x: torch.pow(x.abs(), 1.7),
    }.get(name) or getattr(nn.functional, name)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        x_MW = torch.randn(1551, 48, generator=torch.Generator().manual_seed(0))
        with SteadyMode():
            few_MW = torch.cat([function(piece) for piece in x_MW.split(100)])
            for rows in range(300, 1551, 25):  # gelu is shared out from 16,384 elements on, the others from 32,768 on
                assert same_bits(function(x_MW[:rows]), few_MW[:rows]), rows
        assert any(not same_bits(function(x_MW[:rows]), few_MW[:rows]) for rows in range(300, 1551, 25))
    finally:
        torch.set_num_threads(before)


def test_rows_are_uneven_where_only_many_of_them_are() -> None:
    """48 elements a row: up to 341 rows stay in one thread, whose remainder falls on the last row's end."""
    assert uneven(48, 4, 2)
    assert uneven(96, 4, 2)  # whole for one thread, but not for two
    assert not uneven(96, 4, 1)
    assert not uneven(256, 4, 2)


@torch.no_grad()
def test_in_place_stays_in_place() -> None:
    x = torch.randn(5, 7)
    with SteadyMode():
        y = x.clone()
        assert y.exp_() is y
        assert same_bits(y, torch.exp(x))
        z = x.clone()
        nn.functional.silu(z, inplace=True)
        assert same_bits(z, nn.functional.silu(x))


@torch.no_grad()
def test_a_model_in_the_mode_says_the_same_and_is_given_back() -> None:
    model = random_model(LLAMA)
    ids = torch.arange(9)[None]
    before, forwards = model(ids).logits, [module.forward for module in model.modules()]
    names = make_steady(model)
    torch.testing.assert_close(model(ids).logits, before, rtol=1e-4, atol=1e-4)
    undo_steady(model, names)
    assert [module.forward for module in model.modules()] == forwards
    assert same_bits(model(ids).logits, before)
