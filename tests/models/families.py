"""Very small models of the families that people bring, encoders and decoders."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    GPT2Config,
    LlamaConfig,
    ModernBertConfig,
    PreTrainedConfig,
    Qwen3Config,
    RobertaConfig,
)

ENDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
WIDE = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 64,
    **ENDS,
}
DECODERS: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**WIDE),
    "qwen3": Qwen3Config(**WIDE, num_key_value_heads=2, head_dim=8),
    "gpt2": GPT2Config(vocab_size=60, n_embd=16, n_layer=2, n_head=2, n_positions=64, **ENDS),
}
ENCODERS: dict[str, PreTrainedConfig] = {
    "bert": BertConfig(**WIDE),
    "roberta": RobertaConfig(**{**WIDE, "max_position_embeddings": 66}),
    "electra": ElectraConfig(**WIDE, embedding_size=16),
    "distilbert": DistilBertConfig(
        vocab_size=60, dim=16, n_layers=2, n_heads=2, hidden_dim=24, max_position_embeddings=64, **ENDS
    ),
    "deberta-v2": DebertaV2Config(**WIDE),
    "modernbert": ModernBertConfig(**WIDE, cls_token_id=1, sep_token_id=2),
}
FAMILIES = {**DECODERS, **ENCODERS}


def write_family(name: str, folder: Path) -> Path:
    """A model of the family with random weights, as it comes out of pre-training."""
    torch.manual_seed(0)
    auto = AutoModelForCausalLM if name in DECODERS else AutoModelForMaskedLM
    auto.from_config(FAMILIES[name]).save_pretrained(folder)
    return folder
