"""Adapters: only they are trained, they come back from their files, and a merge changes nothing."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import DynamicCache, PreTrainedModel, StableLmConfig

from langwright.errors import UserError
from langwright.models.adapter_settings import IA3, Adapter, Dora, Lora, Prefix, Prompt, RsLora
from langwright.models.adapters import (
    add_adapter,
    fingerprint,
    load_adapter,
    merge_adapter,
    save_adapter,
    virtual_past,
    virtual_tokens,
    without_adapter,
)
from langwright.models.building import build_model
from langwright.models.loading import load_model, save_model
from langwright.models.parity import Tolerance, compare, record
from langwright.models.presets import Preset

ROWS = [list(range(3, 28)), [7, 7, 9, 40, 2], [1, 2]]
LLAMA_LIKE = StableLmConfig(
    vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2,
    num_key_value_heads=2, max_position_embeddings=48,
)  # fmt: skip
IDS = torch.tensor([list(range(20)), list(range(30, 50))])


def tiny(kind: str) -> PreTrainedModel:
    return build_model(Preset("x", kind, 32, 2, 4, 4 if kind == "gpt2" else 2, 48, 50, 48), seed=3)  # type: ignore[arg-type]


def moved(adapted: nn.Module) -> nn.Module:
    """Every trained weight a little away from where it begins."""
    draw = torch.Generator().manual_seed(0)
    for weight in adapted.parameters():
        if weight.requires_grad:
            weight.data += torch.randn(weight.shape, generator=draw) * 0.1
    return adapted


def taught(kind: str, settings: Lora | None = None, task: str = "causal") -> nn.Module:
    """A model whose adapter is no longer zero."""
    base = tiny(kind)
    adapted = add_adapter(base, settings or Lora(rank=3), task, seed=1)  # type: ignore[arg-type]
    draw = torch.Generator().manual_seed(0)
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn(weight.shape, generator=draw) * 0.1
    return adapted


@pytest.mark.parametrize("kind, matrices", [("llama", 2 * 7), ("gpt2", 2 * 4)])
def test_only_adapters_are_trained(kind: str, matrices: int) -> None:
    base = tiny(kind)
    frozen = {name: weight.clone() for name, weight in base.named_parameters()}
    expected = base(IDS).logits
    adapted = add_adapter(base, Lora(rank=3))
    trained = [name for name, weight in adapted.named_parameters() if weight.requires_grad]
    assert len(trained) == 2 * matrices and all("lora_" in name for name in trained)
    torch.testing.assert_close(adapted(IDS).logits, expected)  # B is zero: nothing has changed yet
    optimizer = torch.optim.SGD([w for w in adapted.parameters() if w.requires_grad], lr=1.0)
    for _ in range(2):
        adapted(IDS, labels=IDS).loss.backward()
        optimizer.step()
    assert (adapted(IDS).logits - expected).abs().max() > 1e-3
    inside = {
        name.replace(".base_layer", ""): w
        for name, w in adapted.get_base_model().named_parameters()
        if "lora_" not in name
    }
    assert all(torch.equal(inside[name], weight) for name, weight in frozen.items())


def test_the_seed_alone_draws_the_adapter() -> None:
    torch.manual_seed(5)
    one = add_adapter(tiny("llama"), Lora(), seed=2)
    state = torch.get_rng_state()
    two = add_adapter(tiny("llama"), Lora(), seed=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_matrices_by_name() -> None:
    adapted = add_adapter(tiny("llama"), Lora(targets=("q_proj", "v_proj")))
    trained = {name.split(".lora_")[0].rpartition(".")[2] for name, w in adapted.named_parameters() if w.requires_grad}
    assert trained == {"q_proj", "v_proj"}
    with pytest.raises(UserError) as caught:
        add_adapter(tiny("llama"), Lora(targets=("q_prj",)))
    assert caught.value.values["near"] == "q_proj"


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_packed_documents_reach_the_model_inside(kind: str) -> None:
    adapted = taught(kind)
    positions = torch.cat([torch.arange(8), torch.arange(12)])[None].expand(2, -1)
    boundaries = torch.tensor([0, 8, 20, 28, 40], dtype=torch.int32)
    packed = adapted(IDS, position_ids=positions, document_boundaries=boundaries, use_cache=False).logits
    torch.testing.assert_close(packed[:, 8:], adapted(IDS[:, 8:], use_cache=False).logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_saved_as_pefts_own_files_and_back(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    adapted = taught(kind)
    folder = save_adapter(adapted, tmp_path, "chat")  # type: ignore[arg-type]
    assert folder == tmp_path / "adapters" / "chat"
    assert sorted(file.name for file in folder.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == ""
    back = load_adapter(tiny(kind), folder)
    assert torch.equal(back(IDS).logits, adapted(IDS).logits)
    assert not any(weight.requires_grad for weight in back.parameters())
    assert any(weight.requires_grad for weight in load_adapter(tiny(kind), folder, trainable=True).parameters())


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_merge_changes_nothing_that_is_said(kind: str, tmp_path: Path) -> None:
    adapted = taught(kind).eval()
    expected = adapted(IDS).logits
    merged, measures = merge_adapter(adapted, ROWS)  # type: ignore[arg-type]
    torch.testing.assert_close(merged(IDS).logits, expected, rtol=1e-4, atol=1e-5)
    assert all(weight.requires_grad for weight in merged.parameters())
    found = {measure.name: measure.value for measure in measures}
    assert found["merge: largest difference of a logit"] < 1e-5
    assert found["merge: same likeliest token"] == found["merge: same greedy text"] == 1.0
    assert abs(found["merge: change of perplexity"]) < 1e-5
    save_model(merged, None, tmp_path / "merged")
    torch.testing.assert_close(load_model(tmp_path / "merged")(IDS).logits, expected, rtol=1e-4, atol=1e-5)


def test_a_classifiers_head_is_trained_and_merged(tmp_path: Path) -> None:
    save_model(tiny("llama"), None, tmp_path / "base")
    classifier = load_model(tmp_path / "base", "classification", labels=["a", "b", "c"])
    adapted = add_adapter(classifier, Lora(), "classification")
    trained = [name for name, weight in adapted.named_parameters() if weight.requires_grad]
    assert any("score" in name for name in trained) and any("lora_A" in name for name in trained)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if weight.requires_grad:
                weight.add_(0.05 * torch.ones_like(weight) if "score" not in name else torch.eye(*weight.shape))
    expected = adapted.eval()(IDS[:1]).logits
    merged, measures = merge_adapter(adapted, ROWS)
    torch.testing.assert_close(merged(IDS[:1]).logits, expected, rtol=1e-4, atol=1e-5)
    assert [measure.name for measure in measures] == [
        "merge: largest difference of a logit",
        "merge: same likeliest token",
    ]
    save_model(merged, None, tmp_path / "merged")
    opened = load_model(tmp_path / "merged", "classification")
    torch.testing.assert_close(opened(IDS[:1]).logits, expected, rtol=1e-4, atol=1e-5)


def test_the_real_model_takes_an_adapter_and_a_merge(shared_data: Callable[[str], Path]) -> None:
    golden = json.loads((shared_data("model-stories260k") / "golden.json").read_text(encoding="utf-8"))
    adapted = add_adapter(load_model(shared_data("model-stories260k") / "hf"), Lora())
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(weight, std=0.01)
    _, measures = merge_adapter(adapted, [golden["greedy_from_bos_ids"][:60], golden["prompt_ids"]])
    assert len(measures) == 4


# --- other kinds -----------------------------------------------------------------------------------

MERGED = [Lora(rank=3), RsLora(rank=3), Dora(rank=3), IA3()]
BEFORE = [
    Prefix(length=4),
    Prefix(length=4, projection=True),
    Prompt(length=4),
    Prompt(length=4, from_vocabulary=False),
]


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("settings", MERGED, ids=lambda settings: settings.kind)
@pytest.mark.spec(
    "F2", "LoRA, rsLoRA, DoRA and (IA)³ leave the logits as they are at first, train only their own weights and merge"
)
def test_a_fresh_adapter_changes_nothing_and_a_taught_one_merges(kind: str, settings: Adapter) -> None:
    base = tiny(kind)
    expected = base(IDS).logits
    adapted = add_adapter(base, settings, seed=1)
    torch.testing.assert_close(adapted(IDS).logits, expected, rtol=1e-4, atol=1e-5)
    adapted(IDS, labels=IDS).loss.backward()
    with_gradient = {name for name, weight in adapted.named_parameters() if weight.grad is not None}
    assert with_gradient == {name for name, weight in adapted.named_parameters() if weight.requires_grad}
    assert all("lora_" in name or "ia3_" in name for name in with_gradient)
    said = moved(adapted).eval()(IDS).logits
    assert (said - expected).abs().max() > 1e-3
    merged, measures = merge_adapter(adapted, ROWS)
    torch.testing.assert_close(merged(IDS).logits, said, rtol=1e-3, atol=1e-4)
    assert len(measures) == 4


@pytest.mark.parametrize("settings, scale", [(Lora(rank=4, alpha=8.0), 2.0), (RsLora(rank=4, alpha=8.0), 4.0)])
def test_the_scale_of_an_update_by_hand(settings: Adapter, scale: float) -> None:
    adapted = moved(add_adapter(tiny("llama"), settings))
    layer = adapted.get_base_model().model.layers[0].self_attn.q_proj
    x = torch.randn(3, 32)
    update = x @ layer.lora_A["default"].weight.T @ layer.lora_B["default"].weight.T
    torch.testing.assert_close(layer(x), layer.base_layer(x) + scale * update, rtol=1e-4, atol=1e-5)


def test_dora_is_lengths_times_directions() -> None:
    """W' = m · (W + s·B·A) / ‖W + s·B·A‖, row by row of a matrix that gives outputs; m begins at ‖W‖."""
    adapted = add_adapter(tiny("llama"), Dora(rank=4, alpha=8.0))
    layer = adapted.get_base_model().model.layers[0].self_attn.q_proj
    length = layer.lora_magnitude_vector["default"].weight
    torch.testing.assert_close(length.detach(), layer.base_layer.weight.norm(dim=1))
    moved(adapted)
    turned = layer.base_layer.weight + 2.0 * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    x = torch.randn(3, 32)
    torch.testing.assert_close(
        layer(x), x @ (length[:, None] * turned / turned.norm(dim=1, keepdim=True)).T, rtol=1e-4, atol=1e-5
    )


