"""Sizes before allocation, against the models themselves."""

from __future__ import annotations

import contextlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, Qwen3Config

from langwright.models.building import build_model
from langwright.models.presets import PRESETS, Preset
from langwright.models.sizes import estimate, number_of_weights


def on_meta(config: object) -> int:
    with torch.device("meta"):
        return number_of_weights(AutoModelForCausalLM.from_config(config))


@pytest.mark.spec("T35", "sizes from 1M to 110M weights, each counted exactly before anything is allocated")
@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_counted_exactly(name: str) -> None:
    with torch.device("meta"):
        model = build_model(PRESETS[name], seed=0)
    assert estimate(PRESETS[name]).parameters == number_of_weights(model)
    assert estimate(model.config).parameters == number_of_weights(model)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 3), st.sampled_from([4, 6, 10]), st.integers(1, 3), st.integers(3, 40),
    st.integers(5, 90), st.integers(4, 60), st.booleans(), st.booleans(),
)  # fmt: skip
def test_llama_configs_are_counted_exactly(
    keys: int,
    groups: int,
    head: int,
    layers: int,
    feed_forward: int,
    vocabulary: int,
    context: int,
    tied: bool,
    bias: bool,
) -> None:
    config = LlamaConfig(
        hidden_size=keys * groups * head, num_attention_heads=keys * groups, num_key_value_heads=keys, head_dim=head + 2,
        num_hidden_layers=layers, intermediate_size=feed_forward, vocab_size=vocabulary, max_position_embeddings=context,
        tie_word_embeddings=tied, attention_bias=bias, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    assert estimate(config).parameters == on_meta(config)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("inner", [None, 37])
def test_gpt2_configs_are_counted_exactly(tied: bool, inner: int | None) -> None:
    config = GPT2Config(
        n_embd=24, n_layer=3, n_head=2, n_inner=inner, vocab_size=51, n_positions=17, tie_word_embeddings=tied,
        bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    assert estimate(config).parameters == on_meta(config)


def test_other_families_are_counted_from_the_model() -> None:
    config = Qwen3Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
        intermediate_size=48, vocab_size=60, max_position_embeddings=32, tie_word_embeddings=True,
    )  # fmt: skip
    found = estimate(config, vocab_size=70)
    config.vocab_size = 70
    assert found.parameters == on_meta(config)


def test_the_formula_by_hand() -> None:
    """One layer, one head: forward = 2·(4·4·4 + 3·4·8 + 10·4) + 2·4·T at T = 6."""
    preset = Preset("x", "llama", 4, 1, 1, 1, 8, 10, 6)
    assert estimate(preset).flops_per_token == 3 * (2 * (64 + 96 + 40) + 2 * 4 * 6)


@pytest.mark.parametrize("model_type, keys", [("llama", 2), ("llama", 4), ("gpt2", 4)])
def test_flops_against_torchs_counter(model_type: str, keys: int) -> None:
    """torch counts the products of a real step, attention in full; ours counts attention at half."""
    length, rows = 32, 2
    model = build_model(Preset("x", model_type, 32, 2, 4, keys, 48, 50, length))  # type: ignore[arg-type]
    model.set_attn_implementation("eager")
    ids = torch.randint(0, 50, (rows, length))
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(model(input_ids=ids).logits.flatten(0, 1), ids.flatten()).backward()
    halved = 3 * 2 * model.config.num_hidden_layers * 32 * length
    assert counter.get_total_flops() / (rows * length) == pytest.approx(
        estimate(model.config).flops_per_token + halved, rel=0.01
    )


def kept_by_autograd(preset: Preset, rows: int, dtype: str, checkpointing: bool) -> int:
    """Bytes that the forward pass and the loss keep for the backward pass, the weights themselves left out."""
    model = build_model(preset)
    if checkpointing:
        model.activation_checkpointing_enable()
    ids = torch.randint(0, preset.vocab_size, (rows, preset.max_position_embeddings))
    kept: dict[int, torch.UntypedStorage] = {}
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}

    def keep(x: torch.Tensor) -> torch.Tensor:
        storage = x.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        return x

    narrow = torch.autocast("cpu", torch.bfloat16) if dtype == "bfloat16" else contextlib.nullcontext()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x), narrow:
        F.cross_entropy(model(input_ids=ids, use_cache=False).logits.flatten(0, 1).float(), ids.flatten())
    return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize("model_type, keys", [("llama", 4), ("llama", 2), ("gpt2", 4)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_activations_against_what_autograd_keeps(model_type: str, keys: int, dtype: str) -> None:
    rows, length, vocabulary = 4, 64, 300
    preset = Preset("x", model_type, 64, 4, 4, keys, 160, vocabulary, length)  # type: ignore[arg-type]
    found = estimate(preset, rows=rows, dtype=dtype)  # type: ignore[arg-type]
    narrow = 2 if dtype == "bfloat16" else 4
    other_logits = rows * length * vocabulary * (4 + narrow)  # as made, and the gradient: autograd keeps neither
    narrow_weights = found.weight_bytes - 4 * found.parameters
    assert (narrow_weights > 0) == (dtype == "bfloat16")
    expected = found.activation_bytes - other_logits + narrow_weights
    assert kept_by_autograd(preset, rows, dtype, checkpointing=False) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("model_type", ["llama", "gpt2"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_with_checkpointing_a_layer_costs_its_input(model_type: str, dtype: str) -> None:
    shallow, deep = (Preset("x", model_type, 64, layers, 4, 4, 160, 300, 64) for layers in (2, 6))  # type: ignore[arg-type]
    more = kept_by_autograd(deep, 4, dtype, checkpointing=True) - kept_by_autograd(
        shallow, 4, dtype, checkpointing=True
    )
    estimates = [
        estimate(preset, rows=4, dtype=dtype, checkpointing=True).activation_bytes for preset in (shallow, deep)
    ]  # type: ignore[arg-type]
    assert more == estimates[1] - estimates[0]


def test_what_is_trained_decides_gradients_and_moments() -> None:
    whole, part = estimate(PRESETS["small"]), estimate(PRESETS["small"], trainable=1000)
    assert (part.gradient_bytes, part.optimizer_bytes) == (4000, 8000)
    assert whole.gradient_bytes == 4 * whole.parameters
    assert part.total_bytes == part.weight_bytes + 12000 + part.activation_bytes
