"""Training loops as people write them by hand, for benchmarks/pretraining: autocast, torch.compile, fused AdamW.

Around three models of the same shape: transformers' own, litgpt's where it is installed, and one written for speed
where the folder that LANGWRIGHT_HAND names has `fastmodel.py` with `Fast(config, loss, chunk, compiled)` in it
(queries, keys and values in one product, gate and up in one, head and cross-entropy in chunks, the backward pass of
attention as matrix products). Weights of the latter two are random in their own way.

Shapes    B rows    T positions
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.contest import RATE, Conductor

Loss = Callable[[Any, Any], Any]  # (tokens (B, T), tokens that follow (B, T)) -> their mean cross-entropy
HAND = os.environ.get("LANGWRIGHT_HAND")
HAS_LITGPT = importlib.util.find_spec("litgpt") is not None
HAS_FAST = HAND is not None and (Path(HAND) / "fastmodel.py").is_file()


def train_by_hand(conductor: Conductor, model: Any, loss: Loss, feed: Any) -> None:
    """Updates when told to; the last token of a row has no successor and is not learned."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    model.train()
    conductor.wait()
    for (batch,) in feed.updates(0):
        tokens_BT, next_BT = batch.tokens_BT[:, :-1].contiguous(), batch.tokens_BT[:, 1:].contiguous()
        with torch.autocast("cpu", torch.bfloat16):
            mean = loss(tokens_BT, next_BT)
        mean.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if not conductor.done(batch.tokens_BT.numel(), mean.item):
            return


def cross_entropy(logits_BTV: Any, next_BT: Any) -> Any:
    """Mean over all tokens, in float32."""
    from torch.nn.functional import cross_entropy as mean

    return mean(logits_BTV.flatten(0, 1).float(), next_BT.flatten())


def around_transformers(model: Any) -> tuple[Any, Loss]:
    """transformers' class, compiled."""
    import torch

    model.set_attn_implementation("sdpa")
    forward = torch.compile(lambda tokens_BT: model(input_ids=tokens_BT, use_cache=False).logits, dynamic=False)
    return model, lambda tokens_BT, next_BT: cross_entropy(forward(tokens_BT), next_BT)


def around_litgpt(model: Any) -> tuple[Any, Loss]:
    """litgpt's class in the shape of a Llama model, model and loss compiled together."""
    import torch
    from litgpt.config import Config
    from litgpt.model import GPT

    c = model.config
    shape = Config(
        name="shape", block_size=c.max_position_embeddings, vocab_size=c.vocab_size, padded_vocab_size=c.vocab_size,
        n_layer=c.num_hidden_layers, n_head=c.num_attention_heads, n_query_groups=c.num_key_value_heads, n_embd=c.hidden_size,
        rotary_percentage=1.0, parallel_residual=False, bias=False, norm_class_name="RMSNorm", mlp_class_name="LLaMAMLP",
        intermediate_size=c.intermediate_size,
    )  # fmt: skip
    written = GPT(shape)
    loss = torch.compile(lambda tokens_BT, next_BT: cross_entropy(written(tokens_BT), next_BT), dynamic=False)
    return written, loss


def around_fast(model: Any) -> tuple[Any, Loss]:
    """The model written for speed, its body compiled, from the folder LANGWRIGHT_HAND."""
    import torch

    sys.path.insert(0, str(HAND))
    import fastmodel  # type: ignore[import-not-found]

    fastmodel.ATTN = "gemm"
    written = fastmodel.Fast(model.config, "fused", 1024, True)
    written.body = torch.compile(written.body)
    return written, written
