"""Models with random weights, from transformers' own classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from langwright.models.presets import Preset

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def build_config(
    preset: Preset, vocab_size: int, context: int, tokenizer: PreTrainedTokenizerBase | None = None
) -> LlamaConfig | GPT2Config:
    """The configuration of a preset with this vocabulary and context; special ids come from the tokenizer."""
    special = {
        "bos_token_id": tokenizer.bos_token_id if tokenizer else None,
        "eos_token_id": tokenizer.eos_token_id if tokenizer else None,
        "pad_token_id": tokenizer.pad_token_id if tokenizer else None,
    }
    if preset.model_type == "gpt2":
        return GPT2Config(
            vocab_size=vocab_size, n_positions=context, n_embd=preset.hidden_size, n_layer=preset.num_hidden_layers,
            n_head=preset.num_attention_heads, n_inner=preset.intermediate_size,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, tie_word_embeddings=preset.tie_word_embeddings, **special,
        )  # fmt: skip
    return LlamaConfig(
        vocab_size=vocab_size, max_position_embeddings=context, hidden_size=preset.hidden_size,
        num_hidden_layers=preset.num_hidden_layers, num_attention_heads=preset.num_attention_heads,
        num_key_value_heads=preset.num_key_value_heads, intermediate_size=preset.intermediate_size,
        tie_word_embeddings=preset.tie_word_embeddings, **special,
    )  # fmt: skip


def build_model(
    preset: Preset, *, vocab_size: int, context: int, seed: int, tokenizer: PreTrainedTokenizerBase | None = None
) -> PreTrainedModel:
    """A model with random weights that depend on the seed alone; the global generator is left as it was."""
    config = build_config(preset, vocab_size, context, tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GPT2LMHeadModel(config) if preset.model_type == "gpt2" else LlamaForCausalLM(config)
