"""`langwright predict MODEL TASK INPUT`: do a task on one text."""

from __future__ import annotations

import shlex
from typing import Annotated, get_args

import typer

from langwright.cli.predict_head import said_by_head
from langwright.cli.sampling import AdapterName, read_input
from langwright.cli.screen import Screen, screen_of
from langwright.cli.teaching import Command
from langwright.data.schemas import Message
from langwright.errors import unknown
from langwright.models.task_heads import OF_TASK
from langwright.tasks import TASKS
from langwright.tasks.chat import ChatInput, ChatOutput
from langwright.tasks.classification import ClassificationInput, ClassificationOutput, Normalise
from langwright.wording import say


def predict(
    ctx: typer.Context,
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model: its folder, the name of a run, or hf:owner/name")
    ],
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK", help="What to do: chat, classification, pair, regression, tagging, qa or choice"
        ),
    ],
    text: Annotated[str, typer.Argument(metavar="INPUT", help="The text; @FILE reads a file, - standard input")],
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels", metavar="A,B,...", help="Labels to choose from; those the model was trained on when left out"
        ),
    ] = None,
    multi_label: Annotated[
        bool, typer.Option("--multi-label", help="Give every label that fits, each judged by itself")
    ] = False,
    second: Annotated[
        str | None,
        typer.Option(
            "--with",
            metavar="TEXT",
            help="The second text of a pair, or the passage that a question is about; @FILE reads a file",
        ),
    ] = None,
    adapter: AdapterName = None,
    head: Annotated[
        str | None,
        typer.Option(
            "--head", metavar="NAME", help="Which head of a model that was taught several tasks; its own when left out"
        ),
    ] = None,
    normalise: Annotated[
        str,
        typer.Option(
            "--normalise",
            metavar="pmi|byte|token|sum",
            help="How labels of different length and frequency are made comparable when a model is asked in words: pmi subtracts how likely the label is without the text, byte and token divide by length, sum does nothing",
        ),
    ] = "pmi",
) -> None:
    """Read the input, ask the model, show what it says."""
    screen = screen_of(ctx)
    if task in OF_TASK and task not in TASKS:
        passage = read_input(second) if second else None
        answer, lines = said_by_head(model, task, read_input(text), passage, listed(labels), head)
        for line in lines:
            screen.line(line)
        screen.answer(answer, beside=True)
        return
    asked = task_input(task, read_input(text), labels, multi_label, normalise)
    from langwright.tasks.loading import load

    with load(model, max_batch=1, head=head, adapter=adapter) as opened:
        said = opened.solve(task, asked)
    show(screen, said)
    screen.answer(said.model_dump(mode="json"), next=shlex.join(["langwright", "serve", model]), beside=True)  # type: ignore[attr-defined]


def task_input(
    task: str, text: str, labels: str | None, multi_label: bool, normalise: str
) -> ChatInput | ClassificationInput:
    """A task's input from the words of the command line.

    raises  UserError for an unknown task or way of normalising
    """
    if task not in TASKS:
        raise unknown("task", task, {**TASKS, **OF_TASK})
    if task == "chat":
        return ChatInput(messages=(Message(role="user", content=text),))
    ways = get_args(Normalise)
    if normalise not in ways:
        raise unknown("option", normalise, ways)
    return ClassificationInput(
        text=text,
        labels=listed(labels),
        multi_label=multi_label,
        normalise=next(way for way in ways if way == normalise),
    )


def listed(labels: str | None) -> tuple[str, ...]:
    """Labels written with commas between them, Chinese ones too."""
    return tuple(label.strip() for label in (labels or "").replace("，", ",").split(",") if label.strip())


def show(screen: Screen, said: object) -> None:
    """The answer for a person."""
    if isinstance(said, ChatOutput):
        screen.line(said.text)
    elif isinstance(said, ClassificationOutput):
        screen.line(", ".join(said.labels) or say("no label fits"))
        ranked = sorted(said.probabilities.items(), key=lambda pair: -pair[1])
        screen.table([[f"  {label}", f"{probability:.3f}"] for label, probability in ranked])
        screen.note(say("(found by the solver {solver})", solver=said.solver))
        if said.truncated:
            screen.note(say("(the text was cut to fit the model)"))


PREDICT = Command(
    name="predict",
    section="Use a model",
    summary="Do a task on one text: give its label, or answer it",
    examples=(
        'langwright predict runs/topics classification "The match ended two to one"',
        'langwright predict runs/base classification "股市今天上涨" --labels 财经,体育,科技',
        'langwright predict runs/reader qa "谁写的？" --with @passage.txt',
    ),
    run=predict,
)
