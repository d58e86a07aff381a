"""`langwright run PIPELINE.toml`: make what a pipeline says, step by step; what is there already is kept."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from langwright.cli.progress import Progress
from langwright.cli.screen import Screen, measure_rows, screen_of
from langwright.cli.stage import next_command
from langwright.cli.teaching import Command
from langwright.stages import STAGES
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.stages.pipeline import Done, Planned

ACTIONS = {
    "reuse": "kept", "run": "to make", "resume": "to resume", "again": "to make again", "decide": "to decide later",
}  # fmt: skip


def run(
    ctx: typer.Context,
    pipeline: Annotated[
        Path, typer.Argument(metavar="PIPELINE.toml", help="A TOML file with a [[step]] for each stage to run")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be made and why, and make nothing")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Delete and make again what was made with other settings or inputs")
    ] = False,
) -> None:
    """Plan, then run, or only tell the plan."""
    from langwright.stages.pipeline import plan, read_pipeline, run_pipeline

    screen = screen_of(ctx)
    read = read_pipeline(pipeline, STAGES)
    if dry_run:
        show_plan(screen, pipeline, plan(read, restart=restart, command=screen.command))
        return
    steps = len(read.steps)

    def announce(planned: Planned) -> None:
        number = read.steps.index(planned.step) + 1
        screen.note(f"[{number}/{steps}] {planned.step.name}: {say(ACTIONS[planned.action])}, {planned.reason()}")

    try:
        with Progress(screen) as progress:
            done = run_pipeline(read, restart=restart, command=screen.command, listeners=(progress,), announce=announce)
    except KeyboardInterrupt:
        again = shlex.join(screen.command)
        problem, fix = say("the pipeline was stopped"), say("run the same command again to resume it")
        if screen.as_json:
            screen.answer({"error": {"code": "stopped", "params": {}, "problem": problem, "fix": fix}})
        else:
            screen.note(f"{problem}; {fix}")
            screen.answer({}, next=again)
        raise typer.Exit(130) from None
    show_done(screen, done)


def show_plan(screen: Screen, file: Path, planned: Sequence[Planned]) -> None:
    """What each step would come to."""
    screen.table(
        [[f"  {item.step.name}", item.step.stage.words, say(ACTIONS[item.action]), item.reason()] for item in planned]
    )
    steps = [
        {
            "name": item.step.name, "stage": item.step.stage.name, "artifact": str(item.step.out),
            "action": item.action, "why": item.reason(),
        }
        for item in planned
    ]  # fmt: skip
    after = shlex.join(["langwright", "run", str(file)])
    screen.answer({"steps": steps, "next": after}, next=after)


def show_done(screen: Screen, done: Sequence[Done]) -> None:
    """What every step made, and the next command of the last."""
    for item in done:
        results = item.artifact.card.results if item.artifact.card else ()
        screen.line(f"{item.step.name}: {item.artifact.path}" + (f" ({say('kept')})" if item.reused else ""))
        screen.table(measure_rows(results))
    last = done[-1]
    after = next_command(last.step.stage, last.artifact)
    steps = [
        {
            "name": item.step.name, "stage": item.step.stage.name, "artifact": str(item.artifact.path),
            "reused": item.reused,
            "results": [m.model_dump(mode="json") for m in (item.artifact.card.results if item.artifact.card else ())],
        }
        for item in done
    ]  # fmt: skip
    screen.answer({"steps": steps, "next": after}, next=after)


RUN = Command(
    name="run",
    section="From text to model",
    summary="Run a pipeline of stages from a TOML file; what is already made is kept",
    examples=("langwright run pipeline.toml --dry-run", "langwright run pipeline.toml"),
    run=run,
)
