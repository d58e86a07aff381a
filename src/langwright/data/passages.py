"""Sentences of a text with their places, and long texts in chunks of whole sentences that overlap.

A sentence ends at 。！？；… and at ! ? with the quotes and brackets that close behind them, at a line end, and at a full
stop that is none of a number, an abbreviation or an initial. A full stop behind a Chinese character ends a sentence
whatever follows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from langwright.data.cutting import BREAKS
from langwright.data.words import HAN

CLOSING = "\"'”’»）)」』】\\]"
END = re.compile(rf"(?:[。！？；!?]+|…+|\.+)[。！？!?…]*[{CLOSING}]*|\n+")
HAN_BEFORE = re.compile(f"[{HAN}][{CLOSING}]*$")
_TITLES = (
    "mr mrs ms dr prof rev gen col sen rep st jr sr hon capt lt inc ltd co corp dept univ eds cf e.g i.e vs viz approx"
)
_BEFORE_NUMBERS = """
no nos vol vols ed pp p fig figs eq eqs sec ch app art ca jan feb mar apr jun jul aug sep sept oct nov dec
"""
_WITHIN = "al u.s u.k u.n a.m p.m ph.d mon tue wed thu fri"
ABBREVIATIONS = frozenset(f"{_TITLES} {_WITHIN}".split())
BEFORE_NUMBERS = frozenset(_BEFORE_NUMBERS.split())
WORD_BEFORE = re.compile(r"[^\s\"'“‘(\[]+$")

Place = tuple[int, int]


def sentences(text: str) -> list[Place]:
    """(start, end) of each sentence without the spaces around it, in order.

    >>> [("Dr. Li has 3.5 kg. 他走了。再见！")[a:b] for a, b in sentences("Dr. Li has 3.5 kg. 他走了。再见！")]
    ['Dr. Li has 3.5 kg.', '他走了。', '再见！']
    """
    found: list[Place] = []
    begin = 0
    for mark in END.finditer(text):
        if ends_here(text, mark):
            found += stripped(text, begin, mark.end())
            begin = mark.end()
    return found + stripped(text, begin, len(text))


def ends_here(text: str, mark: re.Match[str]) -> bool:
    """Whether a mark ends a sentence; any mark but a full stop does."""
    if not mark[0].startswith(".") or len(mark[0].rstrip("\"'”’»）)」』】]")) > 1:
        return True
    if HAN_BEFORE.search(text, max(0, mark.start() - 4), mark.start()):
        return True
    after = text[mark.end() : mark.end() + 1]
    if after and not after.isspace():
        return False
    word = WORD_BEFORE.search(text, max(0, mark.start() - 20), mark.start())
    before = word[0].casefold() if word else ""
    initial = len(before) == 1 and before.isalpha() and before != "i"
    following = text[mark.end() :].lstrip()[:1] if after else ""
    numbered = before in BEFORE_NUMBERS and following.isdigit()
    return not (before in ABBREVIATIONS or numbered or initial or following.islower())


def stripped(text: str, begin: int, end: int) -> list[Place]:
    """The stretch without spaces at its ends; nothing where there is nothing else."""
    inside = text[begin:end]
    start = begin + len(inside) - len(inside.lstrip())
    return [(start, begin + len(inside.rstrip()))] if inside.strip() else []


# --- chunks ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chunk:
    """A stretch of a text: whole sentences, of which the first `shared` characters stood in the chunk before."""

    start: int
    end: int
    shared: int = 0

    @property
    def new(self) -> int:
        """Characters that no chunk before has."""
        return self.end - self.start - self.shared


def chunks(text: str, size: int, overlap: int = 0, measure: Callable[[str], int] = len) -> list[Chunk]:
    """A text in chunks of at most `size`, in order; each sentence stands whole in one where it fits.

    size     most of a chunk, in what `measure` counts: characters, or tokens of a model
    overlap  at most so much of the end of a chunk begins the next one, in whole sentences
    measure  of a stretch of text; larger for more text
    raises   ValueError where overlap is not less than size, or one character is larger than size
    """
    if not 0 <= overlap < size:
        raise ValueError(f"an overlap of {overlap} in chunks of {size}")
    pieces = [part for place in sentences(text) for part in halved(text, place, size, measure)]
    found: list[Chunk] = []
    first = 0
    while first < len(pieces):
        last = furthest(text, pieces, first, size, measure)
        seen = found[-1].end if found else 0
        found.append(Chunk(pieces[first][0], pieces[last][1], max(0, seen - pieces[first][0])))
        if last + 1 == len(pieces):
            break
        begin = shared_from(text, pieces, first, last, overlap, measure)
        # What is shared must leave room for the next sentence, or the chunk would say nothing new.
        while begin <= last and measure(text[pieces[begin][0] : pieces[last + 1][1]]) > size:
            begin += 1
        first = begin
    return found


def furthest(text: str, pieces: Sequence[Place], first: int, size: int, measure: Callable[[str], int]) -> int:
    """The last piece that a chunk which begins with `first` has room for."""
    last = first
    while last + 1 < len(pieces) and measure(text[pieces[first][0] : pieces[last + 1][1]]) <= size:
        last += 1
    return last


def shared_from(
    text: str, pieces: Sequence[Place], first: int, last: int, overlap: int, measure: Callable[[str], int]
) -> int:
    """The first piece of a chunk's end that the next chunk begins with; the one after `last` where none fits."""
    begin = last + 1
    while begin - 1 > first and measure(text[pieces[begin - 1][0] : pieces[last][1]]) <= overlap:
        begin -= 1
    return begin


def halved(text: str, place: Place, size: int, measure: Callable[[str], int]) -> list[Place]:
    """A stretch in parts of at most `size`, cut at the best break near its middle as often as needed."""
    start, end = place
    if measure(text[start:end]) <= size:
        return [place]
    if end - start < 2:
        raise ValueError(f"one character is larger than {size}")
    middle = (start + end) // 2
    cut = middle
    for mark in (*BREAKS, "，", "、", ", "):
        found = text.rfind(mark, start + (end - start) // 4, middle)
        if found > start:
            cut = found + len(mark)
            break
    return [
        part
        for side in (*stripped(text, start, cut), *stripped(text, cut, end))
        for part in halved(text, side, size, measure)
    ]
