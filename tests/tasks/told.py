"""A model that says what a test tells it to, whatever is asked, one text a draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from langwright.inference.fake import Parrot, last_turn, letters
from langwright.inference.texts.text import Kind, Prompt, TextModel, TextStream
from langwright.tasks import TASKS
from langwright.tasks.declaration import TaskInput, TaskOutput
from langwright.tasks.front.loading import Model


class Script:
    """Texts to say in turn; the last again and again.

    asked    every prompt as text, the last turn of a conversation
    prompts  the same as they were given
    stops    what was to end each text
    """

    def __init__(self, *texts: str, answer: Callable[[str], str | None] = lambda prompt: None) -> None:
        """answer: what to say to a prompt out of turn; None to take the next text."""
        self.texts: Sequence[str] = texts
        self.asked: list[str] = []
        self.prompts: list[Prompt] = []
        self.stops: list[tuple[str, ...]] = []
        self.answer = answer
        self._said = 0

    def __call__(self, prompt: str) -> str:
        self.asked.append(prompt)
        found = self.answer(prompt)
        if found is None:
            found = self.texts[min(self._said, len(self.texts) - 1)]
            self._said += 1
        return found


class Telling(TextModel):
    """The script over an engine that has no model; tokens are bytes."""

    def __init__(self, script: Script, kind: Kind, context: int) -> None:
        tokenizer = letters()
        tokenizer.add_special_tokens({"mask_token": "<mask>"})

        def said(prompt: Sequence[int]) -> list[int]:
            asked = last_turn(tokenizer.decode(list(prompt), skip_special_tokens=False))
            return list(tokenizer(script(asked), add_special_tokens=False)["input_ids"])

        super().__init__(Parrot(context=context, reply=said), tokenizer, "script", kind=kind)
        self.script = script

    def stream(self, prompt: Prompt, sampling: Any = None, **options: Any) -> TextStream:
        self.script.prompts.append(prompt)
        self.script.stops.append(tuple(options.get("stop", ())))
        return super().stream(prompt, sampling, **options)


class Front(Model):
    """The script behind the front door, as a model that was taught to converse."""

    def __init__(self, script: Script, kind: Kind = "continues", context: int = 8192) -> None:
        super().__init__("script", None, text=Telling(script, kind, context))


class Plain(Front):
    """The same as a model that only goes on from texts."""

    @property
    def converses(self) -> bool:
        return False


def ask(model: Script | Front, asked: TaskInput) -> TaskOutput:
    """What the task of this input gives."""
    task = next(task.name for task in TASKS.values() if task.input is type(asked))
    return (Front(model) if isinstance(model, Script) else model).solve(task, asked)
