"""What counts as one piece of text: a Chinese (or Japanese) character, a word of other scripts, a punctuation mark.

Chinese is written without spaces, so words there need a segmenter and every segmenter gives other
numbers; characters need none. The same rule serves mixed text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from langwright.data.characters import CHARACTERS, UNIT
from langwright.data.characters import units as units

_WORD = rf"[^\W_{CHARACTERS}]+"
_CHARACTER = re.compile(f"[{CHARACTERS}]")
_WORDS = re.compile(_WORD)


def placed_units(text: str) -> list[tuple[str, int, int]]:
    """(piece, start, end) of the pieces of a text, where they stand in it.

    >>> placed_units("Ada's 山")
    [("ada's", 0, 5), ('山', 6, 7)]
    """
    return [(match[0].casefold(), match.start(), match.end()) for match in UNIT.finditer(text)]


def language_of(text: str) -> Literal["zh", "en"]:
    """zh when a text has at least as many Chinese characters as words of other scripts, and some; else en.

    A rough guess for choosing how to count, not language identification.
    """
    characters = len(_CHARACTER.findall(text))
    return "zh" if characters and characters >= len(_WORDS.findall(text)) else "en"


def ngrams(pieces: list[str], n: int) -> Iterator[tuple[str, ...]]:
    """Every run of n pieces.

    >>> list(ngrams(["a", "b", "c"], 2))
    [('a', 'b'), ('b', 'c')]
    """
    return zip(*(pieces[start:] for start in range(n)), strict=False)
