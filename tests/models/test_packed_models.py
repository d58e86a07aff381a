"""Whole models with packed documents give each document the logits it has alone."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from langwright.models.attention import FAMILIES
from langwright.models.building import build_model
from langwright.models.presets import Preset

SHAPE = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 48, "vocab_size": 97, "max_position_embeddings": 64, "head_dim": 8, "pad_token_id": None,
    "bos_token_id": None, "eos_token_id": None,
}  # fmt: skip
LENGTHS = ((9, 1, 20, 10), (40,), (3, 30, 7))  # documents of three rows of 40


def tiny(model_type: str) -> PreTrainedModel:
    if model_type in ("llama", "gpt2"):
        return build_model(
            Preset("x", model_type, 32, 2, 4, 4 if model_type == "gpt2" else 2, 48, 97, 64), seed=3
        ).eval()  # type: ignore[arg-type]
    config = AutoConfig.for_model(model_type, **SHAPE)
    return build_model(config, seed=3).eval()


def packed(seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, positions and boundaries of LENGTHS."""
    ids_BT = torch.randint(0, 97, (3, 40), generator=torch.Generator().manual_seed(seed))
    positions_BT = torch.stack([torch.cat([torch.arange(n) for n in row]) for row in LENGTHS])
    boundaries = torch.tensor([0, *(n for row in LENGTHS for n in row)]).cumsum(0).to(torch.int32)
    return ids_BT, positions_BT, boundaries


def alone(model: PreTrainedModel, ids_BT: Tensor, rows: Sequence[Sequence[int]] = LENGTHS) -> Tensor:
    """Logits of each document by itself, laid into the rows, by transformers' own eager attention, in a copy of the model."""
    model = copy.deepcopy(model)
    model.set_attn_implementation("eager")
    parts = [
        torch.cat([model(input_ids=part[None], use_cache=False).logits[0] for part in ids.split(list(row))])
        for ids, row in zip(ids_BT, rows, strict=True)
    ]
    return torch.stack(parts)


def gradients_alone(
    model: PreTrainedModel, ids_BT: Tensor, rows: Sequence[Sequence[int]] = LENGTHS
) -> dict[str, Tensor]:
    """Gradients of the sum of squared logits, each document by itself."""
    model = copy.deepcopy(model)
    model.activation_checkpointing_disable()
    model.set_attn_implementation("eager")
    for ids, row in zip(ids_BT, rows, strict=True):
        for part in ids.split(list(row)):
            model(input_ids=part[None], use_cache=False).logits.square().sum().backward()
    return {name: weight.grad for name, weight in model.named_parameters()}


def assert_gradients(model: PreTrainedModel, expected: dict[str, Tensor]) -> None:
    """The model's gradients to 1e-5 of their norms."""
    for name, weight in model.named_parameters():
        assert (weight.grad - expected[name]).norm() < 1e-5 * expected[name].norm(), name


