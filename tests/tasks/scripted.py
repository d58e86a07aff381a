"""A model that writes what it is told to, so that what stands around writing can be tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from langwright.inference.protocol import Sampling
from langwright.inference.texts.written import TextCompletion
from langwright.tasks.front.model import Model


@dataclass
class Script:
    """Gives one text after the other, and remembers what it was asked."""

    texts: Sequence[str]
    chats: bool = False
    kind: str = "continues"
    asked: list[Any] = field(default_factory=list)
    stops: list[tuple[str, ...]] = field(default_factory=list)
    tokenizer: Any = field(default_factory=lambda: SimpleNamespace(mask_token="<mask>"))

    def complete(self, prompt: Any, sampling: Sampling | None = None, **writing: Any) -> TextCompletion:
        """The next text, cut at a stop string."""
        text = self.texts[len(self.asked)]
        self.asked.append(prompt)
        self.stops.append(tuple(writing.get("stop", ())))
        for stop in self.stops[-1]:
            text = text.partition(stop)[0]
        return TextCompletion(text, (), "stop", 0, 0, ())


def scripted(*texts: str, chats: bool = False, kind: str = "continues") -> tuple[Model, Script]:
    """A model, and the script behind it."""
    script = Script(texts, chats, kind)
    return Model("scripted", None, text=script), script  # type: ignore[arg-type]
