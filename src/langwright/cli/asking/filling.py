"""A function with its arguments taken from a request: what stands there, each thing once, nothing made up."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from langwright.cli.asking.functions import Function, Slot
from langwright.cli.asking.spans import Spans
from langwright.stages import STAGES
from langwright.tasks import TASKS

NEAR = 16  # characters between a number and the word that says what it is


@dataclass(frozen=True)
class Call:
    """A command with its arguments; `missing` says what it still needs."""

    function: Function
    arguments: tuple[str, ...]
    missing: tuple[str, ...] = ()

    def line(self) -> str:
        """The exact command."""
        gaps = [f"<{name}>" for name in self.missing]
        return " ".join([shlex.join(["langwright", *self.function.name.split(), *self.arguments]), *gaps])


@cache
def table(name: str) -> Mapping[str, object]:
    """A table of `words.toml`."""
    text = resources.files("langwright.cli.asking").joinpath("words.toml").read_text(encoding="utf-8")
    found: Mapping[str, object] = tomllib.loads(text)[name]
    return found


class Filling:
    """Gives each piece of a request to the slot that it fits."""

    def __init__(self, function: Function, found: Spans) -> None:
        self.function = function
        self.found = found
        self.named = list(found.named)
        self.quoted = list(found.quoted)
        self.words = [word for word in found.words() if word.casefold() not in function.name.split()]
        self.missing: list[str] = []

    def call(self) -> Call:
        """The command."""
        out = self.out() if any(slot.kind == "out" for slot in self.function.slots) else None
        given: list[str] = []
        for slot in self.function.slots:
            taken = [out] if slot.kind == "out" and out else self.take(slot)
            if not taken and slot.needed:
                self.missing.append(slot.name)
            given += [one for one in taken if one]
        return Call(self.function, (*given, *self.options()), tuple(self.missing))

    def out(self) -> str | None:
        """The folder to make: the last name that leads to nothing yet."""
        free = [name for name, kind in self.named if not kind]
        if not free:
            return None
        self.named = [(name, kind) for name, kind in self.named if name != free[-1]]
        return free[-1]

    def take(self, slot: Slot) -> list[str]:
        """What fits a slot, taken out of what is left."""
        if slot.kind == "text":
            return [self.quoted.pop(0)] if self.quoted else []
        if slot.kind == "task":
            return self.valued("--task") or [word for word in self.words if word in TASKS][:1]
        if slot.kind == "stage":
            return [word for word in self.words if word in STAGES][:1]
        if slot.kind == "name":
            return self.unnamed(slot)
        fits = [name for name, kind in self.named if fit(slot.kind, kind)]
        fits = fits if slot.many else fits[:1]
        self.named = [(name, kind) for name, kind in self.named if name not in fits]
        return fits

    def unnamed(self, slot: Slot) -> list[str]:
        """A name that is no artifact: a quoted one, one behind `called` or the noun itself, or a name that stands free."""
        if self.quoted:
            return [self.quoted.pop(0)]
        noun = self.function.name.split()[0].rstrip("s")
        for pattern in (r"(?:called|named|叫做?|名为)\s*([A-Za-z][\w-]*)", rf"(?:{noun}|模板|密钥)\s*([A-Za-z][\w-]*)"):
            match = re.search(pattern, self.found.rest, re.IGNORECASE)
            if match:
                return [match[1]]
        return [self.named.pop(0)[0]] if self.named else []

    def options(self) -> list[str]:
        """Options whose words stand beside a number, or whose values are spoken of."""
        given: list[str] = []
        free = list(self.found.numbers)
        for option, patterns in table("options").items():
            if option in self.function.options and isinstance(patterns, list):
                number = next((one for one in free if self.beside(one, patterns)), None)
                if number is not None:
                    free.remove(number)
                    given += [option, number[0]]
        for option in ("--task", "--schema"):
            if option in self.function.options and (value := self.valued(option)) and self.default(option) != value[0]:
                given += [option, value[0]]
        return given

    def beside(self, number: tuple[str, int], patterns: list[str]) -> bool:
        """Whether a word of an option stands close to a number."""
        text, at = number
        near = self.found.rest[max(0, at - NEAR) : at + len(text) + NEAR]
        return any(re.search(pattern, near, re.IGNORECASE) for pattern in patterns)

    def valued(self, option: str) -> list[str]:
        """The value of an option that words speak of."""
        values = table("values")[option]
        assert isinstance(values, dict)
        return [
            value
            for value, patterns in values.items()
            if any(re.search(pattern, self.found.rest, re.IGNORECASE) for pattern in patterns)
        ][:1]

    def default(self, option: str) -> str:
        """What holds anyway."""
        return {"--task": "chat", "--schema": "text"}[option]


def fit(wanted: str, kind: str) -> bool:
    """Whether an artifact of a kind, or a name that leads to nothing of ours, fits a slot."""
    if wanted == "artifact":
        return kind in ("model", "dataset", "tokenizer", "report", "index")
    if wanted in ("source", "file"):
        return kind in ("source", "")
    return kind == wanted


def filled(function: Function, found: Spans) -> Call:
    """A function with what a request gives it."""
    return Filling(function, found).call()
