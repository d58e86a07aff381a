"""Several answers to one prompt: the engine reads it once and goes on from there."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from starlette.testclient import TestClient
from transformers import LlamaConfig, LlamaForCausalLM

from langwright.inference.engine import TorchEngine
from langwright.inference.fake import letters
from langwright.inference.texts.text import TextModel
from langwright.serving.app import build_app


@pytest.mark.spec("SV1", "n answers over HTTP read their prompt once, and each is what its seed gives alone")
def test_a_prompt_is_read_once_for_all_its_answers() -> None:
    torch.manual_seed(0)
    tokenizer = letters()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=256, eos_token_id=None, bos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    engine = TorchEngine(model, prefix_bytes=0)
    read: list[int] = []
    hook = model.model.embed_tokens.register_forward_pre_hook(lambda module, given: read.append(given[0].numel()))

    def ask(**fields: Any) -> list[str]:
        read.clear()
        body = {"model": "m", "prompt": "x" * 120, "max_tokens": 4, **fields}
        return [choice["text"] for choice in client.post("/v1/completions", json=body).json()["choices"]]

    try:
        with TestClient(build_app({"m": TextModel(engine, tokenizer, "m")}), base_url="http://localhost") as client:
            alone = [ask(seed=seed)[0] for seed in range(7, 13)]
            assert sum(read) >= 120  # the hook counts
            assert ask(seed=7, n=6) == alone
            assert sum(read) <= 120 + 6 * 4 + 8, read
    finally:
        hook.remove()
        engine.close()
