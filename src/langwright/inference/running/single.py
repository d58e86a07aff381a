"""The single tier: every row is run by itself, with the cache that the model makes; for models that keep a running state.

Rows take turns, a token each, so that a short request does not wait for a long one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from langwright.inference.choosing.sampling import Chooser
from langwright.inference.running.lora import at_work
from langwright.inference.running.rows import Row

CACHES = ("past_key_values", "cache_params", "state")
"""What models call the memory that they give back and take again."""


class SingleRunner:
    """The rows that take turns."""

    def __init__(self, model: PreTrainedModel, max_rows: int, max_tokens: int) -> None:
        self.model = model
        self.max_rows = max_rows
        self.max_tokens = max_tokens
        self.device = next(model.parameters()).device
        self.rows: list[Row] = []
        self._choosers: dict[Row, Chooser] = {}

    @property
    def used(self) -> int:
        """Positions that the running rows may come to."""
        return sum(row.reserve for row in self.rows)

    def fits(self, row: Row, others: Sequence[Row]) -> bool:
        """True when this row could still run to its end beside these and the running ones."""
        everyone = [*self.rows, *others, row]
        return len(everyone) <= self.max_rows and sum(one.reserve for one in everyone) <= self.max_tokens

    def admit(self, rows: Sequence[Row]) -> None:
        """Let rows take part from the next step on."""
        for row in rows:
            self._choosers[row] = Chooser([row.history], self.device)
        self.rows.extend(rows)

    def step(self) -> list[Row]:
        """One more token for every row; nobody has to give back a place."""
        for row in list(self.rows):
            logits_1V = self._read(row)
            row.take(self._choosers[row](logits_1V).tokens[0])
        self.drop_ended()
        return []

    def _read(self, row: Row) -> Tensor:
        """Logits behind the tokens that were not read yet, shape (1, V)."""
        ids_1T = torch.tensor([row.ids[row.computed :]], device=self.device)
        with at_work([row.adapter]):
            output = self.model(input_ids=ids_1T, use_cache=True, **(row.cache or {}))
        row.cache = {name: output[name] for name in CACHES if output.get(name) is not None}
        row.computed = len(row.ids)
        logits_1V: Tensor = output.logits[:, -1]
        return logits_1V

    def drop_ended(self) -> None:
        """Forget rows whose streams ended, were cancelled or ran out of time."""
        now = time.monotonic()
        for row in [row for row in self.rows if row.expire(now)]:
            self.rows.remove(row)
            del self._choosers[row]
            row.cache = None

    def fail(self, error: BaseException) -> None:
        """End every row with an error."""
        for row in self.rows:
            row.fail(error)
            row.cache = None
        self.rows = []
        self._choosers = {}
