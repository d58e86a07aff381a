"""How much text there is: words, characters, sentences, in Chinese and English.

words       runs of letters and digits, with apostrophes inside; each Chinese or Japanese character is one
characters  all but white space
sentences   runs that end with . ! ? … or 。！？ and what closes after it; a point after a digit ends one only where
            white space follows, and a point after an abbreviation ends one too
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Literal

from langwright.data.characters import CHARACTERS

Counted = Literal["words", "characters", "sentences"]
WORD = rf"[^\W_{CHARACTERS}]+"
CLOSERS = "\"'”’»）)」』】》\\]"
_WORDS = re.compile(rf"[{CHARACTERS}]|{WORD}(?:['’]{WORD})*")
_ENDS = re.compile(rf"(?:[!?…。！？]+[.!?…。！？]*|(?<=\d)\.(?=\s)|(?<![\d.])\.+[.!?…]*)[{CLOSERS}]*")
_AT_END = re.compile(rf"[.!?…。！？][{CLOSERS}]*\s*$")
IN_WORD = re.compile(rf"[^\W_{CHARACTERS}]['’]?$")
JOINS = re.compile(rf"^['’]?[^\W_{CHARACTERS}]")


def count(unit: Counted, text: str) -> int:
    """How many there are.

    >>> count("words", "我有2只cats, don't!"), count("characters", "a b。"), count("sentences", "One. 二。 3.14")
    (6, 3, 2)
    """
    if unit == "characters":
        return sum(not letter.isspace() for letter in text)
    return len((_WORDS if unit == "words" else _ENDS).findall(text))


def ends_sentence(text: str) -> bool:
    """Whether a text ends where a sentence does.

    >>> ends_sentence("他说：“好。”"), ends_sentence("and so")
    (True, False)
    """
    return _AT_END.search(text) is not None


def sentences(text: str) -> list[str]:
    """The sentences of a text; what follows the last end is one too.

    >>> sentences("One. “二。”三")
    ['One.', '“二。”', '三']
    """
    cuts = [0, *(match.end() for match in _ENDS.finditer(text)), len(text)]
    parts = [text[begin:end].strip() for begin, end in pairwise(cuts)]
    return [part for part in parts if part]
