"""How a stage is carried out, whoever asks: the command line, a pipeline or a job of the API.

Inputs are opened and checked, the artifact is made in `OUT.partial`, what happens is logged in its `run/`, and
the card is written last. A mistake of the person's leaves nothing behind; checkpoints are kept for a resume.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from langwright.artifacts import (
    Artifact,
    Making,
    Origin,
    Request,
    making,
    open_artifact,
    read_card,
    refuse_existing,
    source_origin,
)
from langwright.errors import UserError
from langwright.runlog import (
    Event,
    Failed,
    Finished,
    Occurrence,
    RunLog,
    Started,
    Stepped,
    Stopped,
    Warned,
    parse_line,
    read_events,
)
from langwright.settings import Settings
from langwright.stages.declaration import Input, Stage, Work
from langwright.stages.model_card import write_model_card
from langwright.tasks.front.finding import find_model
from langwright.training.together import Place, Together, launched_rank, processes_beside
from langwright.wording import Term
from langwright.workspace import Workspace

if TYPE_CHECKING:
    from langwright.training.preflight import Preflight

Listener = Callable[[Event], None]
Given = Mapping[str, Sequence[str | Path]]  # role -> names, paths or sources


@dataclass(frozen=True)
class Prepared:
    """A stage with everything it needs, looked at and found fit; nothing has been written."""

    stage: Stage
    settings: Settings
    artifacts: Mapping[str, tuple[Artifact, ...]]
    sources: Mapping[str, tuple[Path, ...]]
    request: Request


# --- before anything is written ------------------------------------------------------------------


def prepare(
    stage: Stage, inputs: Given, settings: Settings, *, workspace: Workspace | None = None, command: Sequence[str] = ()
) -> Prepared:
    """Open the inputs, check their kinds, and take their digests.

    raises  UserError when an input is missing, unfinished, damaged, of another kind, or one too many
    """
    workspace = workspace or Workspace()
    artifacts: dict[str, tuple[Artifact, ...]] = {}
    sources: dict[str, tuple[Path, ...]] = {}
    origins: list[Origin] = []
    check_roles(stage, inputs)
    for declared in stage.inputs:
        names = inputs.get(declared.role, ())
        if declared.kind == "source":
            paths = tuple(existing_source(name) for name in names)
            sources[declared.role] = paths
            origins += [source_origin(path, declared.role) for path in paths]
        else:
            opened = tuple(open_input(name, declared, workspace) for name in names)
            artifacts[declared.role] = opened
            for name, artifact in zip(names, opened, strict=True):
                # A Hub name is kept as it was given: the cache folder it came to says nothing.
                said = str(name) if workspace.names_remote(name) else str(artifact.path)
                origins.append(artifact.origin(declared.role).model_copy(update={"path": said}))
    request = Request(
        stage=stage.name,
        stage_version=stage.version,
        inputs=tuple(origins),
        settings=settings.model_dump(mode="json"),
        command=tuple(command),
    )
    return Prepared(stage, settings, artifacts, sources, request)


def check_roles(stage: Stage, inputs: Given) -> None:
    """UserError when an input that must be there is not, or one is given more often than it may be."""
    for declared in stage.inputs:
        count = len(inputs.get(declared.role, ()))
        if count == 0 and not declared.optional:
            raise UserError(
                "{stage} was given no {role}", fix="give one: {help}",
                stage=stage.name, role=Term(declared.role), help=Term(declared.help),
            )  # fmt: skip
        if count > 1 and not declared.many:
            raise UserError(
                "{stage} takes one {role}, and {count} were given", fix="give only one",
                stage=stage.name, role=Term(declared.role), count=count,
            )  # fmt: skip


def check_together(stage: Stage, on: Together | None) -> None:
    """UserError when several processes are to make what only one can."""
    if on is not None and not stage.together:
        raise UserError(
            "{stage} is not made by several processes", fix="leave out --on; stages that train take it", stage=stage.name
        )  # fmt: skip


def assign(stage: Stage, names: Sequence[str], kind_of: Callable[[str], str | None]) -> dict[str, tuple[str, ...]]:
    """Give names, in the order of the command line, to the stage's inputs.

    One input may take many or none: it gets what the others leave. Where several may, each name goes to the
    first that is free and of its kind.

    raises  UserError when there are too few or too many
    """
    flexible = [declared for declared in stage.inputs if declared.many or declared.optional]
    least = sum(not declared.optional for declared in stage.inputs)
    most = None if any(declared.many for declared in stage.inputs) else len(stage.inputs)
    if len(names) < least or (most is not None and len(names) > most):
        raise UserError(
            "{stage} takes {expected}, and {count} were given",
            fix="give {expected}, in this order",
            stage=stage.name,
            expected=" ".join(shown(declared) for declared in stage.inputs),
            count=len(names),
        )
    if len(flexible) <= 1:
        spare = len(names) - (len(stage.inputs) - len(flexible))
        rest = iter(names)
        return {
            declared.role: tuple(next(rest) for _ in range(spare if declared in flexible else 1))
            for declared in stage.inputs
        }
    found: dict[str, tuple[str, ...]] = {declared.role: () for declared in stage.inputs}
    for name in names:
        kind = kind_of(name)
        if kind is None:
            raise UserError("there is no {path}", fix="check the path, or see `langwright runs list`", path=name)
        fitting = [d for d in stage.inputs if d.kind == kind and (d.many or not found[d.role])]
        if not fitting:
            raise UserError(
                "{name} is nothing that {stage} takes: {expected}",
                fix="leave it out, or check the path",
                name=name,
                stage=stage.name,
                expected=", ".join(str(declared.kind) for declared in stage.inputs),
            )
        found[fitting[0].role] += (name,)
    return found


def shown(declared: Input) -> str:
    """An input as the usage line shows it."""
    name = declared.role.upper() + ("..." if declared.many else "")
    return f"[{name}]" if declared.optional else name


def kind_at(name: str, workspace: Workspace) -> str | None:
    """The kind of artifact that a name leads to; "source" for other files and folders, None for nothing."""
    path = workspace.path(name)
    if not path.exists():
        return "model" if workspace.names_remote(name) else None
    card = read_card(path)
    if card is not None:
        return card.kind
    return "model" if (path / "config.json").is_file() else "source"


def existing_source(name: str | Path) -> Path:
    """A raw file or folder; UserError when it is not there."""
    path = Path(name).expanduser()
    if not path.exists():
        raise UserError("there is no {path}", fix="check the path; a source is a file or a folder", path=path)
    return path


def open_input(name: str | Path, declared: Input, workspace: Workspace) -> Artifact:
    """An artifact by path, workspace name or, for models, Hub name."""
    assert declared.kind != "source"
    path = find_model(name, workspace) if declared.kind == "model" else workspace.path(name)
    return open_artifact(path, declared.kind)


# --- the work ------------------------------------------------------------------------------------


def execute(
    stage: Stage,
    inputs: Given,
    out: Path,
    settings: Settings,
    *,
    restart: bool = False,
    accept: bool = False,
    command: Sequence[str] = (),
    listeners: Sequence[Listener] = (),
    workspace: Workspace | None = None,
    on: Together | None = None,
) -> Artifact:
    """Carry a stage out and return the finished artifact.

    accept  go on with other settings than it was begun with, where the stage can
    on      processes that train together; one where left out
    raises  UserError unchanged, with nothing left behind but checkpoints; KeyboardInterrupt when it was asked to stop
    """
    workspace = workspace or Workspace()
    refuse_existing(out)  # before inputs are hashed, which may take a while
    prepared = prepare(stage, inputs, settings, workspace=workspace, command=command)
    return carry_out(prepared, out, restart=restart, accept=accept, listeners=listeners, cache=workspace.cache, on=on)


def carry_out(
    prepared: Prepared,
    out: Path,
    *,
    restart: bool = False,
    accept: bool = False,
    listeners: Sequence[Listener] = (),
    cache: Path,
    on: Together | None = None,
) -> Artifact:
    """The part of `execute` that writes."""
    stage, request = prepared.stage, prepared.request
    check_together(stage, on)
    with making(
        out, stage.makes, request, prepared.settings, restart=restart, accept=accept, changeable=stage.changeable
    ) as work:
        events = work.run / "events.jsonl"
        earlier = seconds_worked(events)
        log = RunLog(events, *listeners)
        try:
            return finished(prepared, work, log, earlier, cache, on)
        except KeyboardInterrupt as interrupt:
            note_stop(log, events, str(interrupt) or "asked to stop")
            raise
        except UserError as error:
            log.write(Failed(problem=error.problem(), fix=error.fix()))
            raise
        except Exception as error:
            log.write(Failed(problem=f"{type(error).__name__}: {error}"))
            raise
        finally:
            log.close()


def finished(
    prepared: Prepared, work: Making, log: RunLog, earlier: float, cache: Path, on: Together | None
) -> Artifact:
    """Run the stage and close its artifact."""

    log.write(Started(stage=prepared.stage.name, pid=os.getpid()))
    if work.changes:
        log.write(
            Warned(
                message="the run goes on with other settings than it was begun with: {changes}",
                values={"changes": "; ".join(work.changes)},
            )
        )
    made = prepared.stage.run(
        Work(
            prepared.settings, prepared.artifacts, prepared.sources, work, log,
            command=shlex.join(prepared.request.command), cache=cache,
            place=None if on is None else first_place(on, prepared.request, work.path, cache),
        )
    )  # fmt: skip
    seconds = earlier + time.monotonic() - work.started
    artifact = work.finish(made, seconds)
    write_model_card(artifact)
    log.write(Finished(seconds=round(seconds, 3)))  # the open file moved along with its folder
    return artifact


def first_place(on: Together, request: Request, partial: Path, cache: Path) -> Place:
    """The place of the process that writes; it starts the others unless a launcher has."""
    if launched_rank() is not None:
        return Place(on, 0, request.key(), processes_beside(on))
    helper = (sys.executable, "-m", "langwright.stages.following", str(partial), str(cache), on.manner)
    return Place(on, 0, request.key(), on.processes, helper)


def look(prepared: Prepared, *, listeners: Sequence[Listener] = (), cache: Path) -> Preflight | None:
    """What the stage itself says of its inputs without doing the work, such as a preflight; None where it has nothing to say.

    Nothing is written but what the cache keeps.

    raises  UserError for what the work would break down over
    """
    from tempfile import TemporaryDirectory

    stage = prepared.stage
    if stage.check is None:
        return None
    with TemporaryDirectory() as folder:
        path = Path(folder)
        making = Making(path / "out", path, prepared.request, stage.makes, resumed=False, started=time.monotonic())
        making.run.mkdir()
        log = RunLog(None, *listeners)
        return stage.check(Work(prepared.settings, prepared.artifacts, prepared.sources, making, log, cache=cache))


def note_stop(log: RunLog, events: Path, reason: str) -> None:
    """Say that the run stopped, unless the training loop already has."""
    known = read_events(events)
    if known and isinstance(known[-1], Stopped):
        return
    step = next((event.step for event in reversed(known) if isinstance(event, Stepped)), 0)
    log.write(Stopped(step=step, reason=reason))


def seconds_worked(events: Path) -> float:
    """Seconds of work by earlier processes on the same run, pauses between them left out."""
    if not events.is_file():
        return 0.0
    total, began, last = 0.0, None, 0.0
    for line in events.read_bytes().split(b"\n"):
        event: Occurrence | None = parse_line(line)
        if event is None:
            continue
        if isinstance(event, Started):
            total += last - began if began is not None else 0.0
            began = event.time
        last = event.time
    return total + (last - began if began is not None else 0.0)


# --- being asked to stop -------------------------------------------------------------------------


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does: a KeyboardInterrupt, so that everything open is closed on the way out.

    Training takes both signals over while it steps (`training.stopping`), to save between two updates. Outside
    the main thread signals cannot be caught, and nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
