"""Langwright: from raw text to a language model you can serve, measure, explain and stand behind.

    import langwright as lw
    model = lw.load("runs/chat")

Importing the package imports nothing heavy; `load` brings in what the model needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from langwright.errors import UserError

if TYPE_CHECKING:
    from langwright.tasks.asking import AsyncModel
    from langwright.tasks.loading import Model

__all__ = ["UserError", "load", "load_async"]


def load(name: str | Path, *, max_batch: int = 8) -> Model:
    """Open a model: an artifact, a local Hugging Face folder, a workspace name, `hf:owner/name`, or a server's URL.

    max_batch  how many texts are continued at the same time
    raises     UserError when there is no model of that name, or it cannot be opened
    """
    from langwright.tasks.loading import load as open_model

    return open_model(name, max_batch=max_batch)


async def load_async(name: str | Path, *, max_batch: int = 8) -> AsyncModel:
    """`load` for an event loop: the model's verbs are awaited, and cancelling a task ends what is written for it."""
    import asyncio

    model = await asyncio.to_thread(load, name, max_batch=max_batch)
    return model.aio
