"""One vector a text, from the hidden states of its tokens.

mean    over all its tokens, those that the tokenizer puts around it included and padding left out, as in
        Reimers and Gurevych 2019, arXiv:1908.10084, section 3
cls     the first token, which encoders put before a text for this (Devlin et al. 2019, arXiv:1810.04805, section 3)
last    the last token, which in a causal model has seen all others
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from langwright.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Pooling = Literal["mean", "cls", "last"]
POOLINGS: tuple[Pooling, ...] = ("mean", "cls", "last")
Encode = Callable[[Sequence[Sequence[int]]], list["NDArray"]]  # type: ignore[type-arg]


@dataclass(frozen=True)
class Embedded:
    """Vectors of texts and what they rest on.

    vectors    float32 (texts, width)
    tokens     read of each text; none where a server does not say
    truncated  whether a text was longer than that, in the same order
    """

    vectors: NDArray  # type: ignore[type-arg]
    tokens: tuple[int, ...]
    truncated: tuple[bool, ...]
    pooling: Pooling
    normalised: bool

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return int(self.vectors.shape[1])


def embed_rows(
    encode: Encode,
    rows: Sequence[Sequence[int]],
    *,
    context: int,
    pooling: Pooling = "mean",
    normalise: bool = False,
    truncate: bool = False,
    end: int = 0,
) -> Embedded:
    """Vectors of texts that are token ids.

    encode     rows -> hidden states, one array (tokens, width) a row
    context    most tokens of a row
    normalise  scale each vector to length 1
    truncate   cut what is too long, and say so, instead of refusing it
    end        tokens that the tokenizer puts behind a text, kept when it is cut
    raises     UserError for a text without tokens, or one too long
    """
    import numpy as np

    for row in rows:
        if len(row) > context and not truncate:
            raise UserError(
                "the text has {tokens} tokens, and the model's context is {context}",
                fix="cut it into pieces of at most {context} tokens, or allow it to be cut short",
                tokens=len(row),
                context=context,
            )
    kept = [[*row[: context - end], *row[len(row) - end :]] if len(row) > context else row for row in rows]
    hidden = encode(kept) if rows else []
    vectors = np.stack([pooled(states, pooling) for states in hidden]) if rows else np.zeros((0, 0), np.float32)
    if normalise:
        vectors = unit_length(vectors)
    return Embedded(
        vectors, tuple(map(len, kept)), tuple(len(row) > context for row in rows), pooling, normalise
    )  # fmt: skip


def unit_length(vectors: NDArray) -> NDArray:  # type: ignore[type-arg]
    """The same directions at length 1; a vector of zeros stays one."""
    import numpy as np

    scaled: NDArray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)  # type: ignore[type-arg]
    return scaled


def embed_texts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    context: int,
    *,
    pooling: Pooling = "mean",
    normalise: bool = False,
    truncate: bool = False,
    alone: bool = False,
) -> Embedded:
    """Vectors of texts by a model that no engine holds, with what its tokenizer puts around a text.

    alone   read each by itself
    raises  UserError as `embed_rows`, and for "cls" where the tokenizer puts no such token
    """
    from langwright.inference.scoring.likelihood import encode_rows

    check_pooling(tokenizer, pooling)
    rows = list(tokenizer(list(texts), verbose=False)["input_ids"]) if texts else []
    return embed_rows(
        partial(encode_rows, model, alone=alone), rows, context=context, pooling=pooling, normalise=normalise, truncate=truncate,
        end=closing_tokens(tokenizer),
    )  # fmt: skip


def check_pooling(tokenizer: PreTrainedTokenizerBase, pooling: Pooling) -> None:
    """UserError for the first token's state where the first token has seen nothing of the text."""
    if pooling == "cls" and tokenizer.cls_token_id is None:
        raise UserError(
            "the tokenizer puts no token before a text that could stand for it",
            fix="take mean or last, or an encoder with a [CLS] token",
        )


def pooled(states_TD: NDArray, pooling: Pooling) -> NDArray:  # type: ignore[type-arg]
    """One vector of a text's hidden states, shape (D,)."""
    found_D: NDArray = states_TD.mean(axis=0) if pooling == "mean" else states_TD[0 if pooling == "cls" else -1]  # type: ignore[type-arg]
    return found_D


def closing_tokens(tokenizer: PreTrainedTokenizerBase) -> int:
    """How many tokens a tokenizer puts behind a text."""
    bare = list(tokenizer("a", add_special_tokens=False)["input_ids"])
    whole = list(tokenizer("a", add_special_tokens=True)["input_ids"])
    starts = (at for at in range(len(whole)) if whole[at : at + len(bare)] == bare)
    return len(whole) - next(starts, len(whole)) - len(bare) if bare else 0
