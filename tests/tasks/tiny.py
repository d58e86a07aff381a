"""Model folders of a few thousand weights, written as any library would write them."""

from __future__ import annotations

from pathlib import Path

from langwright.artifacts import Ability, Card, record_files
from langwright.files import write_whole
from langwright.inference.fake import letters

CONTEXT = 96


def write_writer(folder: Path, *, template: bool = True, seed: int = 0, context: int = CONTEXT) -> Path:
    """A Llama-style model that writes, over bytes, with random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = letters()
    if not template:
        tokenizer.chat_template = None
    torch.manual_seed(seed)
    size = shape(len(tokenizer), tokenizer.eos_token_id, tokenizer.pad_token_id)
    model = LlamaForCausalLM(LlamaConfig(**{**size, "max_position_embeddings": context}))
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4)  # random weights of the usual size find every token alike
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_labeller(folder: Path, labels: tuple[str, ...] = ("sport", "news", "art"), seed: int = 1) -> Path:
    """The same with a classification head."""
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    tokenizer = letters()
    torch.manual_seed(seed)
    config = LlamaConfig(
        **shape(len(tokenizer), tokenizer.eos_token_id, tokenizer.pad_token_id),
        id2label=dict(enumerate(labels)), label2id={label: i for i, label in enumerate(labels)},
    )  # fmt: skip
    model = LlamaForSequenceClassification(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def shape(vocab_size: int, end: int, pad: int) -> dict[str, int]:
    """Two layers, sixteen wide."""
    return {
        "vocab_size": vocab_size, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 2, "intermediate_size": 32, "max_position_embeddings": CONTEXT,
        "eos_token_id": end, "pad_token_id": pad, "bos_token_id": None,
    }  # type: ignore[dict-item]  # fmt: skip


def give_card(folder: Path, *abilities: Ability, stage: str = "pretrain") -> Path:
    """Make a folder an artifact of ours."""
    card = Card(kind="model", stage=stage, abilities=abilities, files=record_files(folder))
    write_whole(folder / "card.json", card.model_dump_json().encode())
    return folder
