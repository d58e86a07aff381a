"""`langwright predict MODEL TASK INPUT`: do a task on one text, by the task's own declaration."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from langwright.cli.progress import Progress
from langwright.cli.sampling import AdapterName, read_input
from langwright.cli.screen import screen_of
from langwright.cli.teaching import Command
from langwright.errors import UserError, unknown
from langwright.settings import parse_value, place
from langwright.tasks import TASKS
from langwright.tasks.declaration import Task, TaskInput
from langwright.tasks.front.asked import asked_of
from langwright.wording import say

LISTS = ("labels", "choices", "words")  # fields that --labels gives


ModelName = Annotated[
    str,
    typer.Argument(
        metavar="[MODEL]",
        help="A model: its folder, the name of a run, or hf:owner/name; left out for a task that needs none",
    ),
]
TaskName = Annotated[str, typer.Argument(metavar="TASK", help="What to do; `langwright tasks` lists them")]
Input = Annotated[str | None, typer.Argument(metavar="INPUT", help="The text; @FILE reads a file, - standard input")]
Labels = Annotated[
    str | None,
    typer.Option(
        "--labels", metavar="A,B,...", help="Labels to choose from; those the model was trained on when left out"
    ),
]
MultiLabel = Annotated[bool, typer.Option("--multi-label", help="Give every label that fits, each judged by itself")]
Second = Annotated[
    str | None,
    typer.Option(
        "--with",
        metavar="TEXT",
        help="The second text of a pair, or the passage that a question is about; @FILE reads a file",
    ),
]
Fields = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Another field of the task's input; may be given again"),
]
SolverName = Annotated[
    str | None,
    typer.Option(
        "--solver", metavar="NAME", help="Which of the task's solvers; the first that fits the model when left out"
    ),
]
HeadName = Annotated[
    str | None,
    typer.Option(
        "--head", metavar="NAME", help="Which head of a model that was taught several tasks; its own when left out"
    ),
]
NormaliseBy = Annotated[
    str | None,
    typer.Option(
        "--normalise",
        metavar="pmi|contextual|byte|token|sum",
        help="How labels of different length and frequency are made comparable when a model is asked in words: pmi subtracts how likely the label is without the text, contextual how likely it is among the labels with texts that say nothing, byte and token divide by length, sum does nothing",
    ),
]


def predict(
    ctx: typer.Context,
    model: ModelName,
    task: TaskName,
    text: Input = None,
    labels: Labels = None,
    multi_label: MultiLabel = False,
    second: Second = None,
    sets: Fields = None,
    solver: SolverName = None,
    adapter: AdapterName = None,
    head: HeadName = None,
    normalise: NormaliseBy = None,
) -> None:
    """Read the input, ask the model, show what it says."""
    screen = screen_of(ctx)
    name, task, text = (model, task, text) if text is not None else ("", model, task)
    if not name and task not in TASKS and text in TASKS:
        raise UserError(
            "the input of {task} is missing",
            fix="give it last: `langwright predict MODEL {task} INPUT`; @FILE reads a file, - standard input",
            task=text,
        )
    if task not in TASKS:
        raise unknown("task", task, TASKS)
    declared = TASKS[task]
    options: dict[str, Any] = {
        "labels": listed(labels) if labels is not None else None,
        "multi_label": multi_label or None,
        "second": read_input(second) if second is not None else None,
        "normalise": normalise,
    }
    asked = input_of(declared, read_input(text), options, sets or ())
    from langwright.tasks.front.loading import load
    from langwright.tasks.front.model import Model

    with load(name, max_batch=1, head=head, adapter=adapter) if name else Model("", None) as opened:
        with Progress(screen) as progress:
            said = opened.solve(task, asked, solver, progress=progress)
        doubts = opened.doubts(task, asked)
    for line in said.lines():
        screen.line(line)
    for doubt in doubts:
        screen.note(f"{say('warning')}: {doubt}")
    screen.note(say("(found by the solver {solver})", solver=said.solver))
    after = shlex.join(["langwright", "serve", name]) if name else shlex.join(["langwright", "tasks", task])
    warned = {"warnings": list(doubts)} if doubts else {}
    screen.answer(said.model_dump(mode="json") | warned, next=after, beside=True)


def input_of(task: Task, text: str, options: Mapping[str, Any], sets: Sequence[str]) -> TaskInput:
    """A task's input from the words of the command line.

    options  what the short options gave, None for those left out
    sets     KEY=VALUE
    raises   UserError for an option or a field that the task has no use for, or a field that is missing
    """
    fields: dict[str, Any] = {}
    for option, value in options.items():
        if value is not None:
            fields[field_of(task, option)] = value
    for item in sets:
        key, equals, value = item.partition("=")
        if not equals:
            raise UserError(
                "--set {item} has no '='", fix="write it as --set KEY=VALUE, for example --set top=3", item=item
            )
        place(fields, key.strip(), typed(task, key.strip(), value))
    return asked_of(task.name, text, fields)


def field_of(task: Task, option: str) -> str:
    """The input field that a short option gives; UserError where the task has none."""
    known = task.input.model_fields
    if option == "labels":
        found = next((name for name in LISTS if name in known), None)
    elif option == "second":
        found = next((name for name in task.panel[1:] if known[name].annotation is str), None)
    else:
        found = option if option in known else None
    if found is None:
        shown = {"labels": "--labels", "second": "--with", "multi_label": "--multi-label", "normalise": "--normalise"}
        raise UserError(
            "{task} has no use for {option}",
            fix="leave it out; its fields are: {fields}",
            task=task.name,
            option=shown[option],
            fields=", ".join(known),
        )
    return found


def typed(task: Task, key: str, text: str) -> Any:
    """A value of `--set`: a text where the field is one, `@FILE` of a file; else as TOML has it, lists with commas too."""
    field = task.input.model_fields.get(key)
    if field is not None and field.annotation in (str, str | None):
        return read_input(text)
    value = parse_value(text)
    is_list = field is not None and "tuple[str" in str(field.annotation)
    return listed(value) if is_list and isinstance(value, str) else value


def listed(labels: str) -> tuple[str, ...]:
    """Labels written with commas between them, Chinese ones too."""
    return tuple(label.strip() for label in labels.replace("，", ",").split(",") if label.strip())


PREDICT = Command(
    name="predict",
    section="Use a model",
    summary="Do a task on one text: give its label, answer it, translate it",
    examples=(
        'langwright predict runs/topics classification "The match ended two to one"',
        'langwright predict runs/base classification "股市今天上涨" --labels 财经,体育,科技',
        'langwright predict runs/reader qa "谁写的？" --with @passage.txt',
        "langwright predict runs/de-en translation Hallo --set source_language=de --set target_language=en",
    ),
    run=predict,
)
