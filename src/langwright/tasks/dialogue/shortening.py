"""The middle of a text left out, at borders of characters as people see them, with a mark that says how much."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from langwright.wording import Language

JOINER = "\u200d"
MARKS: dict[Language, str] = {
    "en": "\n[… {count} characters were left out here …]\n",
    "zh": "\n[……此处省略了 {count} 个字符……]\n",
}


def whole_at(text: str, at: int) -> bool:
    """Whether a cut before this place parts no character as people see it: no accent, no joined or coloured emoji, no flag.

    >>> whole_at("ab", 1), whole_at("e\\u0301", 1), whole_at("👍🏽", 1), whole_at("🇨🇳🇫🇷", 2), whole_at("🇨🇳", 1)
    (True, False, False, True, False)
    """
    if not 0 < at < len(text):
        return True
    before, after = text[at - 1], text[at]
    if before == JOINER or after == JOINER or (before == "\r" and after == "\n"):
        return False
    if unicodedata.combining(after) or unicodedata.category(after) in ("Mn", "Me", "Mc") or "\U0001f3fb" <= after <= "\U0001f3ff":  # fmt: skip
        return False
    if not (flag(before) and flag(after)):
        return True
    run = at
    while run and flag(text[run - 1]):
        run -= 1
    return (at - run) % 2 == 0  # flags are pairs of letters


def flag(letter: str) -> bool:
    """Whether it is half of a flag."""
    return "\U0001f1e6" <= letter <= "\U0001f1ff"


def shortened(text: str, fits: Callable[[str], bool], language: Language) -> tuple[str, int]:
    """As much of a text's beginning and end as fits, and how many characters between them were left out.

    fits  of what would remain, the mark included; once it holds, it holds of less
    """
    if fits(text):
        return text, 0
    low, high = 0, len(text) - 1  # characters kept: low fits, or nothing does
    while low < high:
        middle = (low + high + 1) // 2
        if fits(halves(text, middle, language)[0]):
            low = middle
        else:
            high = middle - 1
    return halves(text, low, language)


def halves(text: str, kept: int, language: Language) -> tuple[str, int]:
    """About so many characters, half of them from the beginning and half from the end, and how many are left out."""
    begin = (kept + 1) // 2
    end = len(text) - kept // 2
    while not whole_at(text, begin):
        begin -= 1
    while not whole_at(text, end):
        end += 1
    count = end - begin
    return text[:begin] + MARKS[language].format(count=count) + text[end:], count
