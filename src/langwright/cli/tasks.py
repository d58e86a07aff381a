"""`langwright tasks [TASK]`: what models can do, what it takes and gives, who does it and what makes such a model."""

from __future__ import annotations

import shlex
from copy import copy
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from langwright.cli.screen import Screen, screen_of
from langwright.cli.teaching import Command
from langwright.errors import unknown
from langwright.settings import describe, toml_value
from langwright.tasks import SOLVERS, TASKS
from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.tasks.examples import example_inputs, example_lines, written_examples
from langwright.tasks.solving.languages import language_of
from langwright.tasks.solving.solvers import NEEDED
from langwright.wording import current_language, say


def tasks(
    ctx: typer.Context,
    task: Annotated[str | None, typer.Argument(metavar="[TASK]", help="The task to show; all when left out")] = None,
) -> None:
    """One line a task, or all about one."""
    screen = screen_of(ctx)
    if task is None:
        screen.table([[one.name, say(one.summary)] for one in TASKS.values()])
        screen.answer({"tasks": [as_table(one) for one in TASKS.values()]}, next="langwright tasks classification")
        return
    if task not in TASKS:
        raise unknown("task", task, TASKS)
    show(screen, TASKS[task])
    alone = SOLVERS[TASKS[task].solvers[0]].needs == "nothing"
    after = command_of(TASKS[task], shown(TASKS[task])[0]) if alone else makers(TASKS[task])[0]
    screen.answer(as_table(TASKS[task]), next=after)


def show(screen: Screen, task: Task) -> None:
    """All about a task, for a person."""
    screen.line(say(task.summary))
    screen.line("\n" + say("takes {first} as INPUT; others with --set KEY=VALUE", first=task.panel[0]))
    inputs = task.input.model_fields
    order = dict.fromkeys([*task.panel, *(name for name in inputs if name not in ("sampling", "tries")), *inputs])
    by_commas = say("texts, with commas between them")
    screen.table([[f"  {with_default(name, inputs[name])}", told(inputs[name], by_commas)] for name in order])
    screen.line("\n" + say("gives"))
    texts = say("a list of texts")
    screen.table([[f"  {name}", told(field, texts)] for name, field in task.output.model_fields.items()])
    if task.dataset:
        screen.line("\n" + say("rows of schema {schema}; measured by {measures}",
                               schema=task.dataset, measures=", ".join(task.measures)))  # fmt: skip
        screen.line("  " + shown(task)[1])
    screen.line("\n" + say("done by, in this order"))
    for name in task.solvers:
        solver = SOLVERS[name]
        screen.line(f"  {name}: {say(solver.summary)}")
        if solver.needs != "nothing":
            screen.line("    " + say("needs {needed}: `{maker}`", needed=say(NEEDED[solver.needs]),
                                     maker=solver.maker.format(task=task.name)))  # fmt: skip
    if taught_by_texts(task):
        screen.line("\n" + say("taught by rows of what it takes, with `written` beside: what a model should write"))
        screen.line("    " + say("such a file becomes conversations: `{command}`", command=f"langwright data read FILE DATASET --task {task.name}"))  # fmt: skip
        screen.line("    " + shown(task)[1])
    screen.line("\n" + say("for example"))
    screen.line("  " + command_of(task, shown(task)[0]))


def shown(task: Task) -> tuple[TaskInput, str]:
    """The first example in the language in force, as an input and as its row."""
    pairs = list(zip(example_inputs(task), example_lines(task), strict=True))
    wanted = current_language()
    return next((pair for pair in pairs if language_of(str(getattr(pair[0], task.panel[0]))) == wanted), pairs[0])


def with_default(name: str, field: FieldInfo) -> str:
    """A field's name, and what it is when left out, where that is short."""
    default = field.get_default(call_default_factory=True)
    if field.is_required() or default in (None, "") or isinstance(default, BaseModel):
        return name
    return f"{name} = {toml_value(default)}" if default != () else name


def told(field: FieldInfo, texts: str) -> str:
    """What a field is, and what it accepts unless that is a text.

    texts  what is said of several texts
    """
    bare = copy(field)
    bare.annotation = without_none(field.annotation)
    help = say(field.description or "")
    if bare.annotation is str:
        return help
    allowed = texts if bare.annotation == tuple[str, ...] else describe(bare)
    return say("{help} ({allowed})", help=help, allowed=allowed)


def without_none(annotation: Any) -> Any:
    """A type without that it may be left out."""
    parts = [part for part in get_args(annotation) if part is not NoneType]
    return parts[0] if len(parts) == 1 and get_origin(annotation) in (Union, UnionType) else annotation


def command_of(task: Task, example: TaskInput) -> str:
    """An input as a command."""
    fields = example.model_dump(mode="json", exclude_defaults=True)
    first = fields.pop(task.panel[0])
    if task.panel[0] == "messages":
        first = first[-1]["content"]
    model = [] if SOLVERS[task.solvers[0]].needs == "nothing" else ["MODEL"]
    sets = [f"{key}={value if isinstance(value, str) else toml_value(value)}" for key, value in fields.items()]
    return shlex.join(["langwright", "predict", *model, task.name, str(first), *(part for one in sets for part in ("--set", one))])  # fmt: skip


def taught_by_texts(task: Task) -> bool:
    """Whether its shipped examples say what a model should write, so that rows like them teach it."""
    return not task.dataset and any(written for _, written in written_examples(task))


def makers(task: Task) -> list[str]:
    """The commands that make a model for a task, in the order of its solvers; a plain use where it needs none."""
    found = [
        solver.maker.format(task=task.name)
        for solver in map(SOLVERS.__getitem__, task.solvers)
        if solver.needs != "nothing"
    ]
    return found or [f"langwright predict {task.name} INPUT"]


def as_table(task: Task) -> dict[str, Any]:
    """All about a task, for a program."""
    return {
        "name": task.name,
        "summary": say(task.summary),
        "input": schema_of(task.input),
        "output": schema_of(task.output),
        "dataset": task.dataset or ("chat" if taught_by_texts(task) else None),
        "measures": list(task.measures),
        "solvers": {name: {"summary": say(SOLVERS[name].summary), "needs": SOLVERS[name].needs} for name in task.solvers},
        "panel": list(task.panel),
        "makers": makers(task),
        "example": shown(task)[0].model_dump(mode="json", exclude_defaults=True),
    }  # fmt: skip


def schema_of(model: type[TaskInput] | type[TaskOutput]) -> dict[str, Any]:
    """Its JSON schema."""
    return model.model_json_schema()


TASKS_COMMAND = Command(
    name="tasks",
    section="Use a model",
    summary="List what models can do, with what it takes and gives and how such a model is made",
    examples=("langwright tasks", "langwright tasks qa"),
    run=tasks,
)
