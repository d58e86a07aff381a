"""The packed tier: every step is one forward pass over one row of tokens, whoever they belong to.

First come the rows that write, a token each, then as much of the prompts that are being read as the
step's budget of tokens allows, in order of admission (chunked prefill: Agrawal et al. 2023,
arXiv:2308.16369, section 4). Keys and values lie on shelves (shelves.py). Where they outgrow the engine's
memory, the youngest row of the lowest priority gives its place back and waits again; it keeps its tokens,
and the place that it gets next it keeps to its end.

What was read before is not read again: prompts that begin alike share blocks (prefixes.py), rows that begin
while another reads the same wait for it, and rows with the same prompt go on from one reading of it.

Shapes    T packed tokens    V vocabulary
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import torch
from torch import Tensor
from transformers import PreTrainedModel

from langwright.inference.choosing.sampling import Chooser
from langwright.inference.guessing.speculation import SPARE, Guess, Guessed, Guesser, proposed
from langwright.inference.memory.prefixes import BLOCK, PrefixStore, names_of
from langwright.inference.memory.shelves import Layout, Loose, Shelf, Shelves, Slot
from langwright.inference.running.attention import Part, configs_of, packed
from langwright.inference.running.lora import at_work
from langwright.inference.running.parts import GuessedPart, ReadingPart, WritingPart, pieces
from langwright.inference.running.rows import Row
from langwright.inference.running.subject import arguments_of

PREFIX_BYTES = 256 * 2**20
STEP_TOKENS = 512  # of prompts that are read, and rows that write, in one forward pass


@dataclass
class Plan:
    """What one forward pass is to do.

    ends    (row, positions it will have been read to) for all rows that take part
    asking  rows whose last token is in it
    asked   places of those tokens, then of all guesses
    guesses what may follow what is written in it
    """

    parts: list[Part] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    ends: list[tuple[Row, int]] = field(default_factory=list)
    asking: list[Row] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    guesses: list[Guess] = field(default_factory=list)

    def guess(self, guess: Guess, strict: bool) -> None:
        """What may follow the last token of a row that writes; behind all others that are asked for."""
        row, begin = guess.row, len(guess.row.ids)
        assert row.place is not None
        end = begin + len(guess.ids)
        self.parts.append((GuessedPart if strict else ReadingPart)(row.place, begin, end))
        self.asked += range(len(self.ids), len(self.ids) + len(guess.ids))
        self.ids += guess.ids
        self.positions += range(begin, end)
        self.guesses.append(guess)

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

    def read(self, row: Row, end: int, most: int | None = None) -> None:
        """A row up to `end`, in one piece or in pieces that begin and end at multiples of `most`."""
        assert row.place is not None
        self.parts += pieces(row.place, row.computed, end, most)
        self.add(row, end)

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
        every_1T = torch.ones((1, len(plan.ids)), dtype=torch.bool, device=self.device)  # else documents are looked for
        owners = [row.adapter for row, _ in plan.ends] + [guess.row.adapter for guess in plan.guesses]
        lengths = [end - row.computed for row, end in plan.ends] + [len(guess.ids) for guess in plan.guesses]
        with at_work(owners, lengths), packed(self.configs, plan.parts):
            output = self.model(
                input_ids=ids_T[None], position_ids=positions_T[None], attention_mask=every_1T, use_cache=False, **extra
            )
        logits_TV: Tensor = output.logits[0]
        return logits_TV if every or extra else logits_TV[asked_R]


def root_of(row: Row) -> str:
    """What the keys and values of a row depend on beside its tokens."""
    return "" if row.adapter is None else row.adapter.root


class PackedRunner:
    """The rows that run in the packed tier. Memory is counted in positions, `max_tokens` of them.

    prefix_bytes  kept of prompts that were read, for those that begin alike
    strict        rows are read in pieces of BLOCK positions, and what they wrote a token at a time, whatever else runs
    guesser       guesses what rows will write, so that a pass may write more than one token of each
    """

    def __init__(
        self,
        model: PreTrainedModel,
        layout: Layout,
        context: int,
        max_rows: int,
        max_tokens: int,
        prefix_bytes: int = PREFIX_BYTES,
        strict: bool = False,
        guesser: Guesser | None = None,
    ) -> None:
        self.guesser = guesser
        self.guessed = Guessed()
        self.forward = PackedForward(model)
        self.layout = layout
        self.max_rows = max_rows
        self.max_tokens = max(max_tokens, context)
        self.strict = strict
        self.shelves: Shelves[Row] = Shelves(layout, max_rows, context)
        self.store = PrefixStore(layout, prefix_bytes)
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
            row.names = names_of(row.request.prompt, root_of(row))
        self.rows.extend(rows)
        self.reading.extend(rows)

    def step(self) -> list[Row]:
        """One forward pass, and a token for every row that is read to its end; rows that gave back their places."""
        back = self._make_room()
        plan = self._plan()
        if plan.parts:
            logits_RV = self.forward(plan)
            self._keep(plan)
            plan.done()
            written = len(plan.asking)
            self._choose(*self._with_twins(plan.asking, logits_RV[:written]), plan.guesses)
            self._verify(plan.guesses, logits_RV[written:])
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
            row.fail(error)
            row.place = None
        self.rows, self.reading, self._chooser, self._chooses_for = [], [], None, []
        self.shelves = Shelves(self.layout, self.max_rows, self.shelves.longest)

    # --- memory --------------------------------------------------------------------------------

    def _first_claim(self, row: Row) -> int:
        return self.shelves.size_for(row.reserve if row.returned else min(len(row.ids) + 1, row.reserve))

    def _make_room(self) -> list[Row]:
        """Move rows that outgrow their shelves; those that had to give back their places for it."""
        back: list[Row] = []
        grown = [row for shelf in self.shelves for row in shelf.rows if row.computed == shelf.size]
        for row in sorted(grown, key=self.rows.index):
            want = max(row.claim, self.shelves.size_for(row.computed + 1))
            while row.place is not None and self.used - row.claim + want > self.max_tokens:
                last = self._last()
                self._take_out(last)
                last.computed, last.returned = 0, True
                back.append(last)
            if row.place is not None:
                row.claim = want
                self.shelves.put(row, row.computed + 1)
        return back

    def _last(self) -> Row:
        """Who gives its place back first: the youngest of the lowest priority that has not done so before."""
        return min(
            (row for row in self.rows if not row.returned),
            key=lambda row: (row.request.priority, -self.rows.index(row)),
        )

    def _take_out(self, row: Row) -> None:
        if self.guesser is not None:
            self.guesser.left(row)
        if row.place is not None:
            if not self.strict and any(reader.stream.finish_reason in ("stop", "length") for reader in row.readers):
                row.names = names_of(row.ids, root_of(row))
                self._keep_blocks(row, len(row.request.prompt) // BLOCK * BLOCK, row.computed)
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
        writing = list(plan.asking)
        budget = max(STEP_TOKENS - len(plan.ids), STEP_TOKENS // 4)
        for row in list(self.reading):
            if budget <= 0:
                break
            if row.place is None and not self._begin(row):
                continue
            all_of_it = len(row.request.prompt if self.strict else row.ids)
            end = min(all_of_it, row.computed + budget)
            if self.strict and end < all_of_it:
                end = max(end // BLOCK * BLOCK, min(all_of_it, row.computed + BLOCK))
            budget -= end - row.computed
            if end == all_of_it:
                self.shelves.put(row, end + 1)
            plan.read(row, end, BLOCK if self.strict else None)
        if self.guesser is not None and writing:
            for guess in self.guesser.guess(writing, [self._room(row, len(writing)) for row in writing]):
                plan.guess(guess, self.strict)
        return plan

    def _room(self, row: Row, writing: int) -> int:
        """Tokens that may be guessed for a row: as many as its place has positions for, and its share of a pass."""
        assert isinstance(row.place, Slot)
        wanted = row.limit - row.history.made - 1  # the pass writes one anyway
        return max(0, min(row.place.shelf.size - len(row.ids), wanted, SPARE // writing))

    def _verify(self, guesses: Sequence[Guess], logits_GV: Tensor) -> None:
        """Let rows go on as far as they write what was guessed, and a token further."""
        firsts = list(accumulate((len(guess.ids) for guess in guesses), initial=0))
        going = [(guess, first) for guess, first in zip(guesses, firsts, strict=False) if guess.holds()]
        while going:
            places = [first + guess.kept for guess, first in going]
            for guess, _ in going:
                guess.kept += 1
                guess.row.computed += 1
            chooser = Chooser([guess.row.history for guess, _ in going], self.forward.device)
            chosen = chooser(logits_GV[places], proposed([guess for guess, _ in going]))
            for (guess, _), token in zip(going, chosen.tokens, strict=True):
                guess.row.take(token)
            going = [(guess, first) for guess, first in going if guess.holds()]
        if self.guesser is not None:
            for guess in guesses:
                self.guesser.judged(guess)
                self.guessed = Guessed(self.guessed.made + len(guess.ids), self.guessed.kept + guess.kept)

    def _begin(self, row: Row) -> bool:
        """Give a row a place with what is known of its beginning; False while another row reads more of the same."""
        names = row.names[: (len(row.ids) - 1) // BLOCK]  # the last token must be read for its logits
        known = self.store.known(names)
        for other in self.reading:
            if other.place is None:
                continue
            promised = self.store.most > 0 and names[known : known + 1] and names[known] in other.names
            same = other.ids == row.ids and other.adapter is row.adapter
            if promised or (same and not other.returned):
                return False
        row.place = Loose(self.layout, len(row.ids))
        self.store.copy(names[:known], row.place)
        row.computed = known * BLOCK
        return True

    def _keep(self, plan: Plan) -> None:
        """Keep the blocks that this step has read."""
        for row, end in plan.ends:
            if row.computed < len(row.names) * BLOCK:
                self._keep_blocks(row, row.computed, end)

    def _keep_blocks(self, row: Row, begin: int, end: int) -> None:
        assert row.place is not None
        for number in range(begin // BLOCK, min(end // BLOCK, len(row.names))):
            self.store.put(row.names[number], row.place, number)

    def _with_twins(self, rows: list[Row], logits_RV: Tensor) -> tuple[list[Row], Tensor]:
        """Let those who wait for the same prompt go on from where it was read to its end."""
        places = list(range(len(rows)))
        for place, row in enumerate(rows.copy()):
            for twin in self.reading if row in self.reading else ():
                if twin.place is None and twin.ids == row.ids and twin.adapter is row.adapter:
                    self.shelves.fork(row, twin)
                    rows.append(twin)
                    places.append(place)
        self.reading = [row for row in self.reading if not isinstance(row.place, Slot)]
        return rows, logits_RV if len(places) == len(logits_RV) else logits_RV[places]

    def _choose(self, rows: list[Row], logits_RV: Tensor, guesses: Sequence[Guess]) -> None:
        """The next token of each of these rows, for some of which there are guesses."""
        if not rows:
            return
        if self._chooser is None or self._chooses_for != rows:
            self._chooser, self._chooses_for = Chooser([row.history for row in rows], self.forward.device), rows
        of = {guess.row: guess for guess in guesses}
        chosen = self._chooser(logits_RV, proposed([of.get(row) for row in rows]) if of else {})
        for row, token in zip(rows, chosen.tokens, strict=True):
            row.take(token)
