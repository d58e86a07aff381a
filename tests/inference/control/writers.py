"""Small models of random weights that write with any of the kinds of tokenizers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.inference.texts.test_decoding import TOKENIZERS
from tests.inference.tiny import LLAMA, random_model
from transformers import PreTrainedTokenizerBase

from langwright.inference.engine import TorchEngine
from langwright.inference.texts.text import TextModel


@contextmanager
def writer(tokenizer: PreTrainedTokenizerBase | str = "byte-level", context: int = 512, seed: int = 1, scale: float = 3.0) -> Iterator[TextModel]:  # fmt: skip
    """A text model over a random model of the tokenizer's size."""
    known = TOKENIZERS[tokenizer] if isinstance(tokenizer, str) else tokenizer
    config = {**LLAMA.to_dict(), "vocab_size": len(known) + 3, "max_position_embeddings": context}
    engine = TorchEngine(random_model(LLAMA.__class__(**config), seed=seed, scale=scale), max_batch=32)
    try:
        yield TextModel(engine, known, "random")
    finally:
        engine.close()
