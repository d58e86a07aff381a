"""What was changed between a text and another made from it: stretches of characters, each with what replaces it.

Words, single Chinese characters and single signs are compared. Where both texts have equally many, the change with
the fewest of them is taken place by place or, where that says less, by the longest common parts (difflib).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
PIECE = re.compile(rf"(?:(?![{HAN}_])\w)+(?:['’-](?:(?![{HAN}_])\w)+)*|\s+|.", re.DOTALL)


@dataclass(frozen=True, order=True)
class Edit:
    """A stretch of a text, in characters, the end not included, and what is to stand there."""

    start: int
    end: int
    replacement: str


def pieces(text: str) -> list[str]:
    """Words, Chinese characters, signs and runs of space; joined, they are the text.

    >>> pieces("Don't 看 it.")
    ["Don't", ' ', '看', ' ', 'it', '.']
    """
    return PIECE.findall(text)


def edits_between(text: str, made: str) -> tuple[Edit, ...]:
    """The changes that make the one text from the other, in order and apart.

    >>> edits_between("不怕措折", "不怕挫折")
    (Edit(start=2, end=3, replacement='挫'),)
    >>> edits_between("a cat sat", "the cat sat down")
    (Edit(start=0, end=1, replacement='the'), Edit(start=9, end=9, replacement=' down'))
    """
    before, after = pieces(text), pieces(made)
    starts = [0]
    for piece in before:
        starts.append(starts[-1] + len(piece))
    found = [Edit(starts[a], starts[b], "".join(after[c:d])) for a, b, c, d in changed(before, after) if a < b or c < d]
    return tuple(found)


def changed(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """Stretches (a, b) of the one and (c, d) of the other that differ."""
    opcodes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    matched: list[tuple[int, int, int, int]] = []
    for kind, a, b, c, d in opcodes:
        if kind == "replace" and b - a == d - c:
            matched += [(a + i, a + i + 1, c + i, c + i + 1) for i in range(b - a) if before[a + i] != after[c + i]]
        elif kind != "equal":
            matched.append((a, b, c, d))
    if len(before) == len(after):
        placed = [(i, i + 1, i, i + 1) for i in range(len(before)) if before[i] != after[i]]
        if len(placed) <= sum(max(b - a, d - c) for a, b, c, d in matched):
            return placed
    return matched


def applied(text: str, edits: Sequence[Edit]) -> str:
    """The text after its edits.

    raises  ValueError where edits overlap or lie outside

    >>> applied("不怕措折", [Edit(2, 3, "挫")])
    '不怕挫折'
    """
    parts, place = [], 0
    for edit in sorted(edits):
        if not place <= edit.start <= edit.end <= len(text):
            raise ValueError(f"{edit} overlaps another or lies outside of {len(text)} characters")
        parts += [text[place : edit.start], edit.replacement]
        place = edit.end
    return "".join([*parts, text[place:]])
