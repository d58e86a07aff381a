"""`langwright runs list|watch|stop`: what lies below `runs/`, what a run is doing, and ending it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from langwright.artifacts import partial_of
from langwright.cli.progress import Progress, duration
from langwright.cli.screen import screen_of
from langwright.cli.screen import shown as number
from langwright.cli.teaching import Command
from langwright.errors import UserError
from langwright.files import holder
from langwright.runlog import Event, Finished, follow, parse_line
from langwright.wording import say
from langwright.workspace import Run, Workspace

LAST_WORD_S = 3.0  # between an artifact's last name and the event that says so
PATIENCE_S = 60.0  # for a run to save and leave after it was asked to

RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's name below runs/, or its folder")]


def runs_list(ctx: typer.Context) -> None:
    """One line a run."""
    screen = screen_of(ctx)
    runs = Workspace().runs()
    if runs:
        heads = [say(word) for word in ("name", "stage", "status", "at", "last heard of")]
        screen.table([heads, *([run.name, run.stage, say(run.status), position(run), heard(run)] for run in runs)])
    else:
        screen.line(say("there are no runs here yet"))
    running = next((run for run in runs if run.status == "running"), None)
    latest = max(runs, key=lambda run: run.heard or 0.0, default=None)
    if running:
        after = f"langwright runs watch {running.name}"
    elif latest:
        after = (
            f"langwright history {latest.out}"
            if latest.status == "finished"
            else f"langwright runs watch {latest.name}"
        )
    else:
        after = "langwright data read FOLDER runs/text"
    screen.answer({"runs": [as_table(run) for run in runs]}, next=after)


def position(run: Run) -> str:
    """How far a run is."""
    if run.step is not None:
        loss = run.metrics.get("loss")
        return f"{run.step:,}/{run.steps:,}" + (f"  {say('loss')} {number(loss)}" if loss is not None else "")
    if run.status != "finished" and run.progress is not None:
        total = f"/{run.progress.total:,}" if run.progress.total else ""
        return f"{say(run.progress.what)} {run.progress.done:,}{total}"
    return ""


def heard(run: Run) -> str:
    """How long ago a run last said something."""
    return say("{time} ago", time=duration(max(0.0, time.time() - run.heard))) if run.heard else ""


def as_table(run: Run) -> dict[str, object]:
    """A run as an object."""
    table = asdict(run)
    table["progress"] = run.progress.model_dump(include={"what", "done", "total"}) if run.progress else None
    return table


def runs_watch(ctx: typer.Context, run: RunName) -> None:
    """Follow a run's events from the first until it ends; Ctrl-C stops watching, not the run."""
    screen = screen_of(ctx)
    workspace = Workspace()
    found = workspace.find(run)
    try:
        with Progress(screen) as progress:
            for event in events_of(found):
                progress(event)
    except KeyboardInterrupt:
        screen.note(say("the run goes on"))
    last = workspace.find(run)
    screen.line(f"{last.name}: {say(last.status)}" + (f", {last.problem}" if last.problem else ""))
    after = f"langwright history {last.out}" if last.status == "finished" else f"langwright runs watch {last.name}"
    screen.answer({"run": as_table(last)}, next=after)


def events_of(run: Run) -> Iterator[Event]:
    """A run's events until it ends, the last ones read where the finished artifact lies."""
    count = 0
    for event in follow(run.events, lambda: holder(partial_of(run.out)) is None):
        count += 1
        yield event
    moved = run.out / "run" / "events.jsonl"
    if run.folder == run.out or not run.out.exists():
        return
    deadline = time.monotonic() + LAST_WORD_S
    while time.monotonic() < deadline:
        said = [event for event in map(parse_line, moved.read_bytes().split(b"\n")) if event is not None]
        rest = said[count:]
        count += len(rest)
        yield from rest
        if any(isinstance(event, Finished) for event in rest):
            return
        time.sleep(0.05)


def runs_stop(ctx: typer.Context, run: RunName) -> None:
    """Ask the process at work to save and stop, and wait until it has."""
    screen = screen_of(ctx)
    workspace = Workspace()
    found = workspace.find(run)
    if found.pid is None:
        raise UserError(
            "{run} is not running: it is {status}", fix="see what is with `langwright runs list`",
            run=found.name, status=say(found.status),
        )  # fmt: skip
    os.kill(found.pid, signal.SIGTERM)
    screen.note(say("asked process {pid} to save and stop", pid=found.pid))
    if not left(partial_of(found.out), PATIENCE_S):
        raise UserError(
            "process {pid} is still at work after {seconds} s",
            fix="look at it with `langwright runs watch {run}`, or end it with `kill -9 {pid}`; whole checkpoints stay",
            pid=found.pid,
            seconds=int(PATIENCE_S),
            run=found.name,
        )
    kept = partial_of(found.out).exists()
    screen.line(
        say("{run} was stopped at step {step}", run=found.name, step=workspace.find(run).step or 0)
        if kept
        else say("{run} was stopped; it had nothing to keep", run=found.name)
    )
    screen.answer({"run": found.name, "stopped": True, "kept": kept}, next="langwright runs list")


def left(folder: Path, patience_s: float) -> bool:
    """Wait until nobody holds a run any more; False when that takes too long."""
    deadline = time.monotonic() + patience_s
    while holder(folder) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


SECTION = "Look after runs"
RUNS = (
    Command("runs list", SECTION, "Show the runs below runs/, and how far each is", ("langwright runs list",), runs_list),
    Command("runs watch", SECTION, "Follow a run until it ends", ("langwright runs watch base",), runs_watch),
    Command("runs stop", SECTION, "Ask a run to save and stop", ("langwright runs stop base",), runs_stop),
)  # fmt: skip
