"""The padded tier: a left-padded batch on a cache of transformers' kind, for models that make their attention themselves.

Rows join after their prompts were read together, and leave when they end, between steps.

Shapes    B rows    T tokens    V vocabulary
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import Cache, PreTrainedModel

from langwright.inference.choosing.sampling import Chooser
from langwright.inference.memory.cache import RunningCache, blank_layers, causal_mask, prefill_cache
from langwright.inference.running.lora import at_work
from langwright.inference.running.rows import Row
from langwright.inference.running.subject import arguments_of, pad_of
from langwright.models.adapters import virtual_past, virtual_tokens

PREFILL_POSITIONS = 4096  # prompt positions read between two steps of the running batch, padding included


class Forward:
    """A causal model's forward pass with the arguments that it knows."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.ahead = virtual_tokens(model)  # of an adapter, before every text
        self.past = virtual_past(model) if self.ahead else []
        self.model = model.get_base_model() if self.ahead else model
        self.config = model.config
        self.device = next(model.parameters()).device
        self.pad = pad_of(model)
        known = arguments_of(model)
        self.takes_positions = "position_ids" in known
        self.takes_logits_to_keep = "logits_to_keep" in known

    def last_logits(self, ids_BT: Tensor, positions_BT: Tensor, mask_BT: Tensor, cache: object) -> Tensor:
        """Logits of the last column, shape (B, V)."""
        extra: dict[str, object] = {"position_ids": positions_BT} if self.takes_positions else {}
        if self.takes_logits_to_keep:
            extra["logits_to_keep"] = 1
        output = self.model(input_ids=ids_BT, attention_mask=mask_BT, past_key_values=cache, use_cache=True, **extra)
        logits_BV: Tensor = output.logits[:, -1]
        return logits_BV

    def read(self, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Cache]:
        """Logits of the last token of each prompt, shape (B, V), and the cache that they fill, padded on the left."""
        longest = max(len(prompt) for prompt in prompts)
        ids = [[self.pad] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
        lengths_B = torch.tensor([len(prompt) for prompt in prompts], device=self.device)
        mask_BT = nn.functional.pad(causal_mask(lengths_B, longest), (self.ahead, 0), value=True)
        positions_BT = (mask_BT.long().cumsum(-1) - 1).clamp(min=0)[:, self.ahead :]
        filled = prefill_cache(self.config, self.past, len(prompts))
        ids_BT = torch.tensor(ids, device=self.device)
        return self.last_logits(ids_BT, positions_BT, mask_BT.long(), filled), filled


def padded_logits(model: PreTrainedModel, prompts: Sequence[Sequence[int]]) -> Tensor:
    """Logits of the last token of each prompt, all but that one read together and then a step made; shape (prompts, V)."""
    forward, cache = Forward(model), RunningCache(blank_layers(model.config), len(prompts))
    lengths = [len(prompt) - 1 for prompt in prompts]
    _, filled = forward.read([prompt[:-1] for prompt in prompts])
    cache.join(filled, lengths, forward.ahead)
    reached_B = torch.tensor(lengths, device=forward.device) + forward.ahead
    mask_BT = causal_mask(reached_B + 1, cache.columns.width + 1).long()
    last_B1 = torch.tensor([prompt[-1:] for prompt in prompts], device=forward.device)
    return forward.last_logits(last_B1, reached_B[:, None], mask_BT, cache)


class PaddedRunner:
    """The running rows, their cache, and what each step needs of them."""

    def __init__(self, model: PreTrainedModel, max_rows: int, max_tokens: int) -> None:
        self.prepare(model, max_rows)
        self.max_tokens = max_tokens
        self.rows: list[Row] = []
        self._last_B = self._lengths_B = torch.zeros(0, dtype=torch.long, device=self.forward.device)
        self._chooser = self._choose([])

    def prepare(self, model: PreTrainedModel, max_rows: int) -> None:
        """Make what the rows are run with."""
        self.forward = Forward(model)
        self.cache = RunningCache(blank_layers(model.config), max_rows)

    def admit(self, rows: Sequence[Row]) -> None:
        """Read the prompts of these rows together, hand out their first tokens, and let those that go on join."""
        lengths = [len(row.ids) for row in rows]
        with at_work([row.adapter for row in rows]):
            logits_BV, filled = self.forward.read([row.ids for row in rows])
        chosen = self._choose(rows)(logits_BV)
        for row, token in zip(rows, chosen.tokens, strict=True):
            row.take(token)
        ahead = self.forward.ahead
        self.cache.join(filled, lengths, ahead)
        for row, length in zip(rows, lengths, strict=True):
            row.computed = length + ahead
        self.rows.extend(rows)
        self._lengths_B = torch.cat([self._lengths_B, torch.tensor(lengths, device=self.forward.device) + ahead])
        self._last_B = torch.cat([self._last_B, chosen.ids_B])
        self._chooser = self._choose(self.rows)
        self.drop_ended()

    def step(self) -> list[Row]:
        """One more token for every row; nobody has to give back a place, since all that may come is kept free."""
        self.cache.fit(max(row.computed for row in self.rows))
        mask_BT = causal_mask(self._lengths_B + 1, self.cache.columns.width + 1).long()
        with at_work([row.adapter for row in self.rows]):
            logits_BV = self.forward.last_logits(self._last_B[:, None], self._lengths_B[:, None], mask_BT, self.cache)
        self.cache.advance()
        chosen = self._chooser(logits_BV)
        self._lengths_B, self._last_B = self._lengths_B + 1, chosen.ids_B
        for row, token in zip(self.rows, chosen.tokens, strict=True):
            row.computed += 1
            row.take(token)
        self.drop_ended()
        return []

    def drop_ended(self) -> None:
        """Free the places of rows whose streams ended, were cancelled or ran out of time."""
        now = time.monotonic()
        gone = [place for place, row in enumerate(self.rows) if row.expire(now)]
        if not gone:
            return
        order = list(range(len(self.rows)))
        for place in reversed(gone):  # the last row takes the place of one that leaves, so the last leaves first
            self.cache.leave(place)
            order[place] = order[-1]
            order.pop()
        self.rows = [self.rows[place] for place in order]
        kept_B = torch.tensor(order, device=self.forward.device, dtype=torch.long)
        self._lengths_B, self._last_B = self._lengths_B[kept_B], self._last_B[kept_B]
        self._chooser = self._choose(self.rows)
        if not self.rows:
            self.cache.release()

    @property
    def used(self) -> int:
        """Positions that the running rows are counted with: each takes as many as the longest may come to."""
        rows = list(self.rows)
        return len(rows) * max((row.reserve for row in rows), default=0)

    def fits(self, row: Row, others: Sequence[Row]) -> bool:
        """True when this row could still run to its end beside these and the running ones, and be read with these."""
        if others and (len(others) + 1) * max(len(one.ids) for one in (*others, row)) > PREFILL_POSITIONS:
            return False
        everyone = [*self.rows, *others, row]
        longest = max(one.reserve for one in everyone)
        return len(everyone) <= self.cache.max_rows and len(everyone) * longest <= self.max_tokens

    def fail(self, error: BaseException) -> None:
        """End every row with an error and begin with an empty cache."""
        for row in self.rows:
            row.fail(error)
        self.rows = []
        self._last_B = self._lengths_B = self._lengths_B[:0]
        self.cache.release()

    def _choose(self, rows: Sequence[Row]) -> Chooser:
        return Chooser([row.history for row in rows], self.forward.device)
