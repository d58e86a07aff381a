"""Texts as a head is given them, in training and in use alike: alone, in pairs, and in windows where they are long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from langwright.data.hints import Asked, Hints, Named
from langwright.data.lexicon import Lexicon, Terms
from langwright.data.schemas import TaggingRow
from langwright.data.word_tags import judged
from langwright.errors import UserError
from langwright.tokenizers.layout import Layout, Pieces, all_pieces, layout_of, owned, pieces, shortened, windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Ids = NDArray[np.int64]
Place = tuple[int, int]
READ_AHEAD = 64  # characters for each token of a row, of which no more than a few make one


@dataclass(frozen=True)
class Encoded:
    """One row for a model.

    ids    int64 (T,)
    types  int64 (T,), 1 for the second of two texts, or what hints say
    cut    whether something of the texts is left out
    terms  the known runs of words of the whole text, for a head that is told of them
    """

    ids: Ids
    types: Ids
    cut: bool = False
    terms: Terms | None = None


@dataclass(frozen=True)
class Window:
    """A stretch of a text's tokens as a row.

    first   number of the text's token that stands at `offset` in the row
    owned   numbers of the text's tokens that this window is asked about: from, to (not included)
    """

    row: Encoded
    offset: int
    first: int
    last: int
    owned: tuple[int, int]


@dataclass(frozen=True)
class Encoder:
    """A tokenizer for a model with a head.

    length  most tokens in a row
    told    whether the model is told which of two texts a token is of
    hints   what else it is told of each token
    lexicon the runs of words that its head is told of
    """

    tokenizer: PreTrainedTokenizerBase
    length: int
    told: bool = False
    hints: Hints | None = None
    lexicon: Lexicon | None = None

    @cached_property
    def layout(self) -> Layout:
        """What stands around texts."""
        return layout_of(self.tokenizer)

    @property
    def pad_id(self) -> int:
        """The id of padding."""
        return int(self.tokenizer.pad_token_id)

    def text(self, text: str) -> Encoded:
        """A text with the tokenizer's own special tokens, cut to the length; of no tokens where it has none."""
        return self.texts([text])[0]

    def texts(self, texts: Sequence[str]) -> list[Encoded]:
        """The same of many, which the tokenizer reads together."""
        rows = self.read(texts, specials=True)
        long = [place for place, ids in enumerate(rows) if len(ids) > self.length]
        if long:
            some = [self.beginning(texts[place]) for place in long]
            kept = self.tokenizer(some, truncation=True, max_length=self.length)["input_ids"]
            for place, ids in zip(long, kept, strict=True):
                rows[place] = ids
        cut = set(long)
        made = [encoded(ids, [0] * len(ids), place in cut) for place, ids in enumerate(rows)]
        if self.lexicon is None:
            return made
        return [replace(row, terms=self.lexicon.terms(text)) for row, text in zip(made, texts, strict=True)]

    def read(self, texts: Sequence[str], *, specials: bool) -> list[list[int]]:
        """Ids of texts; of one that is far longer than a row only those of its beginning, more than two rows of them."""
        if not texts:
            return []
        found = self.ids_of([self.beginning(text) for text in texts], specials)
        for place, text in enumerate(texts):
            if len(found[place]) <= 2 * self.length and len(self.beginning(text)) < len(text):
                found[place] = self.ids_of([text], specials)[0]  # long tokens: where it was cut could show
        return found

    def ids_of(self, texts: Sequence[str], specials: bool) -> list[list[int]]:
        """What the tokenizer makes of them, however long they are."""
        return list(self.tokenizer(list(texts), add_special_tokens=specials, verbose=False)["input_ids"])

    def beginning(self, text: str) -> str:
        """As much of a text as surely fills a row; all of it where the tokenizer keeps ends."""
        return text if self.tokenizer.truncation_side == "left" else text[: READ_AHEAD * self.length]

    def pair(self, first: str, second: str) -> Encoded:
        """Two texts together, the longer one cut first where they are too long."""
        return self.pairs([(first, second)])[0]

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> list[Encoded]:
        """The same of many, which the tokenizer reads together."""
        sides = (self.read([pair[side] for pair in pairs], specials=False) for side in (0, 1))
        return [self.joined(one, other) for one, other in zip(*sides, strict=True)]

    def joined(self, one: list[int], other: list[int]) -> Encoded:
        """The ids of two texts as a row."""
        left, right = shortened(one, other, self.length - self.layout.specials)
        return encoded(*self.layout.pair(left, right), len(left) + len(right) < len(one) + len(other))

    def plain(self, text: str) -> list[int]:
        """A text's ids without special ones."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def words(self, text: str, row: TaggingRow | None = None) -> tuple[list[Place], list[int], list[Window]]:
        """A text for tagging: places of its tokens, which of them are judged, and windows that cover it.

        row  the text as a row that is learned from
        """
        return self.cut_words(text, pieces(self.tokenizer, text), row)

    def all_words(self, texts: Sequence[str]) -> list[tuple[list[Place], list[int], list[Window]]]:
        """The same of many texts, which the tokenizer reads together."""
        return [self.cut_words(*one) for one in zip(texts, all_pieces(self.tokenizer, texts), strict=True)]

    def cut_words(
        self, text: str, found: Pieces, row: TaggingRow | None = None
    ) -> tuple[list[Place], list[int], list[Window]]:
        """The same of a text whose tokens are known."""
        types = self.hints.of(text, found.places, row) if isinstance(self.hints, Named) else [0] * len(found.ids)
        before, after = self.layout.before, self.layout.after
        size = self.length - len(before) - len(after)
        stretches = windows(len(found.ids), size, size // 3)
        made = [
            Window(
                encoded([*before, *found.ids[a:b], *after], [*[0] * len(before), *types[a:b], *[0] * len(after)]),
                len(before), a, b, own,
            )
            for (a, b), own in zip(stretches, owned(stretches), strict=True)
        ]  # fmt: skip
        return found.places, judged(text, found.places), made

    def passage(self, question: str, context: str) -> tuple[list[Place], list[Window]]:
        """A question with a passage: places of the passage's tokens, and windows that cover it.

        raises  UserError when the question leaves no room for a passage
        """
        asked = self.plain(question)[: self.length // 2]
        found = pieces(self.tokenizer, context)
        size = self.length - self.layout.specials - len(asked)
        if size < 2:
            raise UserError(
                "rows of {length} tokens leave no room for a passage beside a question",
                fix="raise the row length with --set length=N",
                length=self.length,
            )
        offset = self.layout.starts_second(asked)
        stretches = windows(len(found.ids), size, size // 3)
        made = []
        for (a, b), own in zip(stretches, owned(stretches), strict=True):
            ids, types = self.layout.pair(asked, found.ids[a:b])
            if isinstance(self.hints, Asked):
                types[offset : offset + b - a] = self.hints.of(question, context, found.places)[a:b]
            made.append(Window(encoded(ids, types), offset, a, b, own))
        return found.places, made


def encoded(ids: Sequence[int], types: Sequence[int], cut: bool = False) -> Encoded:
    """Lists as a row."""
    return Encoded(np.array(ids, dtype=np.int64), np.array(types, dtype=np.int64), cut)


def tokens_of(places: Sequence[Place], start: int, end: int) -> tuple[int, int] | None:
    """First and last token of a stretch of characters; None where no token stands in it."""
    inside = [number for number, (a, b) in enumerate(places) if a < end and b > start]
    return (inside[0], inside[-1]) if inside else None


def edges_in(window: Window, span: tuple[int, int] | None) -> tuple[int, int]:
    """Where a span's first and last token stand in a window's row; (0, 0) where it does not hold the whole span."""
    if span is None or not (window.first <= span[0] and span[1] < window.last):
        return 0, 0
    return span[0] - window.first + window.offset, span[1] - window.first + window.offset