@pytest.mark.parametrize("model_type", sorted(FAMILIES))
def test_each_document_is_as_if_alone(model_type: str) -> None:
    model = tiny(model_type)
    assert model.config._attn_implementation == "langwright"
    ids_BT, positions_BT, boundaries = packed()
    with torch.no_grad():
        expected = alone(model, ids_BT)
        by_boundaries = model(
            input_ids=ids_BT, position_ids=positions_BT, document_boundaries=boundaries, use_cache=False
        ).logits
        by_positions = model(input_ids=ids_BT, position_ids=positions_BT, use_cache=False).logits
        not_at_all = model(input_ids=ids_BT, use_cache=False).logits
    torch.testing.assert_close(by_boundaries, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(by_positions, expected, rtol=1e-4, atol=1e-5)
    assert (not_at_all - expected).abs().max() > 1e-3  # the test would notice documents that see each other


@pytest.mark.parametrize("model_type", ["llama", "gpt2"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_of_weights_are_the_sum_over_documents(model_type: str, checkpointing: bool) -> None:
    model = tiny(model_type).train()
    if checkpointing:
        model.activation_checkpointing_enable()
    ids_BT, positions_BT, _ = packed()
    model(input_ids=ids_BT, position_ids=positions_BT, use_cache=False).logits.square().sum().backward()
    assert_gradients(model, gradients_alone(model, ids_BT))


@pytest.mark.heavy
@pytest.mark.parametrize("model_type", ["llama", "gpt2"])
def test_a_compiled_model_gives_the_same_and_is_compiled_once(model_type: str) -> None:
    model = tiny(model_type).train()
    graphs = 0

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> object:
        nonlocal graphs
        graphs += 1
        from torch._inductor.compile_fx import compile_fx

        return compile_fx(graph, inputs)

    compiled = torch.compile(model, dynamic=False, backend=backend, fullgraph=True)
    ids_BT, positions_BT, _ = packed()
    for lengths in (LENGTHS, ((40,), (20, 20), (1,) * 40)):
        positions_BT = torch.stack([torch.cat([torch.arange(n) for n in row]) for row in lengths])
        model.zero_grad()
        logits = compiled(input_ids=ids_BT, position_ids=positions_BT, use_cache=False).logits
        logits.square().sum().backward()
        torch.testing.assert_close(logits, alone(model, ids_BT, lengths), rtol=1e-4, atol=1e-5)
        assert_gradients(model, gradients_alone(model, ids_BT, lengths))
    assert graphs == 1


@pytest.mark.parametrize("model_type", ["llama", "gpt2"])
def test_padding_masks_and_caches_are_as_with_sdpa(model_type: str) -> None:
    model = tiny(model_type)
    ids_BT, _, _ = packed()
    mask_BT = torch.ones_like(ids_BT)
    mask_BT[0, :7] = 0  # padded on the left, as for generation
    mask_BT[1, 30:] = 0  # and on the right
    positions_BT = (mask_BT.cumsum(-1) - 1).clamp(min=0)
    found = []
    for name in ("langwright", "sdpa"):
        model.set_attn_implementation(name)
        with torch.no_grad():
            masked = model(input_ids=ids_BT, attention_mask=mask_BT, position_ids=positions_BT).logits
            only_mask = model(input_ids=ids_BT, attention_mask=mask_BT).logits
            begun = model(input_ids=ids_BT[:, :25], use_cache=True)
            rest = model(input_ids=ids_BT[:, 25:], past_key_values=begun.past_key_values).logits
            whole = model(input_ids=ids_BT).logits
            static = model.generate(
                ids_BT[:, :9], attention_mask=mask_BT[:, :9], max_new_tokens=8, do_sample=False, cache_implementation="static",
                pad_token_id=0, disable_compile=True,
            )  # fmt: skip
            dynamic = model.generate(ids_BT[:1, :9], max_new_tokens=8, do_sample=False, pad_token_id=0)
        found.append([masked[mask_BT.bool()], only_mask[mask_BT.bool()], rest, whole, static.float(), dynamic.float()])
        torch.testing.assert_close(whole[:, 25:], rest, rtol=1e-4, atol=1e-5)
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_a_sliding_window_is_kept() -> None:
    config = AutoConfig.for_model("mistral", **SHAPE, sliding_window=5)
    model = build_model(config, seed=3).eval()
    ids_BT, positions_BT, _ = packed()
    with torch.no_grad():
        windowed = model(input_ids=ids_BT, position_ids=positions_BT, use_cache=False).logits
        model.set_attn_implementation("eager")
        torch.testing.assert_close(
            windowed, model(input_ids=ids_BT, position_ids=positions_BT, use_cache=False).logits, rtol=1e-4, atol=1e-5
        )


def test_dropout_of_attention_keeps_documents_apart() -> None:
    model = tiny("gpt2").train()
    for block in model.transformer.h:
        block.attn.attn_dropout.p = 0.5
    ids_BT, positions_BT, _ = packed()
    changed_BT = ids_BT.clone()
    changed_BT[2, :33] = (changed_BT[2, :33] + 1) % 97
    outs = []
    for ids in (ids_BT, changed_BT):
        torch.manual_seed(5)
        outs.append(model(input_ids=ids, position_ids=positions_BT, use_cache=False).logits.detach())
    torch.testing.assert_close(outs[0][2, 33:], outs[1][2, 33:])
    assert not torch.allclose(outs[0][2, :33], outs[1][2, :33])


def test_under_autocast_the_work_is_done_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    from langwright.models import attention

    seen: list[torch.dtype] = []
    original = attention.attend
    monkeypatch.setattr(attention, "attend", lambda q, *rest: (seen.append(q.dtype), original(q, *rest))[1])
    with torch.autocast("cpu", torch.bfloat16):
        tiny("llama")(input_ids=packed()[0])
    assert set(seen) == {torch.bfloat16}


def test_the_attention_is_not_written_into_config(tmp_path: object) -> None:
    assert "langwright" not in str(tiny("llama").config.to_dict())


def test_a_model_without_our_name_is_left_to_transformers() -> None:
    config = AutoConfig.for_model(
        "opt", hidden_size=16, num_hidden_layers=1, num_attention_heads=2, ffn_dim=16, vocab_size=20
    )
    assert build_model(config).config._attn_implementation == "sdpa"
    assert isinstance(AutoModelForCausalLM.from_config(config), PreTrainedModel)
