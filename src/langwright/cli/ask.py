"""`langwright ask "REQUEST"`: say in words what is to be done; the exact command is shown, and confirmed before it writes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from langwright.cli.screen import Screen, screen_of
from langwright.cli.teaching import Command
from langwright.errors import UserError
from langwright.wording import say
from langwright.workspace import Workspace

if TYPE_CHECKING:
    from langwright.cli.asking.filling import Call
    from langwright.cli.asking.matching import Match
    from langwright.cli.asking.spans import Spans

LEAST = 6.0  # of the score of a match; below it a request is taken for none
YES = frozenset({"y", "yes", "是", "好", "确认"})


def ask(
    ctx: typer.Context,
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="What is to be done, in English or Chinese")],
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="MODEL", help="A model that writes chooses the command; words alone do when left out"
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Run it without asking, also where it writes")] = False,
    show: Annotated[bool, typer.Option("--show", help="Show the command and stop")] = False,
) -> None:
    """Find the command, show it, and run it."""
    from langwright.cli.asking.matching import matches
    from langwright.cli.asking.spans import spans

    screen = screen_of(ctx)
    found = spans(request, kind_of)
    ranked = matches(request, found)
    call = meant(request, found, ranked, model)
    others = [one.function.name for one in ranked[:4] if one.function.name != call.function.name][:3]
    screen.note(call.line())
    screen.note(say("(it writes)") if call.function.writes else say("(it only reads)"))
    if call.missing:
        raise UserError(
            "the request does not say {missing}",
            fix="say it in the request, or run `{line}` with it",
            missing=", ".join(call.missing),
            line=call.line(),
        )
    if show or not (yes or not call.function.writes or confirmed(screen)):
        screen.answer(
            {"command": call.line(), "writes": call.function.writes, "ran": False, "others": others}, next=call.line()
        )
        return
    run_it(call, screen)


def run_it(call: Call, screen: Screen) -> None:
    """Run a command as if it had been typed."""
    from langwright.cli.main import Everywhere, run

    words = (*call.function.name.split(), *call.arguments)
    own = Screen(as_json=screen.as_json, out=screen.out, err=screen.err, command=("langwright", *words))
    code = run(Everywhere(None, screen.as_json, words), own)
    screen.answered = own.answered
    if code:
        raise typer.Exit(code)


def meant(request: str, found: Spans, ranked: list[Match], model: str | None) -> Call:
    """The command that a request means.

    raises  UserError where none fits
    """
    from langwright.cli.asking.choosing import called, chosen
    from langwright.cli.asking.filling import filled
    from langwright.cli.asking.matching import shortlist

    if model is None:
        if ranked[0].score < LEAST:
            raise no_command(ranked)
        return filled(ranked[0].function, found)
    from langwright.tasks.front.loading import load

    with load(model, max_batch=1) as writer:
        writer.writer("choose a command")
        function = chosen(writer, request, shortlist(ranked))
        if function is None:
            raise no_command(ranked)
        return called(writer, request, function, found)


def no_command(ranked: list[Match]) -> UserError:
    """Nothing fits."""
    return UserError(
        "no command fits the request",
        fix="say it with the words of the handbook, or see `langwright --help`; nearest: {nearest}",
        nearest=", ".join(one.function.name for one in ranked[:3]),
    )


def kind_of(name: str) -> str:
    """The kind of artifact that a name leads to; source for a file or folder, "" for nothing."""
    from langwright.stages.execution import kind_at

    workspace = Workspace()
    if name.startswith(("hf:", "http://", "https://")):
        return "model"
    return (kind_at(name, workspace) or "") if workspace.path(name).exists() else ""


def confirmed(screen: Screen) -> bool:
    """Whether a person at the keyboard agrees; nobody there does not."""
    if screen.as_json or not sys.stdin.isatty():
        screen.note(say("it was not run: it writes, and nobody is there to agree; --yes agrees beforehand"))
        return False
    screen.note(say("run it? [y/N]"))
    return sys.stdin.readline().strip().casefold() in YES


ASK = Command(
    name="ask",
    section="Use a model",
    summary="Say in words what is to be done; the exact command is shown, and confirmed before it writes",
    examples=(
        'langwright ask "clean runs/text and put the result into runs/tidy"',
        'langwright ask "用 runs/clean 训练一个分词器，保存为 runs/words" --show',
        'langwright ask "where does runs/chat come from?" --model runs/chat',
    ),
    run=ask,
)
