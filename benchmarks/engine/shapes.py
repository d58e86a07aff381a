"""Random-weight models of the Llama family, a tokenizer whose tokens are numbers, and prompts."""

from __future__ import annotations

import random
from pathlib import Path

VOCABULARY, CONTEXT = 32_000, 1024
SMALLER = {"toy": 512, "8M": 8192}  # vocabularies of those that have another
SHAPES: dict[str, tuple[int, int, int, int]] = {  # width, layers, heads, feed-forward width; embeddings are tied
    "toy": (64, 2, 4, 128),
    "8M": (288, 6, 6, 768),
    "15M": (288, 6, 6, 768),
    "110M": (768, 12, 12, 2048),
    "335M": (1024, 24, 16, 2816),
    "500M": (1280, 24, 20, 3456),
}


def make(shape: str, folder: Path) -> None:
    """A folder that every contestant can open."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    width, layers, heads, inner = SHAPES[shape]
    vocabulary = SMALLER.get(shape, VOCABULARY)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=heads, intermediate_size=inner, max_position_embeddings=CONTEXT, tie_word_embeddings=True,
        bos_token_id=None, eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    backend = Tokenizer(models.WordLevel({f"t{id}": id for id in range(vocabulary)}, unk_token="t0"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    names = {"bos_token": "t1", "eos_token": "t2", "unk_token": "t0", "pad_token": "t0"}
    PreTrainedTokenizerFast(tokenizer_object=backend, **names).save_pretrained(folder)


def prompts(
    shape: str, count: int, length: int, *, shared: int = 0, mixed: bool = False, seed: int = 0
) -> list[list[int]]:
    """Random prompts.

    shared  tokens that all begin with, beside their own `length`
    mixed   between an eighth of the length and twice of it
    """
    draw, most = random.Random(seed), SMALLER.get(shape, VOCABULARY)
    head = [draw.randrange(3, most) for _ in range(shared)]
    lengths = [draw.randint(max(1, length // 8), 2 * length) if mixed else length for _ in range(count)]
    return [[*head, *(draw.randrange(3, most) for _ in range(own))] for own in lengths]
