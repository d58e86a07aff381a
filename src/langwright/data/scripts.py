"""Which scripts texts are written in, by the names that Unicode gives letters. Languages of one script look alike here."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache

KANA = "KANA"
LEAST = 0.01  # of all letters, from which on texts are said to be in a script


@cache
def script_of(character: str) -> str:
    """The first word of a letter's Unicode name, both kanas as one; "" for what is no letter.

    >>> script_of("a"), script_of("春"), script_of("カ"), script_of("7")
    ('LATIN', 'CJK', 'KANA', '')
    """
    name = unicodedata.name(character, "").partition(" ")[0] if character.isalpha() else ""
    return KANA if name.rstrip("0123456789").startswith(("HIRAGANA", "KATAKANA")) else name


def letters_by_script(texts: Iterable[str]) -> Counter[str]:
    """How many letters of each script there are."""
    characters: Counter[str] = Counter()
    for text in texts:
        characters.update(text)
    found: Counter[str] = Counter()
    for character, count in characters.items():
        found[script_of(character)] += count
    del found[""]
    return found


def scripts_of(texts: Iterable[str]) -> tuple[str, ...]:
    """The scripts that at least a hundredth of the letters are of, the commonest first.

    >>> scripts_of(["春天 in spring"])
    ('LATIN', 'CJK')
    """
    found = letters_by_script(texts)
    least = found.total() * LEAST
    return tuple(script for script, count in found.most_common() if count >= least)
