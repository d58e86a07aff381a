"""Linears with the same input are found by watching, and what one computes for the others is theirs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from tests.inference.tiny import GPT2, LLAMA, random_model

from langwright.inference.kernels.linears import Site, Stand
from langwright.inference.kernels.products import Plain
from langwright.inference.kernels.sharing import linear_names, shared_inputs


def groups(model: Any) -> set[tuple[str, ...]]:
    """Those of the first layer, without its name."""
    found, _ = shared_inputs(model, linear_names(model))
    return {tuple(name.split(".0.", 1)[1] for name in group) for group in found if ".0." in group[0]}


def test_queries_keys_and_values_are_one_and_gate_and_up_are() -> None:
    assert groups(random_model(LLAMA)) == {
        ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), ("self_attn.o_proj",),
        ("mlp.gate_proj", "mlp.up_proj"), ("mlp.down_proj",),
    }  # fmt: skip


def test_what_is_one_already_stays_so() -> None:
    assert groups(random_model(GPT2)) == {("attn.c_attn",), ("attn.c_proj",), ("mlp.c_fc",), ("mlp.c_proj",)}


def test_linears_that_an_adapter_touches_stand_alone() -> None:
    from langwright.models.adapter_settings import Lora
    from langwright.models.adapters import add_adapter

    adapted = add_adapter(random_model(LLAMA), Lora(rank=2))
    found, _ = shared_inputs(adapted.get_base_model(), linear_names(adapted.get_base_model()))
    assert all(len(group) == 1 for group in found if "base_layer" in group[0])
    assert not any("lora_" in name for group in found for name in group)
    assert any("base_layer" in name for group in found for name in group)


class Counting:
    def __init__(self, weight_NK: torch.Tensor) -> None:
        self.plain, self.calls = Plain(weight_NK, None), 0

    def __call__(self, x_MK: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.plain(x_MK)


@pytest.fixture
def trio() -> tuple[Counting, list[torch.nn.Linear], list[Stand]]:
    torch.manual_seed(0)
    linears = [torch.nn.Linear(8, width, bias=False) for width in (4, 2, 6)]
    counting = Counting(torch.cat([linear.weight for linear in linears]).detach())
    site = Site(counting, "plain", (4, 2, 6))
    return counting, linears, [Stand(site, place, linear, torch.float32) for place, linear in enumerate(linears)]


@torch.no_grad()
def test_one_product_for_three_linears(trio: tuple[Counting, list[torch.nn.Linear], list[Stand]]) -> None:
    counting, linears, stands = trio
    x = torch.randn(2, 3, 8)
    for order in ((0, 1, 2), (2, 0, 1)):  # whichever is called first
        for place in order:
            torch.testing.assert_close(stands[place](x), linears[place](x))
    assert counting.calls == 2


@torch.no_grad()
def test_another_tensor_is_computed_anew(trio: tuple[Counting, list[torch.nn.Linear], list[Stand]]) -> None:
    counting, linears, stands = trio
    x, y = torch.randn(3, 8), torch.randn(3, 8)
    torch.testing.assert_close(stands[0](x), linears[0](x))
    torch.testing.assert_close(stands[1](y), linears[1](y))
    torch.testing.assert_close(stands[2](x.clone()), linears[2](x))
    assert counting.calls == 3
    stands[0](x)
    x.add_(1)  # the same tensor, called again after it was changed
    torch.testing.assert_close(stands[0](x), linears[0](x))


def test_models_of_the_library_have_their_groups() -> None:
    config = transformers.Qwen2Config(
        vocab_size=97, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2
    )  # fmt: skip
    assert ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj") in groups(random_model(config))
