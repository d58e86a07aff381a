"""Encoded texts, and batches of them: what every objective over whole texts is given.

Shapes    B texts    T positions    K known runs of words of a text
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from langwright.data.lexicon import Terms
from langwright.models.lexical import lexical_of

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class TextBatch:
    """Texts padded to the longest of them.

    tokens_BT  int64, padded at the end
    mask_BT    int64, 1 for tokens and 0 for padding
    types_BT   int64, 1 for the second of two texts, for models that are told; None for others
    terms      (places int64, weights float32), each (B, K), for heads that are told of words; None for others
    """

    tokens_BT: Tensor
    mask_BT: Tensor
    types_BT: Tensor | None = field(default=None, kw_only=True)
    terms: tuple[Tensor, Tensor] | None = field(default=None, kw_only=True)

    @property
    def units(self) -> int:
        """Texts."""
        return len(self.tokens_BT)

    @property
    def positions(self) -> int:
        """B·T."""
        return self.tokens_BT.numel()

    @property
    def padding(self) -> int:
        """Positions that hold no token."""
        return self.positions - int(self.mask_BT.sum())


def read_by(model: nn.Module, batch: TextBatch) -> Any:
    """What a model of transformers says of a batch; its logits with what the words say, where its head is told of them."""
    device = next(model.parameters()).device
    types = {} if batch.types_BT is None else {"token_type_ids": batch.types_BT.to(device)}
    said = model(
        input_ids=batch.tokens_BT.to(device), attention_mask=batch.mask_BT.to(device), use_cache=False, **types
    )
    if batch.terms is not None:
        said.logits = lexical_of(model)(said.logits, *batch.terms)
    return said


def padded(texts: Sequence[Ids], fill: int) -> tuple[Tensor, Tensor]:
    """Ids (B, T) padded at the end to the longest text, and the mask."""
    width = max(len(ids) for ids in texts)
    tokens = np.full((len(texts), width), fill, dtype=np.int64)
    mask = np.zeros((len(texts), width), dtype=np.int64)
    for number, ids in enumerate(texts):
        tokens[number, : len(ids)] = ids
        mask[number, : len(ids)] = 1
    return torch.from_numpy(tokens), torch.from_numpy(mask)


def laid(terms: Sequence[Terms]) -> tuple[Tensor, Tensor]:
    """Places and weights of the known runs of some texts, (B, K) each, weights 0 behind the last of a text."""
    width = max(1, *(len(one.places) for one in terms))
    places = np.zeros((len(terms), width), dtype=np.int64)
    weights = np.zeros((len(terms), width), dtype=np.float32)
    for number, one in enumerate(terms):
        places[number, : len(one.places)] = one.places
        weights[number, : len(one.places)] = one.weights
    return torch.from_numpy(places), torch.from_numpy(weights)


def by_length(texts: Sequence[Ids], rows: Ids) -> Ids:
    """Places in `rows` such that texts of like length stand next to each other, so that little is padded."""
    return np.argsort([len(texts[row]) for row in rows], kind="stable").astype(np.int64)


class Stateless:
    """What an objective without weights and state of its own says of them."""

    def parameters(self) -> list[nn.Parameter]:
        """None of its own: the head is the model's."""
        return []

    def state_dict(self) -> dict[str, Tensor]:
        """None of its own."""
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Nothing to take back."""
