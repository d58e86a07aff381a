"""Texts that are longer than a model can read: in parts that overlap, and what was written of them read again.

A text is cut into chunks of whole sentences (`data.passages`), each is answered by itself, and the answers, one behind
the other, are the text of the next round, until they fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from langwright.tasks.declaration import TaskInput
from langwright.tasks.solving.telling import counted

if TYPE_CHECKING:
    from langwright.inference.protocol import Sampling
    from langwright.inference.texts.text import Prompt
    from langwright.inference.texts.written import TextCompletion
    from langwright.tasks.front.loading import Model


class LongInput(TaskInput):
    """An input whose text may be longer than a model can read; it is the first field of the task's panel."""

    overlap: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="Of a text that is too long to be read at once, at most this share of a part stands in the next one too, in whole sentences",
        ),
    ] = 0.1


@dataclass(frozen=True)
class InParts:
    """What came of a text: the last completion, and how many parts the text was read in."""

    made: TextCompletion
    parts: int


def written_in_parts(
    model: Model,
    text: str,
    prompt_of: Callable[[str], Prompt],
    write: Callable[[Prompt], TextCompletion],
    sampling: Sampling,
    overlap: float,
) -> InParts:
    """Write what is asked of a text of any length.

    prompt_of  what the model is given for a text or a part of it
    write      has it continued
    overlap    at most this share of a part stands in the next one too
    raises     UserError where the model's context leaves no room for a part
    """
    room = room_of(model, sampling)

    from langwright.data.passages import chunks

    def size(part: str) -> int:
        return tokens_of(model, prompt_of(part))

    if room is None or size(text) <= room:
        return InParts(write(prompt_of(text)), 1)
    around = size("")
    check_room(model, room, around)
    parts = chunks(text, room, around + int(overlap * (room - around)), size)
    made = [write(prompt_of(text[one.start : one.end])) for one in counted(parts)]
    joined = "\n".join(one.text.strip() for one in made if one.text.strip())
    if not joined or len(joined) >= len(text):  # nothing would become shorter by reading it again
        return InParts(replace(made[-1], text=joined), len(parts))
    again = written_in_parts(model, joined, prompt_of, write, sampling, overlap)
    return InParts(again.made, len(parts))


def room_of(model: Model, sampling: Sampling) -> int | None:
    """Most tokens of a prompt, so that there is room to write; None behind a URL, where it is not known."""
    from langwright.inference.texts.text import TextModel

    if not isinstance(model.text, TextModel):
        return None
    context = model.text.context
    written_elsewhere = model.text.kind == "rewrites"  # an encoder-decoder writes beside what it reads
    return context if written_elsewhere else context - min(sampling.max_new_tokens, context // 3)


def tokens_of(model: Model, prompt: Prompt) -> int:
    """Tokens of a prompt."""
    from langwright.inference.texts.text import TextModel

    assert isinstance(model.text, TextModel)
    return len(model.text.tokenize(prompt) if isinstance(prompt, str) else model.text.render(prompt))


def check_room(model: Model, room: int, around: int) -> None:
    """UserError where what stands around a part takes more than half of the room."""
    from langwright.errors import UserError

    if around * 2 > room:
        raise UserError(
            "{name} reads at most {room} tokens, and what is asked takes {around} of them without the text",
            fix="take a model with a longer context, or a method that takes sentences as they stand: --solver textrank",
            name=model.name, room=room, around=around,
        )  # fmt: skip
