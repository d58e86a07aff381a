"""What is taken out of an answer before it is marked: lm-evaluation-harness's filters, step by step.

A step takes the answers to one question, one for each time it was asked, and gives answers again; at the end one is
left. Filters that serve one benchmark alone (regex_pos, format_span) and `decontaminate` are refused.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from langwright.errors import UserError, unknown
from langwright.evaluation.benchmarks.declaration import Extraction, Row

Answers = Sequence[Any]
Step = Callable[[Answers, Row], Any]
NUMBER_AT_END = r"#### (\-?[0-9\.\,]+)"
INVALID = "[invalid]"


def extracted(extraction: Extraction, answers: Answers, row: Row) -> Any:
    """What is marked of the answers to one question."""
    found: Any = list(answers)
    for name, options in extraction.steps:
        found = step_of(name, options)(found, row)
    return found


def step_of(name: str, options: Mapping[str, Any]) -> Step:
    """A step with its options; UserError for an unknown step or option."""
    if name == "custom" and callable(code := options.get("filter_fn")):
        return lambda answers, row: next(iter(code([answers], [row])))
    if name not in STEPS:
        raise unknown("filter", name, STEPS)
    make, known = STEPS[name]
    for option in options:
        if option not in known:
            raise unknown("option of a filter", option, known)
    try:
        return make(**options)
    except re.error as error:
        raise UserError(
            "the filter {name} has a pattern that is none: {error}",
            fix="write it as Python's re does",
            name=name,
            error=error,
        ) from None


# --- steps ---------------------------------------------------------------------------------------


def take_first() -> Step:
    return lambda answers, row: answers[0]


def take_first_k(k: int) -> Step:
    return lambda answers, row: list(answers)[:k]


def majority_vote() -> Step:
    return lambda answers, row: [Counter(answers).most_common(1)[0][0]]


def each(change: Callable[[Any], Any]) -> Step:
    return lambda answers, row: [change(answer) for answer in answers]


def remove_whitespace() -> Step:
    return each(lambda answer: answer.strip())


def lowercase() -> Step:
    return each(lambda answer: answer.lower())


def uppercase() -> Step:
    return each(lambda answer: answer.upper())


def mapped(mapping_dict: Mapping[Any, Any] | None = None, default_value: Any = None) -> Step:
    return each(lambda answer: (mapping_dict or {}).get(answer, default_value))


def regex(regex_pattern: str = NUMBER_AT_END, group_select: int = 0, fallback: str = INVALID) -> Step:
    pattern = re.compile(regex_pattern)

    def found(answer: Any) -> str:
        match = picked(pattern, answer, group_select)
        return fallback if match is None else match

    return each(found)


def picked(pattern: re.Pattern[str], answer: Any, place: int) -> str | None:
    """The match at a place, of a pattern with groups the first group that holds something; None where there is none."""
    found = pattern.findall(answer if isinstance(answer, str) else "")
    if not -len(found) <= place < len(found):
        return None
    match = found[place]
    if isinstance(match, tuple):
        match = next((group for group in match if group), None)
    return None if match is None else str(match).strip()


@cache
def punctuation() -> dict[int, None]:
    """All signs of punctuation, for `str.translate`."""
    return {sign: None for sign in range(sys.maxunicode) if unicodedata.category(chr(sign)).startswith("P")}


def multi_choice_regex(
    regex_pattern: str = NUMBER_AT_END,
    group_select: int = 0,
    fallback: str = INVALID,
    ignore_case: bool = False,
    ignore_punctuation: bool = False,
    regexes_to_ignore: Sequence[str] | None = None,
) -> Step:
    """The pattern; else a choice in words, given as its letter; else a letter behind a colon."""
    pattern = re.compile(regex_pattern)

    def plain(text: str) -> str:
        for ignored in regexes_to_ignore or ():
            text = re.sub(ignored, "", text)
        text = text.lower() if ignore_case else text
        return text.translate(punctuation()) if ignore_punctuation else text

    def chosen(answer: Any, choices: Sequence[str]) -> str:
        found = picked(pattern, answer, group_select)
        if found:
            return found
        text = answer if isinstance(answer, str) else ""
        letters = {plain(choice.strip()): f"({chr(ord('A') + place)})" for place, choice in enumerate(choices)}
        longest = sorted(map(re.escape, letters), key=len, reverse=True)  # of alternatives the leftmost wins
        words = picked(re.compile("|".join(longest)), plain(text), group_select)
        if words:
            return letters.get(words, words)
        names = "|".join(chr(ord("A") + place) for place in range(len(choices)))
        letter = picked(re.compile(rf":[\s]*({names})"), text, group_select)
        return f"({letter})" if letter else fallback

    return lambda answers, row: [chosen(answer, row["choices"]) for answer in answers]


PATTERN = frozenset({"regex_pattern", "group_select", "fallback"})
STEPS: dict[str, tuple[Callable[..., Step], frozenset[str]]] = {
    "take_first": (take_first, frozenset()),
    "take_first_k": (take_first_k, frozenset({"k"})),
    "majority_vote": (majority_vote, frozenset()),
    "remove_whitespace": (remove_whitespace, frozenset()),
    "lowercase": (lowercase, frozenset()),
    "uppercase": (uppercase, frozenset()),
    "map": (mapped, frozenset({"mapping_dict", "default_value"})),
    "regex": (regex, PATTERN),
    "multi_choice_regex": (multi_choice_regex, PATTERN | {"ignore_case", "ignore_punctuation", "regexes_to_ignore"}),
}
