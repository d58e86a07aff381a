"""Adapters per request: peft's results in mixed batches, in every tier, loaded and unloaded while others write."""

from __future__ import annotations

import copy
import doctest
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.inference.running.test_rewriting import writer
from tests.inference.tiny import GPT2, LLAMA, prompts_of, random_model, reference
from transformers import PreTrainedModel

from langwright.errors import UserError
from langwright.inference.engine import TorchEngine
from langwright.inference.protocol import Request, Sampling
from langwright.inference.running import lora
from langwright.models.adapter_settings import IA3, Dora, Lora, RsLora
from langwright.models.adapters import add_adapter, fingerprint, load_adapter, save_adapter

EngineOf = Callable[..., TorchEngine]


def saved(model: PreTrainedModel, out: Path, name: str, settings: Any, seed: int, task: Any = "causal") -> Path:
    """An adapter with weights that matter, as training would leave it."""
    base = fingerprint(model)
    adapted = add_adapter(copy.deepcopy(model), settings, task)
    torch.manual_seed(seed)
    with torch.no_grad():
        for key, weight in adapted.named_parameters():
            if "lora_" in key or "ia3_" in key:
                weight.copy_(torch.randn_like(weight) * 0.5)
    return save_adapter(adapted, out, name, base)


def merged(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """peft's own, merged."""
    plain: PreTrainedModel = load_adapter(copy.deepcopy(model), folder).merge_and_unload()
    return plain.eval()


def asked(prompt: list[int], adapter: str | None, count: int = 12) -> Request:
    return Request(prompt, Sampling(max_new_tokens=count), adapter=adapter)


@pytest.fixture(params=["llama", "gpt2"])
def base(request: pytest.FixtureRequest) -> PreTrainedModel:
    return random_model({"llama": LLAMA, "gpt2": GPT2}[request.param])


@pytest.mark.spec(
    "G1", "rows of several adapters and of none run in one batch, each as peft's merged model writes alone"
)
@pytest.mark.parametrize("tier", ["packed", "padded", "single"])
def test_mixed_rows_write_what_each_merged_model_writes(
    base: PreTrainedModel, tier: Any, engine_of: EngineOf, tmp_path: Path
) -> None:
    folders = {
        "one": saved(base, tmp_path, "one", Lora(rank=4, alpha=8), 1),
        "two": saved(base, tmp_path, "two", RsLora(rank=2, alpha=3), 2),
    }
    plain = {None: copy.deepcopy(base), **{name: merged(base, folder) for name, folder in folders.items()}}
    engine = engine_of(base, max_batch=4, best_tier=tier)
    for name, folder in folders.items():
        engine.load_adapter(name, folder)
    assert engine.adapters == ("one", "two") and engine.tier is not None and engine.tier.name == tier
    prompts = [prompt for prompt in prompts_of((3, 30, 9, 1), seed=4) for _ in range(3)]
    names: list[str | None] = [None, "one", "two"] * 4
    found = engine.generate([asked(prompt, name) for prompt, name in zip(prompts, names, strict=True)])
    expected = [reference(plain[name], prompt, 12) for prompt, name in zip(prompts, names, strict=True)]
    assert len({tuple(ids) for ids in expected[:3]}) == 3  # the adapters matter
    assert [done.ids for done in found] == expected


def test_the_same_prompt_of_another_adapter_is_read_anew(engine_of: EngineOf, tmp_path: Path) -> None:
    """Keys and values that are kept of a prompt belong to its adapter, also when a name is used again."""
    base = random_model(LLAMA)
    first, second = (saved(base, tmp_path, name, Lora(rank=4), seed) for seed, name in enumerate(("a", "b")))
    (prompt,) = prompts_of((70,), seed=1)
    engine = engine_of(base, max_batch=2)
    expected = {folder: reference(merged(base, folder), prompt, 10) for folder in (first, second)}
    plainly = reference(copy.deepcopy(base), prompt, 10)
    for folder in (first, second, first):
        engine.load_adapter("x", folder)
        for _ in range(2):
            (with_it, without) = engine.generate([asked(prompt, "x", 10), asked(prompt, None, 10)])
            assert with_it.ids == expected[folder] and without.ids == plainly
        engine.unload_adapter("x")


def test_loading_and_unloading_while_others_write(
    engine_of: EngineOf, gate_of: Callable[..., Any], tmp_path: Path
) -> None:
    base = random_model(LLAMA)
    folder, prompts = saved(base, tmp_path, "one", Lora(rank=4), 1), prompts_of((5, 8), seed=2)
    expected = reference(merged(base, folder), prompts[0], 30), reference(copy.deepcopy(base), prompts[1], 40)
    engine, gate = engine_of(base, max_batch=4), gate_of(base)
    gate.shut()
    plain = engine.submit(asked(prompts[1], None, 40))
    gate.let(4)
    gate.wait_for(5)
    loading = threading.Thread(target=engine.load_adapter, args=("one", folder))
    loading.start()
    gate.let(20)
    loading.join(20)
    assert engine.adapters == ("one",)
    adapted = engine.submit(asked(prompts[0], "one", 30))
    gate.let(3)
    engine.unload_adapter("one")
    with pytest.raises(UserError, match="no adapter called 'one'"):
        engine.submit(asked(prompts[0], "one"))
    gate.open()
    assert ([token.id for token in adapted], [token.id for token in plain]) == expected


def test_an_encoder_decoder_with_adapters(engine_of: EngineOf, tmp_path: Path) -> None:
    from tests.inference.running.test_rewriting import reference as written

    base = writer("t5")
    folder = saved(base, tmp_path, "one", Lora(rank=4), 3, task="seq2seq")
    adapted, plain = merged(base, folder), copy.deepcopy(base)
    engine = engine_of(base, max_batch=4)
    engine.load_adapter("one", folder)
    sources = prompts_of((3, 12, 7), seed=5)
    found = engine.generate([asked(source, name) for source in sources for name in ("one", None)])
    expected = [written(model, source, 12) for source in sources for model in (adapted, plain)]
    assert expected[0] != expected[1] and [done.ids for done in found] == expected


def test_what_is_refused(engine_of: EngineOf, tmp_path: Path) -> None:
    base, other = random_model(LLAMA), random_model(LLAMA, seed=9)
    folder = saved(base, tmp_path, "one", Lora(rank=2), 1)
    engine = engine_of(other)
    with pytest.raises(UserError, match="trained beside other weights"):
        engine.load_adapter("one", folder)
    wide = LLAMA.to_dict() | {"intermediate_size": 64}
    with pytest.raises(UserError, match="trained beside other weights"):
        engine_of(random_model(type(LLAMA)(**wide))).load_adapter("one", folder)
    (folder / "base.json").unlink()
    with pytest.raises(UserError, match=r"is 32 to 64, not 32 to 48|is 64 to 32, not 48 to 32"):
        engine_of(random_model(type(LLAMA)(**wide))).load_adapter("one", folder)
    with pytest.raises(UserError, match="does not fit this GPT2"):
        engine_of(random_model(GPT2)).load_adapter("one", folder)
    mine = engine_of(base)
    mine.load_adapter("one", folder)
    with pytest.raises(UserError, match="loaded already"):
        mine.load_adapter("one", folder)
    for settings, reason in ((Dora(rank=2), "DoRA"), (IA3(), "IA3")):
        with pytest.raises(UserError, match=f"cannot be chosen per request: its kind is {reason}"):
            mine.load_adapter("two", saved(base, tmp_path / reason, "two", settings, 1))
    with pytest.raises(UserError, match="holds no adapter"):
        mine.load_adapter("none", tmp_path)
    with pytest.raises(UserError, match="no adapter called 'on'"):
        mine.submit(asked([1], "on"))
    with pytest.raises(UserError, match="no adapter called 'on'"):
        mine.unload_adapter("on")


def test_the_model_is_given_back_as_it_was(tmp_path: Path) -> None:
    base = random_model(LLAMA)
    folder = saved(base, tmp_path, "one", Lora(rank=2), 1)
    ids = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        before = base(ids).logits
    engine = TorchEngine(base)
    engine.load_adapter("one", folder)
    engine.close()
    assert not any(module._forward_hooks for module in base.modules())
    with torch.no_grad():
        assert torch.equal(base(ids).logits, before)


def test_the_examples() -> None:
    assert doctest.testmod(lora).failed == 0