def test_ia3_scales_outputs_of_keys_and_values_and_the_feed_forward_input() -> None:
    adapted = moved(add_adapter(tiny("llama"), IA3()))
    block = adapted.get_base_model().model.layers[0]
    x = torch.randn(3, 32)
    key, down = block.self_attn.k_proj, block.mlp.down_proj
    torch.testing.assert_close(key(x), key.base_layer(x) * key.ia3_l["default"].flatten())
    wide = torch.randn(3, 48)
    torch.testing.assert_close(down(wide), down.base_layer(wide * down.ia3_l["default"].flatten()))
    assert not hasattr(block.self_attn.q_proj, "ia3_l")
    with pytest.raises(UserError, match="not known which matrices"):
        add_adapter(build_model(LLAMA_LIKE), IA3())
    assert "ia3_l" in str(list(add_adapter(build_model(LLAMA_LIKE), IA3(targets=("k_proj",))).state_dict()))


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_prefix_is_keys_and_values_before_the_text(kind: str) -> None:
    """Against transformers' own cache filled with the same keys and values."""
    base = tiny(kind)
    adapted = moved(add_adapter(base, Prefix(length=4), seed=1)).eval()
    assert all("prompt_encoder" in name for name, weight in adapted.named_parameters() if weight.requires_grad)
    past = DynamicCache()
    for number, (keys, values) in enumerate(virtual_past(adapted)):
        assert keys.shape == (1, 4 if kind == "gpt2" else 2, 4, 8)
        past.update(keys.expand(2, -1, -1, -1), values.expand(2, -1, -1, -1), number)
    plain = tiny(kind).eval()
    plain.set_attn_implementation("eager")
    mask = torch.ones(2, 4 + IDS.shape[1], dtype=torch.long)
    expected = plain(IDS, past_key_values=past, attention_mask=mask).logits
    positions = torch.arange(IDS.shape[1])[None].expand(2, -1)
    said = adapted(input_ids=IDS, position_ids=positions, use_cache=False).logits
    torch.testing.assert_close(said, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_prompt_of_a_texts_own_embeddings_is_that_text(kind: str) -> None:
    """Li & Liang and Lester et al. begin with real words: a prompt that says [5, 6, 7, 8] is the text that begins so."""
    base = tiny(kind)
    adapted = add_adapter(base, Prompt(length=4)).eval()
    spoken = torch.tensor([5, 6, 7, 8])
    adapted.prompt_encoder["default"].embedding.weight.data = (
        base.get_input_embeddings().weight[spoken].detach().clone()
    )
    expected = tiny(kind).eval()(torch.cat([spoken.expand(2, -1), IDS], 1)).logits[:, 4:]
    positions = torch.arange(IDS.shape[1])[None].expand(2, -1)
    said = adapted(input_ids=IDS, position_ids=positions, use_cache=False).logits
    torch.testing.assert_close(said, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("settings", BEFORE, ids=str)
def test_what_stands_before_a_text_is_saved_and_never_merged(settings: Adapter, tmp_path: Path) -> None:
    base = tiny("llama")
    before = fingerprint(base)
    adapted = moved(add_adapter(base, settings, seed=2)).eval()
    folder = save_adapter(adapted, tmp_path, "x", before)  # type: ignore[arg-type]
    back = load_adapter(tiny("llama"), folder)
    torch.testing.assert_close(back(input_ids=IDS).logits, adapted(input_ids=IDS).logits)
    assert virtual_tokens(back) == 4 and virtual_tokens(tiny("llama")) == 0
    with pytest.raises(UserError, match="cannot be merged"):
        merge_adapter(back, ROWS)
    plain = without_adapter(adapted)
    torch.testing.assert_close(plain(IDS).logits, tiny("llama").eval()(IDS).logits)
    assert fingerprint(plain) == before


def test_a_prompt_does_not_go_with_a_classifier_that_decides_at_the_last_token(tmp_path: Path) -> None:
    save_model(tiny("llama"), None, tmp_path / "base")
    classifier = load_model(tmp_path / "base", "classification", labels=["a", "b"])
    with pytest.raises(UserError, match="prompt tuning does not go"):
        add_adapter(classifier, Prompt(), "classification")
    adapted = moved(add_adapter(classifier, Prefix(length=4), "classification")).eval()
    assert {n.rpartition(".")[2] for n, w in adapted.named_parameters() if w.requires_grad} == {"weight"}
    padded = torch.tensor([[5, 6, 7, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 0, 0]])
    alone = adapted(input_ids=padded[:, :3], attention_mask=mask[:, :3], use_cache=False).logits
    torch.testing.assert_close(
        adapted(input_ids=padded, attention_mask=mask, use_cache=False).logits, alone, rtol=1e-4, atol=1e-5
    )


def test_an_adapter_of_other_weights_is_refused(tmp_path: Path) -> None:
    """Shapes are the same: only what the weights are tells them apart."""
    base = tiny("llama")
    folder = save_adapter(add_adapter(tiny("llama"), Lora()), tmp_path, "x", fingerprint(base))
    load_adapter(tiny("llama"), folder)
    other = build_model(Preset("x", "llama", 32, 2, 4, 2, 48, 50, 48), seed=4)
    with pytest.raises(UserError, match="other weights"):
        load_adapter(other, folder)
    with torch.no_grad():
        base.model.layers[1].mlp.up_proj.weight.add_(1e-4)
    with pytest.raises(UserError, match="other weights"):
        load_adapter(base, folder)
    (folder / "base.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        load_adapter(tiny("llama"), folder)


# --- the gate --------------------------------------------------------------------------------------


def test_a_difference_fails_the_gate() -> None:
    model = tiny("llama")
    before = record(model, ROWS)
    with torch.no_grad():
        model.get_output_embeddings().weight[7] += 0.01
    with pytest.raises(UserError, match=r"logits.*differ beyond") as caught:
        compare(before, record(model, ROWS), "merge")
    assert caught.value.values["change"] == "merge"
    assert compare(before, record(model, ROWS), "prune", Tolerance(logits=1.0, perplexity=1.0))


def test_what_is_not_a_number_fails_the_gate() -> None:
    model = tiny("llama")
    before = record(model, ROWS)
    with torch.no_grad():
        model.get_output_embeddings().weight[7] = float("nan")
    with pytest.raises(UserError, match="differ beyond"):
        compare(before, record(model, ROWS), "merge")


def test_another_greedy_text_fails_the_gate_and_a_near_tie_does_not() -> None:
    model = tiny("llama")
    before = record(model, ROWS)
    texts = tuple(tuple(token + 1 for token in text) for text in before.continuations)
    other = type(before)(before.rows, before.logits, texts, before.margins)
    with pytest.raises(UserError, match="greedy text"):
        compare(before, other, "merge")
    ties = type(before)(
        before.rows, before.logits, before.continuations, tuple((0.0,) * len(m) for m in before.margins)
    )
    assert compare(ties, other, "merge")


def test_perplexity_by_hand() -> None:
    """A model whose logits are all equal has the vocabulary's size as perplexity."""
    model = tiny("gpt2")
    with torch.no_grad():
        model.transformer.ln_f.weight.zero_()
        model.transformer.ln_f.bias.zero_()
    assert record(model, ROWS).perplexity == pytest.approx(50, rel=1e-5)


def test_recording_leaves_the_mode_and_needs_text() -> None:
    model = tiny("gpt2").train()
    record(model, [[1, 2, 3]])
    assert model.training
    with pytest.raises(UserError, match="nothing to compare"):
        record(model, [[1]])


# --- what cannot be opened ---------------------------------------------------------------------------


def test_pickled_adapters_are_refused(tmp_path: Path) -> None:
    folder = save_adapter(taught("llama"), tmp_path, "x")  # type: ignore[arg-type]
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(UserError, match="can run code"):
        load_adapter(tiny("llama"), folder)
    (folder / "adapter_model.bin").unlink()
    with pytest.raises(UserError, match="holds no adapter"):
        load_adapter(tiny("llama"), folder)


@pytest.mark.parametrize("wrong", ["width", "kind", "torn", "part"])
def test_adapters_of_another_model(tmp_path: Path, wrong: str) -> None:
    targets = Lora(targets=("q_proj", "v_proj"))
    folder = save_adapter(taught("llama", targets), tmp_path, "x")  # type: ignore[arg-type]
    base = tiny("gpt2") if wrong == "kind" else tiny("llama")
    if wrong == "width":
        base = build_model(Preset("x", "llama", 64, 2, 4, 2, 48, 50, 48))
    if wrong == "torn":
        (folder / "adapter_config.json").write_text("{")
    if wrong == "part":
        base = build_model(Preset("x", "llama", 32, 3, 4, 2, 48, 50, 48))
    with pytest.raises(UserError, match=r"does not fit|cannot be read"):
        load_adapter(base, folder)
