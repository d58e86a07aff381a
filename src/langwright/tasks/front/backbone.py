"""A model without a head: hidden states, of which vectors are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from langwright.inference.precision import Numbers
from langwright.inference.scoring.embedding import Embedded, Pooling, embed_texts

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from langwright.inference.reading.ready import Ready


@dataclass(frozen=True)
class Backbone:
    """A model and its tokenizer.

    context  the most tokens of a text
    ready    how the model was made ready for many texts; None of one that computes as it came
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    context: int
    ready: Ready | None = None

    @property
    def one_by_one(self) -> bool:
        """Whether each text has to be read by itself."""
        return self.ready is not None and self.ready.alone

    def embed(
        self, texts: Sequence[str], *, pooling: Pooling = "mean", normalise: bool = False, truncate: bool = False
    ) -> Embedded:
        """One vector a text from its last hidden states; see `embedding.embed_texts`."""
        return embed_texts(
            self.model, self.tokenizer, texts, self.context, pooling=pooling, normalise=normalise, truncate=truncate,
            alone=self.one_by_one,
        )  # fmt: skip


def open_backbone(path: Path, numbers: Numbers | None = None) -> Backbone:
    """Open a model folder without a head; UserError when it cannot be opened.

    numbers  what it computes in, made ready for many texts; as transformers computes, in float32, when left out
    """
    from langwright.inference.reading.ready import made_ready
    from langwright.models.loading import load_model
    from langwright.models.task_heads import most_positions
    from langwright.tokenizers.loading import load_tokenizer

    model = load_model(path, "backbone")
    tokenizer, context = load_tokenizer(path), most_positions(model.config)
    ready = None if numbers is None else made_ready(model, numbers, tokenizer, context)
    return Backbone(model, tokenizer, context, ready)
