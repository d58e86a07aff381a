"""Calls read from a text while it is written."""

from __future__ import annotations

import re
import secrets
import string
from dataclasses import dataclass, field

from langwright.inference.calling.forms import ID, WILD, Call, CallForm
from langwright.inference.texts.decoding import overlap

NAME = r"[a-zA-Z0-9_-]{1,64}"
_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Spoken:
    """Text of the answer that belongs to no call."""

    text: str


@dataclass(frozen=True)
class Begun:
    """A call whose name is known."""

    index: int
    id: str
    name: str


@dataclass(frozen=True)
class Argued:
    """More of the arguments of a call."""

    index: int
    text: str


Part = Spoken | Begun | Argued


@dataclass
class Json:
    """How far the text of a JSON object has come."""

    depth: int = 0
    quoted: bool = False
    escaped: bool = False

    def length(self, text: str) -> tuple[int, bool]:
        """(how many characters of the text belong to the object, whether it ends with them)."""
        for at, letter in enumerate(text):
            if self.quoted:
                self.quoted = self.escaped or letter != '"'
                self.escaped = letter == "\\" and not self.escaped
                continue
            self.quoted = letter == '"'
            self.depth += (letter in "{[") - (letter in "}]")
            if self.depth == 0:
                return at + 1, True
        return len(text), False


@dataclass
class CallReader:
    """Parts of one answer as they become clear.

    What may be the beginning of a mark is held back until it is one, or is none.
    """

    form: CallForm
    said: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)  # arguments as far as they were written
    _held: str = ""
    _state: str = "speaking"
    _json: Json = field(default_factory=Json)

    @property
    def text(self) -> str:
        """What was said beside the calls."""
        return "".join(self.said)

    @property
    def whole(self) -> bool:
        """Whether no call is cut off, at the end."""
        return self._state in ("speaking", "plain", "over")

    def push(self, text: str) -> list[Part]:
        """What becomes clear with more of the text."""
        self._held += text
        parts: list[Part] = []
        while self._step(parts):
            continue
        return parts

    def end(self) -> list[Part]:
        """What is clear when nothing more will come."""
        if self._state == "after" and self._match(self.form.closing) is True:
            self._held, self._state = "", "over"
        if self._state not in ("speaking", "plain", "opening"):
            return []
        rest, self._held = self._held, ""
        self._state = "plain"
        return self._spoken(rest)

    def _step(self, parts: list[Part]) -> bool:
        """Read on; False where more text is needed."""
        if not self._held:
            return False
        step = {"speaking": self._speak, "plain": self._plain, "opening": self._open, "name": self._name,
                "arguments": self._argue, "after": self._after, "over": self._plain}  # fmt: skip
        return step[self._state](parts)

    def _speak(self, parts: list[Part]) -> bool:
        mark = self.form.mark
        if not mark:
            self._state = "opening"
            return True
        at = self._held.find(mark)
        keep = len(self._held) - at if at >= 0 else overlap(self._held, mark)
        parts += self._spoken(self._held[: len(self._held) - keep])
        self._held = self._held[len(self._held) - keep :]
        if at >= 0:
            self._state = "opening"
        return at >= 0

    def _plain(self, parts: list[Part]) -> bool:
        parts += self._spoken(self._held)
        self._held = ""
        return False

    def _open(self, parts: list[Part]) -> bool:
        found = self._match(self.form.opening)
        if found is False:  # a mark that no call follows is text
            size = max(1, len(self.form.mark))
            parts += self._spoken(self._held[:size])
            self._held, self._state = self._held[size:], "speaking" if self.form.mark else "plain"
            return True
        if found is None:
            return False
        self._held, self._state = self._held[len(self.form.opening) :], "name"
        return True

    def _name(self, parts: list[Part]) -> bool:
        between = re.escape(self.form.between).replace(re.escape(WILD), "[a-zA-Z0-9]")
        found = re.match(f"({NAME}){between}", self._held)
        if found is None:
            return False
        call = Call(new_id(), found[1], "")
        parts.append(Begun(len(self.calls), call.id, call.name))
        self.calls.append(call)
        self._held, self._state, self._json = self._held[found.end() :], "arguments", Json()
        return True

    def _argue(self, parts: list[Part]) -> bool:
        size, ended = self._json.length(self._held)
        text, self._held = self._held[:size], self._held[size:]
        index = len(self.calls) - 1
        last = self.calls[index]
        self.calls[index] = Call(last.id, last.name, last.arguments + text)
        parts.append(Argued(index, text))
        if ended:
            self._state = "after"
        return ended

    def _after(self, parts: list[Part]) -> bool:
        again = self._match(self.form.joint) if self.form.joint is not None else False
        if again is True:
            self._held, self._state = self._held[len(self.form.joint or "") :], "name"
            return True
        if again is None:
            return False
        over = self._match(self.form.closing)
        if over is None:
            return False
        self._held, self._state = self._held[len(self.form.closing) if over else 0 :], "over"
        return True

    def _match(self, literal: str) -> bool | None:
        """Whether what is held begins with a piece of the form; None while that is open."""
        both = zip(self._held, literal, strict=False)
        if any(a != b and not (b == WILD and a in _LETTERS) for a, b in both):
            return False
        return True if len(self._held) >= len(literal) else None

    def _spoken(self, text: str) -> list[Part]:
        if not text:
            return []
        self.said.append(text)
        return [Spoken(text)]


def new_id() -> str:
    """The id of a call."""
    return "".join(secrets.choice(_LETTERS) for _ in range(ID))
