"""What a task is: what a model does for a person. How it is done is a solver, shared by tasks.

Declarations import neither torch nor transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from langwright.errors import UserError
from langwright.wording import Language


class TaskInput(BaseModel):
    """What a person gives."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


HERE = {"x-only-here": True}
"""`json_schema_extra` of an input's field that a request over HTTP must not set: what is run, what is opened by its path."""


class TaskOutput(BaseModel):
    """What a person gets. Offsets are characters of the given text, the end not included."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    solver: Annotated[str, Field(description="Which solver found it")]

    def lines(self) -> list[str]:
        """The same for a person to read: a text as it is, anything else field by field."""
        said = {name: value for name, value in self if name != "solver"}
        text = said.pop("text", None)
        return ([text] if isinstance(text, str) else []) + [f"{name}: {value}" for name, value in said.items()]


def not_blank(task: Task, asked: TaskInput) -> TaskInput:
    """The input; UserError where the text that the task is about has nothing in it."""
    name = task.panel[0]
    text = getattr(asked, name)
    if isinstance(text, str) and not text.strip() and task.input.model_fields[name].is_required():
        raise UserError("the field {field} of {task} is empty", fix="give a text that says something", field=name, task=task.name)  # fmt: skip
    return asked


@dataclass(frozen=True)
class Task:
    """A declaration that gives training, prediction, metrics, a REST endpoint and a studio panel.

    dataset   name of the row schema it trains and evaluates on; "" where there is none
    input     model of what a person gives; output: of what they get
    solvers   names in `SOLVERS`, in the order in which a model is tried with them
    measures  names in `MEASURES`; none where there is no dataset
    templates by language, for solvers that ask in words; fields of the input in braces
    panel     input fields in the order a form shows them; the first is INPUT on the command line
    lesson    name in `stages.lessons.LESSONS` of how it is taught; "" where nothing is trained. A model that was
              taught a task can do every task that is named like its lesson, and the other way round
    also      lessons besides whose models can do it, where they can do more than one's
    prefix    what a model that is taught to write reads before the text, <language> standing for a language's name
    ask       (a row of the dataset) -> the input that is asked of it; for examples and evaluation
    labels    to choose from where a person names none and the model has none of its own
    named     what its labels are called besides, in small letters, where a head that has others does another task
    """

    name: str
    summary: str
    dataset: str
    input: type[TaskInput]
    output: type[TaskOutput]
    solvers: tuple[str, ...]
    measures: tuple[str, ...] = ()
    templates: Mapping[Language, str] = field(default_factory=dict)
    panel: tuple[str, ...] = ()
    lesson: str = ""
    also: tuple[str, ...] = ()
    prefix: str = ""
    ask: Callable[[Any], TaskInput] | None = None
    labels: Mapping[Language, tuple[str, ...]] = field(default_factory=dict)
    named: frozenset[str] = frozenset()

    def knows(self, label: str) -> bool:
        """Whether a label is one of its own, by whatever name."""
        return label.casefold() in self.named | {one.casefold() for some in self.labels.values() for one in some}

    def done_by(self, taught: str, tasks: Mapping[str, Task]) -> bool:
        """Whether a model that was taught a task of this name can do this one."""
        other = tasks.get(taught)
        return taught in (self.name, self.lesson, *self.also) or (other is not None and other.lesson == self.name)
