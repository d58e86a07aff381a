"""What a solver is: one way of doing tasks with a model. Declarations import neither torch nor transformers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Solver:
    """A way of solving, shared by tasks.

    needs    "text" for a model that writes (`inference.text.TextModel`), "head" for one with a trained head
             (`tasks.head.Classifier`)
    maker    the command that makes a model it can use
    solve    (that model, an instance of the task's input, whether the model was taught to converse) -> an
             instance of the task's output
    """

    name: str
    summary: str
    needs: Literal["text", "head"]
    maker: str
    solve: Callable[[Any, Any, bool], Any]
