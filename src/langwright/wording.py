"""What is said to a person, in English and in Chinese.

An English template with named fields is written where it is said; its Chinese twin stands in
`chinese/<room>.toml` under the English template as key. A test refuses a template without its twin.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache
from importlib import resources
from typing import Literal, get_args

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


class Term(str):
    """A value inside a sentence that is itself translated, such as 'setting' in 'no setting called x'."""


class Phrase:
    """A value inside a sentence that is worded anew in each language, such as what a setting accepts."""

    def __init__(self, words: Callable[[Language], str]) -> None:
        self.words = words

    def __str__(self) -> str:
        return self.words(current_language())


def system_language() -> Language:
    """The language of the person's locale: zh when LC_ALL, LC_MESSAGES or LANG says so, else en."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


_chosen: ContextVar[Language | None] = ContextVar("language", default=None)


def use_language(language: Language | None) -> None:
    """Speak this language from here on in this context; None returns to the locale's."""
    _chosen.set(language)


def current_language() -> Language:
    """The language in force: the one chosen, else the locale's."""
    return _chosen.get() or system_language()


@cache
def chinese() -> dict[str, str]:
    """English template -> Chinese template, of every room."""
    table: dict[str, str] = {}
    for file in sorted(resources.files("langwright").joinpath("chinese").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".toml"):
            table.update(tomllib.loads(file.read_text(encoding="utf-8")))
    return table


def say(template: str, /, *, lang: Language | None = None, **values: object) -> str:
    """Fill a template in the language in force, or in `lang`.

    >>> say("{count} rows", lang="en", count=3)
    '3 rows'
    """
    language = lang or current_language()
    known = chinese() if language == "zh" else {}
    filled = {name: worded(value, language, known) for name, value in values.items()}
    return known.get(template, template).format(**filled)


def worded(value: object, language: Language, known: Mapping[str, str]) -> object:
    """A value as it stands in a sentence of this language."""
    if isinstance(value, Term):
        return known.get(value, str(value))
    return value.words(language) if isinstance(value, Phrase) else value
