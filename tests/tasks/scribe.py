"""A small model that writes, with a vocabulary of its own: what tasks that are done in words are taught to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from langwright.tasks.declaration import Task, TaskInput
from langwright.tasks.examples import written_examples
from langwright.tasks.front.asked import checked

WORDS = 4000
CONTEXT = 1024


def write_scribe(folder: Path, texts: Iterable[str]) -> Path:
    """A Llama-style model of a million weights over the words of these texts."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from langwright.tokenizers.templates import DEFAULT_TEMPLATE

    special = ["<|endoftext|>", "<|pad|>", "<|im_start|>", "<|im_end|>"]
    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learned.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=WORDS, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    learned.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=learned, eos_token=special[0], pad_token=special[1],
        additional_special_tokens=special[2:], clean_up_tokenization_spaces=False,
    )  # fmt: skip
    tokenizer.chat_template = DEFAULT_TEMPLATE
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
        intermediate_size=256, max_position_embeddings=CONTEXT, tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=None,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def asked_and_written(task: Task, **others: Any) -> list[tuple[TaskInput, list[str]]]:
    """The shipped examples of a task that is done in words, with what a model is taught to write."""
    return [(checked(task, {**fields, **others}, here=True), texts) for fields, texts in written_examples(task)]
