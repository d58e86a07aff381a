"""A model without a head: hidden states, of which vectors are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from langwright.inference.scoring.embedding import Embedded, Pooling, embed_texts

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Backbone:
    """A model and its tokenizer; `context` is the most tokens of a text."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    context: int

    def embed(
        self, texts: Sequence[str], *, pooling: Pooling = "mean", normalise: bool = False, truncate: bool = False
    ) -> Embedded:
        """One vector a text from its last hidden states; see `embedding.embed_texts`."""
        return embed_texts(
            self.model, self.tokenizer, texts, self.context, pooling=pooling, normalise=normalise, truncate=truncate
        )


def open_backbone(path: Path) -> Backbone:
    """Open a model folder without a head; UserError when it cannot be opened."""
    from langwright.models.loading import load_model
    from langwright.models.task_heads import most_positions
    from langwright.tokenizers.loading import load_tokenizer

    model = load_model(path, "backbone")
    return Backbone(model, load_tokenizer(path), most_positions(model.config))
