"""Texts of a given length, in tokens, words, characters or sentences.

An end is ruled out before there is enough. Where the room that is left is less than the longest token may take, tokens
that would take more are ruled out, so that the text lands on its limit exactly; how much a token takes is known for
all tokens at once from what it adds behind a word or behind a space. A limit cuts: unless a sentence happens to end
there, the text ends for `length`. With `whole` it ends with the first sentence that ends inside the limits.

Shapes    V ids of the tokenizer
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from langwright.inference.control.counting import IN_WORD, JOINS, Counted, count, ends_sentence
from langwright.inference.control.settings import Length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from langwright.inference.control.vocabulary import Vocabulary
    from langwright.inference.protocol import FinishReason

CJK_LEADS = frozenset(range(0xE3, 0xEA)) | {0xEF, 0xF0}  # first bytes of what may be a Chinese character


class Measure:
    """What each token of a vocabulary adds to one kind of length. Made once a vocabulary and unit."""

    def __init__(self, vocabulary: Vocabulary, unit: Counted) -> None:
        self.unit = unit
        texts = [readable(piece) for piece in vocabulary.pieces]
        self.adds_V = np.array([count(unit, text) for text in texts], dtype=np.int32)
        self.joins_V = np.zeros(len(texts), dtype=np.bool_)
        self.beyond_V = np.zeros(len(texts), dtype=np.bool_)
        if unit == "words":
            self.joins_V = np.array([JOINS.search(text) is not None for text in texts], dtype=np.bool_)
        if unit == "sentences":
            self.beyond_V = np.array([bool(count(unit, t)) and not ends_sentence(t) for t in texts], dtype=np.bool_)
        pairs = zip(vocabulary.pieces, texts, strict=True)
        self.bare_V = np.array([not (text.strip() or inside(piece)) for piece, text in pairs], dtype=np.bool_)
        self.most = int(self.adds_V.max(initial=0))

    def fits(self, text: str, room: int) -> NDArray[np.bool_]:
        """Which tokens add no more than there is room for, shape (V,)."""
        adds_V = self.adds_V
        if self.unit == "words" and IN_WORD.search(text):
            adds_V = adds_V - self.joins_V
        fits_V: NDArray[np.bool_] = adds_V <= room
        if self.unit == "sentences":
            fits_V = fits_V & ~(self.beyond_V & (adds_V == room))
        elif room == 0:
            fits_V = fits_V & ~self.bare_V
        return fits_V


def readable(piece: bytes) -> str:
    """A token's bytes as text for counting: the end of a character was counted with its beginning, and a beginning
    counts as the Chinese character that it may become.
    """
    start = inside(piece)
    try:
        return piece[start:].decode()
    except UnicodeDecodeError as error:
        kept = piece[start : start + error.start].decode()
        return kept + ("一" if piece[start + error.start] in CJK_LEADS else "a")


def inside(piece: bytes) -> int:
    """How many bytes at the front go on with a character."""
    return next((at for at, byte in enumerate(piece) if not 0x80 <= byte <= 0xBF), len(piece))


@dataclass(frozen=True)
class Limited:
    """`Constraint` of a length."""

    vocabulary: Vocabulary
    length: Length

    def start(self) -> LimitedCursor:
        return LimitedCursor(self, b"", 0)

    @cached_property
    def measure(self) -> Measure | None:
        """None for tokens, which are counted as they come."""
        unit = self.length.unit
        return None if unit == "tokens" else measure_of(self.vocabulary, unit)

    @cached_property
    def before_V(self) -> NDArray[np.bool_]:
        """Everything but an end, shape (V,)."""
        flags = np.ones(self.vocabulary.size, dtype=np.bool_)
        flags[list(self.vocabulary.ends)] = False
        return flags


def measure_of(vocabulary: Vocabulary, unit: Counted) -> Measure:
    """The measure of this unit, kept with the vocabulary."""
    if unit not in vocabulary.measures:
        vocabulary.measures[unit] = Measure(vocabulary, unit)
    return vocabulary.measures[unit]


@dataclass(frozen=True)
class LimitedCursor:
    """`Cursor` of a length."""

    limited: Limited
    data: bytes
    tokens: int

    @cached_property
    def text(self) -> str:
        """What is written so far, an open character left out."""
        return self.data.decode(errors="ignore")

    @cached_property
    def count(self) -> int:
        """How much that is; an open character counts."""
        unit = self.limited.length.unit
        if unit == "tokens":
            return self.tokens
        return count(unit, self.text + readable(self.data[len(self.text.encode()) :]))

    @property
    def ended(self) -> FinishReason | None:
        """length where it is cut at the limit; stop where a sentence ends there, or inside the limits with `whole`."""
        length = self.limited.length
        full = length.at_most is not None and self.count >= length.at_most
        if length.unit == "tokens" and full:
            return "length"
        landed = ends_sentence(self.text) and (full or (length.whole and self.count >= length.at_least > 0))
        if landed:
            return "stop"
        if not full or length.unit == "sentences" or self._open:
            return None
        return None if length.unit == "words" and IN_WORD.search(self.text) else "length"

    @property
    def _open(self) -> bool:
        return len(self.text.encode()) < len(self.data)

    def allowed(self) -> NDArray[np.bool_]:
        """Which ids may come next, shape (V,)."""
        length, measure = self.limited.length, self.limited.measure
        flags = self.limited.before_V
        if self.count >= length.at_least:
            flags = np.ones_like(flags)
        if measure is None or length.at_most is None:
            return flags
        room = length.at_most - self.count
        if room > measure.most:
            return flags
        ends = flags[list(self.limited.vocabulary.ends)]
        flags = flags & measure.fits(self.text, room)
        flags[list(self.limited.vocabulary.ends)] = ends
        return flags

    def after(self, id: int) -> LimitedCursor:
        """The cursor behind a token."""
        return LimitedCursor(self.limited, self.data + self.limited.vocabulary.pieces[id], self.tokens + 1)


def cut(length: Length, text: str) -> bool:
    """Whether a text that ended stands at its limit in the middle of a sentence."""
    if length.at_most is None or length.unit == "tokens":
        return False
    return count(length.unit, text) >= length.at_most and not ends_sentence(text)
