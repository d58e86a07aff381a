"""Verifiers of what was written: each says "" where a text holds, else what is wrong, in the language in force."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import get_args

from langwright.inference.control.counting import count
from langwright.tasks.solving.drafting import Check, alike
from langwright.wording import Language, say

NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
LANGUAGE_NAMES: dict[Language, dict[Language, str]] = {
    "en": {"en": "English", "zh": "英语"}, "zh": {"en": "Chinese", "zh": "中文"},
}  # fmt: skip


def reworded(source: str, least: float = 0.1) -> Check:
    """Not the source again: at least so large a share of it differs."""

    def judge(text: str) -> str:
        near = alike(text, source)
        return "" if near <= 1 - least else say("{share} of it is the given text again", share=f"{near:.0%}")

    return Check("reworded", judge)


def keeps_numbers(source: str) -> Check:
    """The numbers of the source, and no others: what most often shows that something was made up or lost."""
    wanted = set(NUMBER.findall(source))

    def judge(text: str) -> str:
        found = set(NUMBER.findall(text))
        if wanted - found:
            return say("it lacks {words}", words=", ".join(sorted(wanted - found)))
        return say("it adds {words}", words=", ".join(sorted(found - wanted))) if found - wanted else ""

    return Check("numbers", judge)


def size_between(source: str, least: float, most: float) -> Check:
    """So many times as long as the source, in words and Chinese characters."""
    size = max(1, count("words", source))

    def judge(text: str) -> str:
        times = count("words", text) / size
        wrong = not least <= times <= most
        return say("it is {times} times as long as the given text", times=f"{times:.1f}") if wrong else ""

    return Check("size", judge)


def in_language(language: Language) -> Check:
    """Written in Chinese, or in English: by which characters it has."""

    def judge(text: str) -> str:
        from langwright.metrics.units import language_of

        found = language_of(text)
        return "" if found == language else say("it is not in {language}", language=named(language))

    return Check("language", judge)


def named(language: Language) -> str:
    """A language in the language in force."""
    from langwright.wording import current_language

    return LANGUAGE_NAMES[language][current_language()]


def has_all(words: Sequence[str], name: str = "required words") -> Check:
    """Every one of these stands in it, A to Z as a to z."""

    def judge(text: str) -> str:
        missing = [word for word in words if word.casefold() not in text.casefold()]
        return say("it lacks {words}", words=", ".join(missing)) if missing else ""

    return Check(name, judge)


def has_none(words: Sequence[str], name: str = "left out") -> Check:
    """None of these stands in it as a word, A to Z as a to z."""

    def judge(text: str) -> str:
        found = [word for word in words if stands_in(word, text)]
        return say("it has {words}", words=", ".join(found)) if found else ""

    return Check(name, judge)


def stands_in(word: str, text: str) -> bool:
    """Whether a word stands in a text, as no part of a longer word where words have spaces between them.

    >>> stands_in("art", "The Art."), stands_in("art", "smart"), stands_in("春", "青春")
    (True, False, True)
    """
    from langwright.inference.control.words import LETTER

    before = rf"(?<!{LETTER})" if re.match(LETTER, word) else ""
    after = rf"(?!{LETTER})" if re.match(LETTER, word[-1:]) else ""
    return re.search(before + re.escape(word) + after, text, re.IGNORECASE) is not None


def length_between(least: int, most: int) -> Check:
    """So many words; a Chinese character is one."""

    def judge(text: str) -> str:
        size = count("words", text)
        wrong = not least <= size <= most
        return say("it has {count} words, and {least} to {most} are asked for", count=size, least=least, most=most) if wrong else ""  # fmt: skip

    return Check("word count", judge)


def language_or(given: Language | None, text: str) -> Language:
    """The language given, else that of the text."""
    from langwright.tasks.solving.languages import language_of

    assert given is None or given in get_args(Language)
    return given or language_of(text)
