"""The packed tier: every step is one forward pass over one row of tokens, whoever they belong to.

First come the rows that write, a token each, then as much of the prompts that are being read as the
step's budget of tokens allows, in order of admission (chunked prefill: Agrawal et al. 2023,
arXiv:2308.16369, section 4). Keys and values lie on shelves (shelves.py). Where they outgrow the engine's
memory, the youngest row of the lowest priority gives its place back and waits again; it keeps its tokens,
and the place that it gets next it keeps to its end.

Shapes    T packed tokens    V vocabulary
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import PreTrainedModel

from langwright.inference.attention import Manner, attend_piece, attend_rows, configs_of, earlier, packed
from langwright.inference.rows import Row
from langwright.inference.sampling import Chooser
from langwright.inference.shelves import Layout, Loose, Place, Shelf, Shelves
from langwright.inference.subject import arguments_of

STEP_TOKENS = 512  # of prompts that are read, and rows that write, in one forward pass


class WritingPart:
    """The first rows of a shelf, one token each."""

    def __init__(self, shelf: Shelf[Row], device: torch.device) -> None:
        self.shelf = shelf
        self.tokens = len(shelf.rows)
        self._slots_R = torch.arange(self.tokens, device=device)
        self._positions_R = torch.tensor([row.computed for row in shelf.rows], device=device)
        self._masks: dict[int | None, Tensor] = {}

    def attend(self, layer: int, q_TNH: Tensor, k_TKH: Tensor, v_TKH: Tensor, manner: Manner) -> Tensor:
        keys_RKSH, values_RKSH = self.shelf.pair(layer)
        keys_RKSH[self._slots_R, :, self._positions_R] = k_TKH
        values_RKSH[self._slots_R, :, self._positions_R] = v_TKH
        mask = self._masks.get(manner.window)
        if mask is None:
            mask = earlier(self._positions_R, self.shelf.size, manner.window, q_TNH.dtype)[:, None, None]
            self._masks[manner.window] = mask
        return attend_rows(q_TNH, keys_RKSH[: self.tokens], values_RKSH[: self.tokens], mask, manner)


class ReadingPart:
    """Neighbouring tokens of one row, which what lies at its place precedes."""

    def __init__(self, place: Place, begin: int, end: int) -> None:
        self.place = place
        self.begin = begin
        self.end = end
        self.tokens = end - begin
        self._masks: dict[int | None, Tensor] = {}

    def attend(self, layer: int, q_TNH: Tensor, k_TKH: Tensor, v_TKH: Tensor, manner: Manner) -> Tensor:
        keys_KSH, values_KSH = self.place.pair(layer)
        k_KTH, v_KTH = k_TKH.transpose(0, 1), v_TKH.transpose(0, 1)
        keys_KSH[:, self.begin : self.end] = k_KTH
        values_KSH[:, self.begin : self.end] = v_KTH
        if self.begin == 0 and (manner.window is None or manner.window >= self.end):
            return attend_piece(q_TNH, k_KTH, v_KTH, None, manner)
        mask = self._masks.get(manner.window)
        if mask is None:
            positions_T = torch.arange(self.begin, self.end, device=q_TNH.device)
            mask = self._masks[manner.window] = earlier(positions_T, self.end, manner.window, q_TNH.dtype)
        return attend_piece(q_TNH, keys_KSH[:, : self.end], values_KSH[:, : self.end], mask, manner)


@dataclass
class Plan:
    """What one forward pass is to do.

    ends    (row, positions it will have been read to) for all rows that take part
    asking  rows whose last token is in it, with the place of that token
    """

    parts: list[WritingPart | ReadingPart] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    ends: list[tuple[Row, int]] = field(default_factory=list)
    asking: list[Row] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)

    def add(self, row: Row, end: int) -> None:
        """The tokens of a row up to `end`."""
        self.ids += row.ids[row.computed : end]
        self.positions += range(row.computed, end)
        self.ends.append((row, end))
        if end == len(row.ids):
            self.asking.append(row)
            self.asked.append(len(self.ids) - 1)

    def write(self, shelf: Shelf[Row], device: torch.device) -> None:
        """One token of every row of a shelf."""
        self.parts.append(WritingPart(shelf, device))
        for row in shelf.rows:
            self.add(row, row.computed + 1)

    def done(self) -> None:
        """The pass is made."""
        for row, end in self.ends:
            row.computed = end


class PackedForward:
    """A causal model's forward pass over one row of packed tokens."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.configs = configs_of(model)
        self.device = next(model.parameters()).device
        self.takes_logits_to_keep = "logits_to_keep" in arguments_of(model)

    def __call__(self, plan: Plan) -> Tensor:
        """Logits of the tokens that are asked for, shape (rows, V)."""
        ids_T, positions_T, asked_R = (
            torch.tensor(numbers, device=self.device, dtype=torch.long)
            for numbers in (plan.ids, plan.positions, plan.asked)
        )
        every = len(plan.asked) == len(plan.ids)
        extra = {"logits_to_keep": asked_R} if self.takes_logits_to_keep and not every else {}
        with packed(self.configs, plan.parts):
            output = self.model(input_ids=ids_T[None], position_ids=positions_T[None], use_cache=False, **extra)
        logits_TV: Tensor = output.logits[0]
        return logits_TV if every or extra else logits_TV[asked_R]


