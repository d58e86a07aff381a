"""One request among many others that come and go: whether it gives the bits that it gives alone.

Source    vLLM's test of batch invariance (tests/v1/determinism) has the idea of the needle and of the inverse test
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import transformers
from tests.inference.tiny import NO_SPECIAL, VOCAB, random_model
from transformers import PreTrainedModel

from langwright.inference.engine import TorchEngine
from langwright.inference.protocol import Request, Sampling
from langwright.inference.running.streams import QueuedStream

CONTEXT = 256
SHAPE: dict[str, Any] = {
    "vocab_size": VOCAB, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": CONTEXT, **NO_SPECIAL,
}  # fmt: skip
ALL_HEADS = {key: value for key, value in SHAPE.items() if key != "num_key_value_heads"}
OLD: dict[str, Any] = {"vocab_size": VOCAB, "n_layer": 2, "n_head": 4, **NO_SPECIAL}
PACKED: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", SHAPE),
    "qwen2": ("Qwen2Config", SHAPE),
    "qwen3": ("Qwen3Config", {**SHAPE, "head_dim": 8}),
    "qwen3 with experts": (
        "Qwen3MoeConfig",
        {**SHAPE, "head_dim": 8, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24},
    ),
    "gemma": ("GemmaConfig", {**SHAPE, "head_dim": 8}),
    "gemma2, soft caps and windows": ("Gemma2Config", {**SHAPE, "head_dim": 8, "sliding_window": 6}),
    "gemma3, windows in most layers": ("Gemma3TextConfig", {**SHAPE, "head_dim": 8, "sliding_window": 6}),
    "gpt2": ("GPT2Config", {**OLD, "n_embd": 32, "n_positions": CONTEXT}),
    "neox, partly rotated": ("GPTNeoXConfig", ALL_HEADS),
    "phi": ("PhiConfig", SHAPE),
    "phi3": ("Phi3Config", SHAPE),
    "mistral with a window": ("MistralConfig", {**SHAPE, "sliding_window": 7}),
    "ministral": ("MinistralConfig", {**SHAPE, "head_dim": 8, "sliding_window": 7}),
    "mixtral, experts": ("MixtralConfig", {**SHAPE, "num_local_experts": 4}),
    "olmo2": ("Olmo2Config", SHAPE),
    "olmo": ("OlmoConfig", SHAPE),
    "gpt-oss, sinks": (
        "GptOssConfig",
        {**SHAPE, "head_dim": 8, "sliding_window": 6, "num_local_experts": 4, "num_experts_per_tok": 2},
    ),
    "granite, scaled logits": ("GraniteConfig", {**SHAPE, "logits_scaling": 2.0}),
    "smollm3": ("SmolLM3Config", SHAPE),
    "cohere, parallel": ("CohereConfig", SHAPE),
    "starcoder2": ("Starcoder2Config", SHAPE),
    "glm4": ("Glm4Config", {**SHAPE, "head_dim": 8}),
    "helium": ("HeliumConfig", {**SHAPE, "head_dim": 8}),
    "exaone4": ("Exaone4Config", {**SHAPE, "sliding_window": 6}),
    "deepseek, latent attention": (
        "DeepseekV3Config",
        {
            **SHAPE, "num_key_value_heads": 4, "moe_intermediate_size": 16, "n_routed_experts": 4, "n_group": 1,
            "num_experts_per_tok": 2, "topk_group": 1, "q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8,
            "qk_nope_head_dim": 8, "v_head_dim": 12, "first_k_dense_replace": 1,
        },
    ),
    "opt, offset positions": ("OPTConfig", {**SHAPE, "ffn_dim": 48, "word_embed_proj_dim": 32}),
}  # fmt: skip
APART: dict[str, tuple[str, dict[str, Any]]] = {
    "bloom, ALiBi": ("BloomConfig", {**OLD, "hidden_size": 32}),
    "falcon": ("FalconConfig", {**ALL_HEADS}),
    "gptj": ("GPTJConfig", {**OLD, "n_embd": 32, "n_positions": CONTEXT, "rotary_dim": 8}),
    "mamba": ("MambaConfig", {"vocab_size": VOCAB, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, **NO_SPECIAL}),
}  # fmt: skip
"""Models outside the packed tier."""


def needle_model(name: str) -> PreTrainedModel:
    """A tiny random model of an architecture."""
    kind, options = (PACKED | APART)[name]
    return random_model(getattr(transformers, kind)(**options), scale=4.0)


@dataclass(frozen=True)
class Answer:
    """What a request gave: exact numbers, no rounding."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]


def answer(stream: QueuedStream) -> Answer:
    """Read a stream to its end."""
    tokens = tuple(stream)
    assert stream.finish_reason == "length"
    return Answer(tuple(token.id for token in tokens), tuple(token.logprob for token in tokens))


def needle_request(length: int = 21, new: int = 10, temperature: float = 0.8, seed: int = 5) -> Request:
    """A request that samples."""
    ids = random.Random(length).choices(range(1, VOCAB), k=length)
    return Request(ids, Sampling(max_new_tokens=new, temperature=temperature, top_k=20, top_p=0.95, seed=seed))


def among(engine: TorchEngine, request: Request, fillers: int, trial: int, longest: int = 60) -> Answer:
    """The answer to a request at a random place among others of random lengths that end and are cancelled meanwhile."""
    draw = random.Random(trial)
    others = [
        Request(draw.choices(range(1, VOCAB), k=draw.randint(1, longest)), Sampling(max_new_tokens=draw.randint(1, 14)))
        for _ in range(fillers)
    ]
    place = draw.randrange(fillers + 1)
    before = [engine.submit(other) for other in others[:place]]
    needle = engine.submit(request)
    after = [engine.submit(other) for other in others[place:]]
    streams = [*before, *after]
    for stream in draw.sample(streams, k=len(streams) // 8):
        stream.cancel()
    found = answer(needle)
    for stream in streams:
        stream.cancel()
    return found
