"""Scores of rows that begin alike: what they share is read once, and known from one call to the next.

An evaluation asks many questions behind the same examples, and several answers to each question. Rows are
read packed (packed.py), their beginnings taken from the same blocks that requests use; with a block lie the
scores of its tokens. A row whose next block another is reading waits for the next pass.

Where strict, rows are read in pieces that begin and end at multiples of a block, so that a score does not
depend on what else is asked or known; the last known block is read again for what it says of the next token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from langwright.inference.memory.prefixes import BLOCK, names_of
from langwright.inference.memory.shelves import Loose
from langwright.inference.running.packed import PackedRunner, Plan
from langwright.inference.running.parts import pieces

HELD = 16384  # positions of rows in one pass, those included that are not read again


@dataclass
class Scored:
    """A row on its way: `found` are the scores of its tokens from the second on."""

    ids: Sequence[int]
    names: list[bytes]
    found: list[Any] = field(default_factory=list)
    computed: int = 0
    place: Loose | None = None

    @property
    def left(self) -> int:
        """Positions to be read yet; the last has no successor to score."""
        return len(self.ids) - 1 - self.computed

    def until(self, budget: int, strict: bool) -> int:
        """Where the next piece ends; where strict at the end of a block, unless the row ends before."""
        end = self.computed + min(self.left, budget)
        if strict and end < len(self.ids) - 1:
            end = min(len(self.ids) - 1, max(end // BLOCK, self.computed // BLOCK + 1) * BLOCK)
        return end


class SharedScores:
    """Rows to be scored, some of them in every pass.

    most  positions whose logits are held at a time
    of    scores of targets (R, T) by logits (R, T, V)
    """

    def __init__(self, rows: Sequence[Sequence[int]], most: int, of: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.rows = [Scored(row, names_of(row[:-1])) for row in rows]
        self.waiting = list(self.rows)
        self.most, self.of = most, of
        self.kind = repr(of)  # the name of these scores beside others of the same block

    @property
    def shared(self) -> bool:
        """Whether any two rows begin alike."""
        names = [name for row in self.rows for name in row.names]
        return len(set(names)) < len(names)

    @torch.inference_mode()
    def advance(self, runner: PackedRunner) -> None:
        """One pass over as many positions as may be held."""
        budget, held, promised = self.most, 0, set[bytes]()
        parts: list[tuple[Scored, int, int]] = []
        for row in self.waiting:
            if budget <= 0 or (parts and held + len(row.ids) > HELD):
                break
            if row.place is None and not self._begin(row, runner, promised):
                continue
            begin, end = row.computed, row.until(budget, runner.strict)
            promised.update(row.names[begin // BLOCK :])
            parts.append((row, begin, end))
            budget, held = budget - (end - begin), held + len(row.ids)
        plan = Plan()
        targets: list[int] = []
        for row, begin, end in parts:
            assert row.place is not None
            plan.parts += pieces(row.place, begin, end, BLOCK if runner.strict else None)
            plan.ids += row.ids[begin:end]
            plan.positions += range(begin, end)
            targets += row.ids[begin + 1 : end + 1]
        plan.asked = list(range(len(plan.ids)))
        logits_TV = runner.forward(plan)
        targets_T = torch.tensor(targets, device=logits_TV.device)
        numbers = iter(self.of(logits_TV[None], targets_T[None])[0].tolist())
        for row, begin, end in parts:
            row.found += [next(numbers) for _ in range(end - begin)]
            self._keep(row, end, runner)
        self.waiting = [row for row in self.waiting if row.left]

    def _begin(self, row: Scored, runner: PackedRunner, promised: set[bytes]) -> bool:
        """Give a row a place with what is known of its beginning; False while another row reads more of the same."""
        known = runner.store.known(row.names, self.kind)
        if runner.store.most and known < len(row.names) and row.names[known] in promised:
            return False
        row.place = Loose(runner.layout, len(row.ids))
        runner.store.copy(row.names[:known], row.place)
        row.found = [score for name in row.names[:known] for score in runner.store.scores(name, self.kind)]
        # the last known position says what it thinks of the next token
        row.computed = max(0, (known - 1) * BLOCK if runner.strict else known * BLOCK - 1)
        del row.found[row.computed :]
        return True

    def _keep(self, row: Scored, end: int, runner: PackedRunner) -> None:
        assert row.place is not None
        for number in range(row.computed // BLOCK, end // BLOCK):
            scores = row.found[max(0, number * BLOCK - 1) : (number + 1) * BLOCK - 1]
            runner.store.put(row.names[number], row.place, number, self.kind, scores)
        row.computed = end
        if not row.left:
            row.place = None