class PackedRunner:
    """The rows that run in the packed tier. Memory is counted in positions, `max_tokens` of them."""

    def __init__(self, model: PreTrainedModel, layout: Layout, context: int, max_rows: int, max_tokens: int) -> None:
        self.forward = PackedForward(model)
        self.layout = layout
        self.max_rows = max_rows
        self.max_tokens = max(max_tokens, context)
        self.shelves: Shelves[Row] = Shelves(layout, max_rows, context)
        self.rows: list[Row] = []  # in order of admission
        self.reading: list[Row] = []  # those whose prompts are not read to their ends
        self._chooser: Chooser | None = None
        self._chooses_for: list[Row] = []

    @property
    def used(self) -> int:
        """Positions that the running rows are counted with."""
        return sum(row.claim for row in self.rows)

    def fits(self, row: Row, others: Sequence[Row]) -> bool:
        """True when there is a place for this row beside these and the running ones."""
        if len(self.rows) + len(others) >= self.max_rows:
            return False
        return self.used + sum(self._first_claim(one) for one in (*others, row)) <= self.max_tokens

    def admit(self, rows: Sequence[Row]) -> None:
        """Let rows take part from the next step on."""
        for row in rows:
            row.claim = self._first_claim(row)
        self.rows.extend(rows)
        self.reading.extend(rows)

    def step(self) -> list[Row]:
        """One forward pass, and a token for every row that is read to its end; rows that gave back their places."""
        back = self._make_room()
        plan = self._plan()
        if plan.parts:
            logits_TV = self.forward(plan)
            plan.done()
            self._choose(plan.asking, logits_TV)
            self.drop_ended()
        return back

    def drop_ended(self) -> None:
        """Free the places of rows whose streams ended, were cancelled or ran out of time."""
        now = time.monotonic()
        gone = [row for row in self.rows if row.expire(now)]
        for row in gone:
            self._take_out(row)
        if gone:  # whoever holds a row holds its reader, and with it the engine
            self._chooser, self._chooses_for = None, []

    def fail(self, error: BaseException) -> None:
        """End every row with an error and begin with empty shelves."""
        for row in self.rows:
            row.stream.fail(error)
            row.place = None
        self.rows, self.reading, self._chooser, self._chooses_for = [], [], None, []
        self.shelves = Shelves(self.layout, self.max_rows, self.shelves.longest)

    # --- memory --------------------------------------------------------------------------------

    def _first_claim(self, row: Row) -> int:
        return self.shelves.size_for(row.reserve if row.returned else min(len(row.ids) + 1, row.reserve))

    def _make_room(self) -> list[Row]:
        """Move rows that outgrow their shelves; those that had to give back their places for it."""
        back: list[Row] = []
        grown = [row for shelf in self.shelves for row in shelf.rows if len(row.ids) > shelf.size]
        for row in sorted(grown, key=self.rows.index):
            want = max(row.claim, self.shelves.size_for(len(row.ids)))
            while row.place is not None and self.used - row.claim + want > self.max_tokens:
                last = self._last()
                self._take_out(last)
                last.computed, last.returned = 0, True
                back.append(last)
            if row.place is not None:
                row.claim = want
                self.shelves.put(row, len(row.ids))
        return back

    def _last(self) -> Row:
        """Who gives its place back first: the youngest of the lowest priority that has not done so before."""
        return min(
            (row for row in self.rows if not row.returned),
            key=lambda row: (row.request.priority, -self.rows.index(row)),
        )

    def _take_out(self, row: Row) -> None:
        if row.place is not None:
            row.place.leave()
            row.place = None
        self.rows.remove(row)
        if row in self.reading:
            self.reading.remove(row)

    # --- a step --------------------------------------------------------------------------------

    def _plan(self) -> Plan:
        plan = Plan()
        for shelf in list(self.shelves):
            plan.write(shelf, self.forward.device)
        budget = max(STEP_TOKENS - len(plan.ids), STEP_TOKENS // 4)
        for row in list(self.reading):
            if budget <= 0:
                break
            begin, end = row.computed, min(len(row.ids), row.computed + budget)
            if end == len(row.ids):
                self.shelves.put(row, end + 1)
                self.reading.remove(row)
            elif row.place is None:
                row.place = Loose(self.layout, len(row.ids))
            assert row.place is not None
            plan.parts.append(ReadingPart(row.place, begin, end))
            plan.add(row, end)
            budget -= end - begin
        return plan

    def _choose(self, rows: list[Row], logits_TV: Tensor) -> None:
        """The next token of each of these rows."""
        if not rows:
            return
        if self._chooser is None or self._chooses_for != rows:
            self._chooser, self._chooses_for = Chooser([row.history for row in rows], self.forward.device), rows
        chosen = self._chooser(logits_TV)
        for row, token in zip(rows, chosen.tokens, strict=True):
            row.take(token)
