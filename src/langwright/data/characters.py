"""What a text is made of: the pieces that count as one, and its characters by kind, in one pass over its code points.

Shapes    N characters of the text
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SPACE, LETTER, CHINESE, DIGIT, PUNCTUATION, SYMBOL, REPLACED = range(7)
# Han with its extensions and compatibility forms, iteration mark, zero; hiragana and katakana
CHARACTERS = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
_WORD = rf"[^\W_{CHARACTERS}]+"
UNIT = re.compile(rf"[{CHARACTERS}]|{_WORD}(?:['’]{_WORD})*|\S")
RUN = 8  # a character said this often in a row is a run


def units(text: str) -> list[str]:
    """The pieces of a text, casefolded: characters of Chinese and Japanese, words of other scripts, marks; no white space.

    >>> units("我有2个Cats，don't!")
    ['我', '有', '2', '个', 'cats', '，', "don't", '!']
    """
    return UNIT.findall(text.casefold())


@dataclass(frozen=True)
class Makeup:
    """Counts of characters by kind. Signs and marks belong to symbols, accents to the letters they stand on."""

    spaces: int
    letters: int  # of any script, Chinese included
    chinese: int
    digits: int
    punctuation: int
    symbols: int
    replaced: int
    in_runs: int  # characters, spaces aside, that stand in runs of one character

    @property
    def written(self) -> int:
        """All but spaces."""
        return self.letters + self.digits + self.punctuation + self.symbols + self.replaced


def makeup(text: str) -> Makeup:
    """What a text is made of."""
    import numpy as np

    codes_N = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    kinds_N = kinds()[codes_N]
    counts = np.bincount(kinds_N, minlength=7)
    return Makeup(
        spaces=int(counts[SPACE]),
        letters=int(counts[LETTER] + counts[CHINESE]),
        chinese=int(counts[CHINESE]),
        digits=int(counts[DIGIT]),
        punctuation=int(counts[PUNCTUATION]),
        symbols=int(counts[SYMBOL]),
        replaced=int(counts[REPLACED]),
        in_runs=in_runs(codes_N, kinds_N),
    )


def in_runs(codes_N: NDArray[np.uint32], kinds_N: NDArray[np.uint8]) -> int:
    """Characters, spaces aside, in runs of `RUN` or more of the same."""
    import numpy as np

    if not len(codes_N):
        return 0
    begins = np.flatnonzero(np.concatenate([[True], codes_N[1:] != codes_N[:-1]]))
    lengths = np.diff(np.append(begins, len(codes_N)))
    counted = (lengths >= RUN) & (kinds_N[begins] != SPACE)
    return int(lengths[counted].sum())


@cache
def kinds() -> NDArray[np.uint8]:
    """The kind of every code point, from its Unicode category; shape (0x110000,)."""
    import numpy as np

    by_category = {
        "L": LETTER, "M": LETTER, "Nd": DIGIT, "N": SYMBOL, "P": PUNCTUATION, "S": SYMBOL, "Z": SPACE, "Cc": SPACE,
    }  # fmt: skip
    table = np.full(0x110000, SYMBOL, dtype=np.uint8)
    for code in range(0x20000):  # letters above are Chinese, marked below
        category = unicodedata.category(chr(code))
        table[code] = by_category.get(category, by_category.get(category[0], SYMBOL))
    for low, high in ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF)):
        table[low : high + 1] = CHINESE
    for sign in "/\\<>=*#@&%_|~^`+$":  # punctuation by Unicode in part, but signs in running text
        table[ord(sign)] = SYMBOL
    for code in (0x200C, 0x200D, *range(0xFE00, 0xFE10)):  # joiners and variation selectors
        table[code] = LETTER
    table[0xFFFD] = REPLACED
    return table
