"""What a solver is: one way of doing tasks with a model. Declarations import neither torch nor transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from langwright.tasks.declaration import Task, TaskOutput
    from langwright.tasks.front.loading import Model

Need = Literal["text", "probabilities", "taught", "head", "entailment", "blanks", "vectors", "backbone", "nothing"]
NEEDED: dict[Need, str] = {
    "text": "a model that writes",
    "probabilities": "a model that writes here and says how probable a text is",
    "taught": "one that was taught to write this",
    "head": "a trained head",
    "entailment": "a head that was trained on entailment",
    "blanks": "a model that was taught to see both sides of a blank",
    "vectors": "a model that turns texts into vectors",
    "backbone": "a model of vectors, or one that writes",
    "nothing": "no model",
}
"""What a solver may need of a model, in words."""


@dataclass(frozen=True)
class Solver:
    """A way of solving, shared by tasks.

    needs    "text" for a model that writes, "probabilities" for one of ours that writes, "taught" for one that was
             taught to write this task, "head" for one with a head that was trained for it, "entailment" for one with a
             head for pairs, "blanks" for a masked language model, "vectors" for one that embeds, "backbone" for one
             that does without a head for another task, "nothing" for a method without a model
    maker    the command that makes a model it can use, {task} standing for the task
    solve    (the opened model, the task, an instance of its input) -> an instance of its output
    solve_all  the same of many inputs, side by side; one after the other where it is left out
    """

    name: str
    summary: str
    needs: Need
    maker: str
    solve: Callable[[Model, Task, Any], TaskOutput]
    solve_all: Callable[[Model, Task, Sequence[Any]], list[TaskOutput]] | None = None
