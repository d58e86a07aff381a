"""The batch that runs: rows join after their prefill and leave when they end, between steps.

Shapes    B rows    T tokens    V vocabulary
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from langwright.errors import UserError
from langwright.inference.cache import RunningCache, causal_mask, prefill_cache
from langwright.inference.history import History
from langwright.inference.limits import prompt_too_long
from langwright.inference.protocol import Request, Token
from langwright.inference.sampling import Chooser
from langwright.inference.streams import QueuedStream
from langwright.inference.subject import arguments_of
from langwright.models.adapters import virtual_past, virtual_tokens


@dataclass
class Row:
    """One request on its way through the engine."""

    request: Request
    stream: QueuedStream
    deadline: float | None  # time.monotonic()
    limit: int = 0  # most new tokens: what was asked for, or what the context leaves; set when it is admitted
    history: History = field(init=False)
    length: int = field(init=False)  # positions in the cache

    def __post_init__(self) -> None:
        self.history = History(self.request, self.stream.seed)
        self.length = len(self.request.prompt)

    @property
    def reserve(self) -> int:
        """Positions it may come to need."""
        return len(self.request.prompt) + self.limit

    def begin(self, model: PreTrainedModel) -> None:
        """The model that will write is known: its guide may read the prompt."""
        try:
            self.history.begin(model)
        except UserError as error:
            self.stream.fail(error)

    def settle(self, context: int) -> bool:
        """Set the limit; False, and the stream ended, when the prompt does not fit (the model was exchanged)."""
        self.limit = min(self.request.sampling.max_new_tokens, context - self.length)
        if self.limit < 1:
            self.stream.fail(prompt_too_long(self.length, context))
        return self.limit >= 1

    def expire(self, now: float) -> bool:
        """End the stream if its time is over; True when it has ended for any reason."""
        if self.deadline is not None and now >= self.deadline:
            self.stream.finish("deadline")
        return self.stream.ended

    def take(self, token: Token | UserError) -> None:
        """Hand a token to the reader, and end the stream where this was the last."""
        if isinstance(token, UserError):
            self.stream.fail(token)
        elif token.id in self.request.stop_ids:
            self.stream.finish("stop")
        else:
            self.stream.put(token)
            self.history.take(token.id)
            if self.history.ended is not None:
                self.stream.finish(self.history.ended)
            if self.history.made >= self.limit:
                self.stream.finish("length")


class Forward:
    """A causal model's forward pass with the arguments that it knows."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.ahead = virtual_tokens(model)  # of an adapter, before every text
        self.past = virtual_past(model) if self.ahead else []
        self.model = model.get_base_model() if self.ahead else model
        self.config = model.config
        self.device = next(model.parameters()).device
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


class Batch:
    """The running rows, their cache, and what each step needs of them."""

    def __init__(self, model: PreTrainedModel, max_rows: int) -> None:
        self.forward = Forward(model)
        self.cache = RunningCache(model.config, max_rows)
        self.rows: list[Row] = []
        self._last_B = self._lengths_B = torch.zeros(0, dtype=torch.long, device=self.forward.device)
        self._chooser = self._choose([])

    def admit(self, rows: Sequence[Row]) -> None:
        """Read the prompts of these rows together, hand out their first tokens, and let those that go on join."""
        for row in rows:
            row.begin(self.forward.model)
        device = self.forward.device
        longest = max(row.length for row in rows)
        ids = [[0] * (longest - row.length) + list(row.request.prompt) for row in rows]
        lengths_B = torch.tensor([row.length for row in rows], device=device)
        ahead = self.forward.ahead
        mask_BT = nn.functional.pad(causal_mask(lengths_B, longest), (ahead, 0), value=True)
        positions_BT = (mask_BT.long().cumsum(-1) - 1).clamp(min=0)[:, ahead:]
        filled = prefill_cache(self.forward.config, self.forward.past, len(rows))
        logits_BV = self.forward.last_logits(torch.tensor(ids, device=device), positions_BT, mask_BT.long(), filled)
        chosen = self._choose(rows)(logits_BV)
        for row, token in zip(rows, chosen.tokens, strict=True):
            row.take(token)
        self.cache.join(filled, [row.length for row in rows], ahead)
        for row in rows:
            row.length += ahead
        self.rows.extend(rows)
        self._lengths_B = torch.cat([self._lengths_B, lengths_B + ahead])
        self._last_B = torch.cat([self._last_B, chosen.ids_B])
        self._chooser = self._choose(self.rows)
        self.drop_ended()

    def step(self) -> None:
        """One more token for every row."""
        self.cache.fit(max(row.length for row in self.rows))
        mask_BT = causal_mask(self._lengths_B + 1, self.cache.columns.width + 1).long()
        logits_BV = self.forward.last_logits(self._last_B[:, None], self._lengths_B[:, None], mask_BT, self.cache)
        self.cache.advance()
        chosen = self._chooser(logits_BV)
        self._lengths_B, self._last_B = self._lengths_B + 1, chosen.ids_B
        for row, token in zip(self.rows, chosen.tokens, strict=True):
            row.length += 1
            row.take(token)
        self.drop_ended()

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

    def fits(self, row: Row, others: Sequence[Row], max_tokens: int) -> bool:
        """True when this row could still run to its end beside these and the running ones."""
        all_rows = [*self.rows, *others, row]
        return len(all_rows) <= self.cache.max_rows and len(all_rows) * max(r.reserve for r in all_rows) <= max_tokens

    def fail(self, error: BaseException) -> None:
        """End every row with an error and begin with an empty cache."""
        for row in self.rows:
            row.stream.fail(error)
        self.rows = []
        self._last_B = self._lengths_B = self._lengths_B[:0]
        self.cache.release()

    def _choose(self, rows: Sequence[Row]) -> Chooser:
        return Chooser([row.history for row in rows], self.forward.device)
