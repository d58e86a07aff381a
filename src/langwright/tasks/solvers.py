"""What a solver is: one way of doing tasks with a model. Declarations import neither torch nor transformers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from langwright.tasks.declaration import Task, TaskOutput
    from langwright.tasks.loading import Model

Need = Literal["text", "probabilities", "taught", "head", "blanks", "vectors", "nothing"]
NEEDED: dict[Need, str] = {
    "text": "a model that writes",
    "probabilities": "a model that writes here and says how probable a text is",
    "taught": "one that was taught to write this",
    "head": "a trained head",
    "blanks": "a model that was taught to see both sides of a blank",
    "vectors": "a model that turns texts into vectors",
    "nothing": "no model",
}
"""What a solver may need of a model, in words."""


@dataclass(frozen=True)
class Solver:
    """A way of solving, shared by tasks.

    needs    "text" for a model that writes, "probabilities" for one of ours that writes, "taught" for one that was
             taught to write this task, "head" for one with a head that was trained for it, "blanks" for a masked
             language model, "vectors" for one that embeds, "nothing" for a method without a model
    maker    the command that makes a model it can use, {task} standing for the task
    solve    (the opened model, the task, an instance of its input) -> an instance of its output
    """

    name: str
    summary: str
    needs: Need
    maker: str
    solve: Callable[[Model, Task, Any], TaskOutput]
