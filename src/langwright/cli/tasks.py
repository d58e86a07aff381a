"""`langwright tasks [TASK]`: what models can do, what it takes and gives, who does it and what makes such a model."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from langwright.cli.screen import Screen, screen_of
from langwright.cli.teaching import Command
from langwright.errors import unknown
from langwright.settings import describe
from langwright.tasks import SOLVERS, TASKS
from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.tasks.examples import example_of
from langwright.tasks.solving.solvers import NEEDED
from langwright.wording import say


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
    screen.answer(as_table(TASKS[task]), next=makers(TASKS[task])[0])


def show(screen: Screen, task: Task) -> None:
    """All about a task, for a person."""
    screen.line(say(task.summary))
    for title, model in ((say("takes"), task.input), (say("gives"), task.output)):
        screen.line(f"\n{title}")
        screen.table(
            [[f"  {name}", describe(field), say(field.description or "")] for name, field in model.model_fields.items()]
        )
    if task.dataset:
        screen.line("\n" + say("rows of schema {schema}; measured by {measures}",
                               schema=task.dataset, measures=", ".join(task.measures)))  # fmt: skip
    screen.line("\n" + say("done by, in this order"))
    for name in task.solvers:
        solver = SOLVERS[name]
        screen.line(f"  {name}: {say(solver.summary)}")
        if solver.needs != "nothing":
            screen.line("    " + say("needs {needed}: `{maker}`", needed=say(NEEDED[solver.needs]),
                                     maker=solver.maker.format(task=task.name)))  # fmt: skip
    example = example_of(task)
    if example is not None:
        screen.line("\n" + say("for example"))
        screen.line("  " + example.model_dump_json(exclude_defaults=True))


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
    example = example_of(task)
    return {
        "name": task.name,
        "summary": say(task.summary),
        "input": schema_of(task.input),
        "output": schema_of(task.output),
        "dataset": task.dataset or None,
        "measures": list(task.measures),
        "solvers": {name: {"summary": say(SOLVERS[name].summary), "needs": SOLVERS[name].needs} for name in task.solvers},
        "panel": list(task.panel),
        "makers": makers(task),
        "example": None if example is None else example.model_dump(mode="json", exclude_defaults=True),
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
