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
    from langwright.tasks.loading import Model

__all__ = ["UserError", "load"]


def load(name: str | Path, *, max_batch: int = 8) -> Model:
    """Open a model: an artifact, a local Hugging Face folder, a workspace name, or `hf:owner/name`.

    max_batch  how many texts are continued at the same time
    raises     UserError when there is no model of that name, or it cannot be opened
    """
    from langwright.tasks.loading import load as open_model

    return open_model(name, max_batch=max_batch)
