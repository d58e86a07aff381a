"""A model that says what a test tells it to, whatever is asked, one text a draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from langwright.inference.fake import parrot
from langwright.tasks import TASKS
from langwright.tasks.declaration import TaskInput, TaskOutput
from langwright.tasks.front.loading import Model


class Script:
    """Texts to say in turn; the last again and again. `asked` is every prompt, the last turn of a conversation."""

    def __init__(self, *texts: str, answer: Callable[[str], str | None] = lambda prompt: None) -> None:
        """answer: what to say to a prompt out of turn; None to take the next text."""
        self.texts: Sequence[str] = texts
        self.asked: list[str] = []
        self.answer = answer
        self._said = 0

    def __call__(self, prompt: str) -> str:
        self.asked.append(prompt)
        found = self.answer(prompt)
        if found is None:
            found = self.texts[min(self._said, len(self.texts) - 1)]
            self._said += 1
        return found


class Front(Model):
    """The script behind the front door, as a model that was taught to converse."""

    def __init__(self, script: Script) -> None:
        super().__init__("script", None, text=parrot(reply=script))


class Plain(Front):
    """The same as a model that only goes on from texts."""

    @property
    def converses(self) -> bool:
        return False


def ask(model: Script | Front, asked: TaskInput) -> TaskOutput:
    """What the task of this input gives."""
    task = next(task.name for task in TASKS.values() if task.input is type(asked))
    return (Front(model) if isinstance(model, Script) else model).solve(task, asked)
