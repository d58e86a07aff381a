"""A causal model that reads one text as it grows, beside the engine's own batch: for guides that ask a second opinion.

What was read is kept in a cache; a text that does not go on from it is read anew. Each pass is one row of its own, so
what a guide says does not depend on what else the engine does.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import Cache, PreTrainedModel

from langwright.inference.scoring.likelihood import cache_or_none


class Reader:
    """Logits after a text, again and again."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self._read: list[int] = []
        self._cache: Cache | None = None
        self._last: Tensor | None = None

    @torch.inference_mode()
    def logits(self, ids: Sequence[int]) -> Tensor:
        """Of the token after these, float32, shape (V,)."""
        if self._last is not None and self._read == list(ids):
            return self._last
        if self._cache is None or self._read != list(ids[: len(self._read)]) or len(ids) == len(self._read):
            self._cache, self._read = cache_or_none(self.model), []
        fresh = list(ids[len(self._read) :]) if self._cache is not None else list(ids)
        device = next(self.model.parameters()).device
        kept = {"past_key_values": self._cache, "use_cache": True} if self._cache is not None else {"use_cache": False}
        output = self.model(input_ids=torch.tensor([fresh], device=device), **kept)
        self._read, self._last = list(ids), output.logits[0, -1].float()
        return self._last
