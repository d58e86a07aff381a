"""Langwright: from raw text to a language model you can serve, measure, explain and stand behind.

    import langwright as lw
    model = lw.load("runs/chat")

Importing the package imports nothing heavy; `load` brings in what the model needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from langwright.errors import UserError

if TYPE_CHECKING:
    from langwright.data.schemas import Message
    from langwright.tasks.declaration import TaskOutput
    from langwright.tasks.front.asking import AsyncModel
    from langwright.tasks.front.loading import Model
    from langwright.wording import Language

__all__ = ["UserError", "do", "load", "load_async", "prompt"]


def load(name: str | Path, *, max_batch: int = 8, watermark: str | Path | None = None) -> Model:
    """Open a model: an artifact, a local Hugging Face folder, a workspace name, `hf:owner/name`, or a server's URL.

    max_batch  how many texts are continued at the same time
    watermark  key file to mark what it writes by
    raises     UserError when there is no model of that name, or it cannot be opened
    """
    from langwright.tasks.front.loading import load as open_model

    if watermark is None:
        return open_model(name, max_batch=max_batch)
    from langwright.inference.watermark.keys import read_mark

    return open_model(name, max_batch=max_batch, watermark=read_mark(Path(watermark)))


def do(task: str, text: str, /, **fields: Any) -> TaskOutput:
    """Do a task that needs no model, its input given in fields; `langwright tasks` lists them.

    text    the first field of its input
    raises  UserError for a task that needs a model, with the command that makes one, or a field that it does not take
    """
    from langwright.tasks.front.verbs import do as do_task

    return do_task(task, text, **fields)


async def load_async(name: str | Path, *, max_batch: int = 8) -> AsyncModel:
    """`load` for an event loop: the model's verbs are awaited, and cancelling a task ends what is written for it."""
    import asyncio

    model = await asyncio.to_thread(load, name, max_batch=max_batch)
    return model.aio


def prompt(template: str, *, language: Language | None = None, **fields: str) -> str | list[Message]:
    """A prompt from a template, for `generate` and `chat`: a text, or the turns of a conversation.

    template  a name, or NAME@VERSION
    language  of its text; the one in force when left out
    fields    what stands in its fields
    raises    UserError for a template or field that does not exist, or a field that is missing
    """
    from langwright.tasks.solving.prompting import Templates
    from langwright.wording import current_language

    return Templates().get(template).fill(language or current_language(), fields)
