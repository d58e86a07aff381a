"""Teaching a task that is done in words: the conversations in which a model would do it so, from what it should write.

The task is done as always, with a hand behind it that writes the given texts; what it was asked, and what it wrote, is
what a model has to learn. A text that does not hold what the task asks for teaches nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langwright.data.schemas import ChatRow, Message
from langwright.errors import UserError
from langwright.inference.texts.written import TextCompletion
from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.tasks.front.asked import checked
from langwright.tasks.front.model import Model
from langwright.tasks.solving.drafting import DraftInput, Held
from langwright.tasks.solving.quoting import QuotedOutput

if TYPE_CHECKING:
    from langwright.inference.protocol import Sampling
    from langwright.inference.texts.text import Prompt

WRITTEN = "written"
"""What a row has beside the fields of a task's input: a text, or one for each time that the model is asked."""


@dataclass
class Hand:
    """Writes the given texts in turn, and the last one again where it is asked more often.

    turns   what it was asked, and what it wrote, in their order
    """

    texts: Sequence[str]
    turns: list[tuple[Prompt, str]] = field(default_factory=list)
    chats: bool = True
    kind: str = "continues"

    def complete(self, prompt: Prompt, sampling: Sampling | None = None, **writing: Any) -> TextCompletion:
        """The next text."""
        text = self.texts[min(len(self.turns), len(self.texts) - 1)]
        self.turns.append((prompt, text))
        return TextCompletion(text, (), "stop", 0, 0, ())

    def complete_each(self, prompt: Prompt, samplings: Sequence[Sampling], **writing: Any) -> list[TextCompletion]:
        """The next text for each of the samplings."""
        return [self.complete(prompt, sampling, **writing) for sampling in samplings]


def dictated(task: Task, asked: TaskInput, written: Sequence[str]) -> tuple[TaskOutput, list[ChatRow]]:
    """What the task gives where these texts are written, and the conversations that teach a model to write them.

    raises  UserError where a text does not hold what the task asks for, or there are too few or too many
    """
    if isinstance(asked, DraftInput):
        asked = asked.model_copy(update={"tries": 1})
    hand = Hand(tuple(written))
    output = Model(WRITTEN, None, text=hand).solve(task.name, asked)  # type: ignore[arg-type]
    if len(hand.turns) != len(written):
        raise UserError(
            "{task} is asked {turns} times for one row, and {texts} texts are written",
            fix="give the field written a text for each",
            task=task.name, turns=len(hand.turns), texts=len(written),
        )  # fmt: skip
    wrong = list(faults(output))
    if wrong:
        raise UserError(
            "what is written does not hold what {task} asks for: {faults}",
            fix="correct it, or leave such rows out with --skip-bad",
            task=task.name, faults="; ".join(wrong),
        )  # fmt: skip
    return output, [conversation(prompt, text) for prompt, text in hand.turns]


def conversation(prompt: Prompt, text: str) -> ChatRow:
    """A question with its answer, which a right reply contains."""
    asked = (Message(role="user", content=prompt),) if isinstance(prompt, str) else tuple(prompt)
    return ChatRow(messages=(*asked, Message(role="assistant", content=text)), expect=text)


def faults(found: Any) -> Iterator[str]:
    """What verifiers found wrong anywhere in an output, and quotes that stand nowhere."""
    if isinstance(found, Held):
        if not found.held:
            yield f"{found.check}: {found.said}"
    elif isinstance(found, QuotedOutput) and found.left_out:
        yield f"left_out = {found.left_out}"
    elif isinstance(found, tuple | list):
        for one in found:
            yield from faults(one)
    elif hasattr(found, "model_fields_set"):
        for _, one in found:
            yield from faults(one)


def conversations(task: Task, values: Mapping[str, Any]) -> list[ChatRow]:
    """A row of a task's input with `written` beside it, as the conversations that teach it.

    raises  UserError as `dictated`, for fields that the task does not take, and where nothing is written
    """
    fields = dict(values)
    written = fields.pop(WRITTEN, None)
    texts = [written] if isinstance(written, str) else written
    if not isinstance(texts, list) or not texts or not all(isinstance(one, str) for one in texts):
        raise UserError(
            "the field written is missing, or no text or list of texts",
            fix="give what a model should write, a text for each time that it is asked",
        )
    return dictated(task, checked(task, fields), texts)[1]
