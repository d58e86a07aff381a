"""Greedy parity with transformers for the kinds of attention there are, in ragged batches.

Sliding windows, ALiBi, soft-capped and scaled logits, attention sinks, latent attention, experts: each
has a way to go wrong when rows of different lengths share a cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from tests.inference.tiny import LLAMA, NO_SPECIAL, VOCAB, prompts_of, random_model, reference
from transformers import PretrainedConfig, PreTrainedModel

from langwright.inference.engine import TorchEngine
from langwright.inference.precision import Preparation
from langwright.inference.protocol import Request, Sampling
from langwright.models.attention import NAME

SHAPE: dict[str, Any] = {
    "vocab_size": VOCAB, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 96, **NO_SPECIAL,
}  # fmt: skip
OLD: dict[str, Any] = {"vocab_size": VOCAB, "n_layer": 2, "n_head": 4, **NO_SPECIAL}
ALONE: dict[str, Any] = {k: v for k, v in SHAPE.items() if k != "num_key_value_heads"}  # every head its own keys
PACKED: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen2": ("Qwen2Config", SHAPE),
    "qwen3": ("Qwen3Config", {**SHAPE, "head_dim": 8}),
    "mistral with a window": ("MistralConfig", {**SHAPE, "sliding_window": 7}),
    "gemma2, soft caps and windows": ("Gemma2Config", {**SHAPE, "head_dim": 8, "sliding_window": 6}),
    "gemma3, windows in most layers": ("Gemma3TextConfig", {**SHAPE, "head_dim": 8, "sliding_window": 6}),
    "phi, partly rotated": ("PhiConfig", SHAPE),
    "phi3": ("Phi3Config", SHAPE),
    "neox, partly rotated": ("GPTNeoXConfig", ALONE),
    "opt, offset positions": ("OPTConfig", {**SHAPE, "ffn_dim": 48, "word_embed_proj_dim": 32}),
    "granite, scaled logits": ("GraniteConfig", {**SHAPE, "logits_scaling": 2.0}),
    "mixtral, experts": ("MixtralConfig", {**SHAPE, "num_local_experts": 4}),
    "olmo2, norms behind": ("Olmo2Config", SHAPE),
    "stablelm": ("StableLmConfig", SHAPE),
    "cohere, side by side": ("CohereConfig", SHAPE),
    "starcoder2": ("Starcoder2Config", SHAPE),
    "smollm3, some layers without positions": ("SmolLM3Config", SHAPE),
    "gpt_bigcode, one key head": ("GPTBigCodeConfig", {**OLD, "n_embd": 32, "n_positions": 96}),
    "deepseek, latent attention": (
        "DeepseekV3Config",
        {
            **SHAPE, "num_key_value_heads": 4, "moe_intermediate_size": 16, "n_routed_experts": 4, "n_group": 1,
            "num_experts_per_tok": 2, "topk_group": 1, "q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8,
            "qk_nope_head_dim": 8, "v_head_dim": 12, "first_k_dense_replace": 1,
        },
    ),
    "gpt-oss, sinks": (
        "GptOssConfig",
        {**SHAPE, "head_dim": 8, "sliding_window": 6, "num_local_experts": 4, "num_experts_per_tok": 2},
    ),
}  # fmt: skip
PADDED: dict[str, tuple[str, dict[str, Any]]] = {
    "bloom, ALiBi": ("BloomConfig", {**OLD, "hidden_size": 32}),
    "falcon": ("FalconConfig", {**ALONE, "new_decoder_architecture": False}),
    "gptj": ("GPTJConfig", {**OLD, "n_embd": 32, "n_positions": 96, "rotary_dim": 8}),
    "codegen": ("CodeGenConfig", {**OLD, "n_embd": 32, "n_positions": 96, "rotary_dim": 8}),
    "mpt, ALiBi": ("MptConfig", {"vocab_size": VOCAB, "d_model": 32, "n_layers": 2, "n_heads": 4, **NO_SPECIAL}),
}
SINGLE: dict[str, tuple[str, dict[str, Any]]] = {
    "mamba": (
        "MambaConfig",
        {"vocab_size": VOCAB, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, **NO_SPECIAL},
    )
}
TIERS = {"packed": PACKED, "padded": PADDED, "single": SINGLE}


@pytest.mark.spec("G4", "greedy parity for two dozen architectures in each one's tier, ragged and joining")
@pytest.mark.parametrize(
    ("tier", "name"), [(tier, name) for tier, them in TIERS.items() for name in them], ids=lambda x: str(x)
)
def test_greedy_parity(tier: str, name: str, engine_of: Callable[..., TorchEngine]) -> None:
    kind, options = TIERS[tier][name]
    config: PretrainedConfig = getattr(transformers, kind)(**options)
    engine = check_parity(random_model(config, scale=6.0), engine_of)
    assert engine.tier is not None
    assert engine.tier.name == tier
    assert bool(engine.tier.reason()) == (tier != "packed")
    assert engine.way() == (tier, engine.tier.reason())


@pytest.mark.parametrize("name", PADDED)
def test_strict_models_outside_the_packed_tier_run_alone(name: str, engine_of: Callable[..., TorchEngine]) -> None:
    kind, options = PADDED[name]
    model = random_model(getattr(transformers, kind)(**options), scale=6.0)
    engine = engine_of(model, context=96, preparation=Preparation(strict=True))
    (tier, reason), (_, chinese) = engine.way("en"), engine.way("zh")
    assert tier == "single"
    assert reason and chinese != reason


@pytest.mark.parametrize("best", ["padded", "single"])
@pytest.mark.parametrize("name", ["qwen3", "mistral with a window", "gpt-oss, sinks"])
def test_greedy_parity_in_lower_tiers(name: str, best: str, engine_of: Callable[..., TorchEngine]) -> None:
    kind, options = PACKED[name]
    model = random_model(getattr(transformers, kind)(**options), scale=6.0)
    engine = check_parity(model, engine_of, best_tier=best)
    assert engine.tier is not None
    assert (engine.tier.name, engine.tier.reason()) == (best, "asked for")


def check_parity(model: PreTrainedModel, engine_of: Callable[..., TorchEngine], **options: Any) -> TorchEngine:
    """Four ragged prompts, three places: the same tokens as `generate`, and the scores of each alone."""
    prompts, news = prompts_of((3, 17, 9, 1), seed=6), (20, 12, 30, 25)
    engine = engine_of(model, max_batch=3, context=96, **options)
    found = engine.generate([Request(p, Sampling(max_new_tokens=n)) for p, n in zip(prompts, news, strict=True)])
    for prompt, new, done in zip(prompts, news, found, strict=True):
        assert done.ids == reference(model, prompt, new)
    for prompt, score in zip(prompts, engine.score(prompts), strict=True):
        with torch.no_grad():
            logprob_TV = model(torch.tensor([prompt])).logits[0].log_softmax(-1)
        expected = [logprob_TV[place, prompt[place + 1]].item() for place in range(len(prompt) - 1)]
        assert score == pytest.approx(expected, abs=1e-5, rel=1e-5)
    return engine


def test_greedy_parity_with_document_attention(engine_of: Callable[..., TorchEngine]) -> None:
    """The attention that models are trained and opened with, with and without padding and a cache."""
    plain = random_model(LLAMA)
    ours = random_model(LLAMA)
    ours.set_attn_implementation(NAME)
    assert ours.config._attn_implementation == NAME != plain.config._attn_implementation
    prompts = prompts_of((5, 5, 1, 23))
    sampling = Sampling(max_new_tokens=15)
    engine = engine_of(ours, max_batch=3)
    for prompt, done in zip(prompts, engine.generate([Request(p, sampling) for p in prompts]), strict=True):
        assert done.ids == reference(plain, prompt, 15)
    for found, expected in zip(engine.score(prompts), engine_of(plain).score(prompts), strict=True):
        assert found == pytest.approx(expected, abs=1e-5)
    check_parity(ours, engine_of)
