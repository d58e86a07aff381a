"""What a customer wants: the intent by a model, amounts and names as they stand in what was said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from langwright.tasks.front.model import Model

INTENTS = ("balance", "transfer", "confirm", "cancel", "greeting", "other")
SURE = 0.5
SURE_OF_YES = 0.9  # money moves: a doubtful yes is asked for again
NUMBER = re.compile(r"(?<![\w.])\d{1,3}(?:,\d{3})+(?:\.\d{1,2})?(?![\d.])|(?<![\w.])\d+(?:\.\d{1,2})?(?![\w.]*\d)")


@dataclass(frozen=True)
class Wish:
    """What one turn says.

    sure  how sure the model is of the intent
    """

    intent: str
    sure: float
    amounts: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


class Reader(Protocol):
    """What reads what a customer says."""

    def read(self, said: str, people: Sequence[str], accounts: Sequence[str]) -> Wish: ...


@dataclass(frozen=True)
class ModelReader:
    """A model that was taught the intents, or one that is asked which fits best."""

    model: Model

    def read(self, said: str, people: Sequence[str], accounts: Sequence[str]) -> Wish:
        taught = self.model.headed is not None
        found = self.model.predict(said) if taught else self.model.predict(said, list(INTENTS))
        intent = found.labels[0] if found.labels else "other"
        return Wish(intent, found.probabilities[intent], *spans(said, people, accounts))


def spans(
    said: str, people: Sequence[str], accounts: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(amounts, people, accounts) that stand in what was said. Nothing else can become an argument of a tool.

    >>> spans("Send 1,200.50 to Bo from savings", ["Bo", "Li"], ["savings", "everyday"])
    (('1,200.50',), ('Bo',), ('savings',))
    """
    low = said.casefold()
    return (
        tuple(NUMBER.findall(said)),
        tuple(name for name in people if mentions(low, name)),
        tuple(name for name in accounts if mentions(low, name)),
    )


def mentions(low: str, name: str) -> bool:
    """Whether a name stands in a text: as a word, where it is written in letters that make words with spaces."""
    wanted = name.casefold()
    if not wanted.isascii():
        return wanted in low
    return re.search(rf"(?<![a-z0-9]){re.escape(wanted)}(?![a-z0-9])", low) is not None
