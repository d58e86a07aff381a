"""The folder someone works in: `runs/` holds artifacts and those in the making, `.langwright/cache/` what can be made again.

A run is its directory: alive while its lock is held, stopped by SIGTERM to the process that holds it. Nothing
else keeps a list of runs, so one that was started from the command line is found like any other, and one that
was asked for as a job like it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from langwright.artifacts import REQUEST, Card, Kind, Request, partial_of, read_card
from langwright.errors import UserError, unknown
from langwright.files import holder
from langwright.jobrecord import at_work, broke, read_job, read_process, waits
from langwright.runlog import Evaluated, Event, Failed, Progressed, Saved, Started, Stepped, Stopped, read_events

Status = Literal["queued", "running", "finished", "stopped", "failed"]
PARTIAL = ".partial"
DEPTH = 3  # how far below runs/ a run may lie


@dataclass(frozen=True)
class Run:
    """An artifact or one in the making, as a list of runs shows it."""

    name: str  # below runs/, without .partial
    out: Path  # where the artifact lies, or will
    folder: Path  # where it lies now: out, or out.partial
    status: Status
    stage: str
    kind: Kind | None = None  # known once finished
    pid: int | None = None  # of the process at work
    step: int | None = None
    steps: int | None = None
    saved: int | None = None  # step of the last checkpoint
    metrics: dict[str, float] = field(default_factory=dict)  # of the last step and the last evaluation
    progress: Progressed | None = None  # the last counted piece of work, for stages that take no steps
    began: float | None = None  # seconds since 1970
    heard: float | None = None  # when it last said something
    problem: str = ""
    fix: str = ""

    @property
    def events(self) -> Path:
        """The run's log."""
        return self.folder / "run" / "events.jsonl"


class Workspace:
    """Names things in a folder; the current one unless another is given."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or Path()
        self.runs_folder = self.folder / "runs"
        self.cache = self.folder / ".langwright" / "cache"

    def path(self, name: str | Path) -> Path:
        """Where a name leads: a path that exists as given, else `runs/NAME` if that exists, else the path as given."""
        given = Path(name)
        for place in (given, self.folder / given, self.runs_folder / given):
            if partial_of(place).exists() or place.exists():  # the first becomes the second, and may do so between
                return place
        return given

    def names_remote(self, name: str | Path) -> bool:
        """Whether a name leads to the Hub: `hf:owner/name`, or `owner/name` where there is nothing of that name here.

        An owner that is a folder here is never asked for on the network: a misspelt `runs/chta` stays a mistake.
        """
        text = str(name)
        if text.startswith("hf:"):
            return True
        owner, slash, rest = text.partition("/")
        if not slash or not rest or "/" in rest or owner in ("", ".", "..", "~"):
            return False
        return not (Path(owner).exists() or (self.folder / owner).exists() or self.path(name).exists())

    def runs(self) -> list[Run]:
        """Every run below `runs/`, in order of name."""
        found = {out: read_run(out, self.name_of(out)) for out in outputs_below(self.runs_folder, DEPTH)}
        return [run for _, run in sorted(found.items()) if run is not None]

    def find(self, name: str | Path) -> Run:
        """One run by name or path.

        raises  UserError when there is none
        """
        text = str(name).removesuffix("/").removesuffix(PARTIAL)
        out = self.path(text) if text else Path()
        run = read_run(out, self.name_of(out)) if text else None
        if run is None:
            known = [run.name for run in self.runs()]
            if known:
                raise unknown("run", str(name), known)
            raise UserError(
                "no run called {name!r}", fix="there are none yet: `langwright pretrain` begins one", name=str(name)
            )
        return run

    def name_of(self, out: Path) -> str:
        """How a run is called: its path below `runs/`, or the path itself when it lies elsewhere."""
        if out.is_relative_to(self.runs_folder):
            return out.relative_to(self.runs_folder).as_posix()
        return str(out)


def outputs_below(folder: Path, depth: int) -> Iterator[Path]:
    """Where artifacts lie or are being made; artifacts are not looked into."""
    if not folder.is_dir():
        return
    for item in sorted(folder.iterdir()):
        if not item.is_dir() or item.name.startswith("."):
            continue
        if (item / "run").is_dir() or (item / "card.json").is_file():
            yield item.with_name(item.name.removesuffix(PARTIAL))
        elif depth > 1:
            yield from outputs_below(item, depth - 1)


def read_run(out: Path, name: str) -> Run | None:
    """What can be said of a run from its directory; None when there is no run there."""
    if out.is_dir():
        return read_finished(out, name)
    folder = partial_of(out)
    request = read_request(folder)
    if request is None:
        return read_finished(out, name)  # it may have been finished between the two looks
    pid = holder(folder)
    if pid is not None or at_work(folder):
        return described(name, out, folder, "running", request.stage, pid=pid)
    job, process = read_job(folder), read_process(folder)
    if job is not None and waits(job, process):
        return described(name, out, folder, "queued", request.stage)
    return described(name, out, folder, "stopped", request.stage, broken=broke(job, process))


def read_finished(out: Path, name: str) -> Run | None:
    """What can be said of an artifact; None where there is none, or its card cannot be read."""
    card = readable_card(out)
    return None if card is None else described(name, out, out, "finished", card.stage, kind=card.kind)


def readable_card(out: Path) -> Card | None:
    """The card, or None where there is none or a damaged one; opening the artifact says what is wrong with it."""
    try:
        return read_card(out)
    except UserError:
        return None


def read_request(folder: Path) -> Request | None:
    """What a run was asked for; None where nothing was, or it was half written."""
    try:
        return Request.model_validate_json((folder / REQUEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def described(
    name: str, out: Path, folder: Path, status: Status, stage: str,
    *, kind: Kind | None = None, pid: int | None = None, broken: bool = False,
) -> Run:  # fmt: skip
    """A run with what its events tell: step, last metrics, times, and whether it failed."""
    heard = told(folder / "run" / "events.jsonl")
    problem = fix = ""
    if status == "stopped" and isinstance(heard.last, Failed):
        status, problem, fix = "failed", heard.last.problem, heard.last.fix
    elif status == "stopped" and broken and not isinstance(heard.last, Stopped):
        status = "failed"
    return Run(
        name, out, folder, status, stage, kind, pid,
        step=heard.step, steps=heard.steps, saved=heard.saved, metrics=dict(heard.metrics), progress=heard.progress,
        began=heard.began, heard=heard.last.time if heard.last else None, problem=problem, fix=fix,
    )  # fmt: skip


@dataclass(frozen=True)
class Told:
    """What a run's events tell."""

    step: int | None = None
    steps: int | None = None
    saved: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    progress: Progressed | None = None
    began: float | None = None
    last: Event | None = None


def told(file: Path) -> Told:
    """What the events in a file tell; a file that has not changed is not read again."""
    try:
        status = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Told()
    return told_before(file.absolute(), status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def told_before(file: Path, inode: int, size: int, changed_ns: int) -> Told:
    """`told` of a file in this state."""
    events = read_events(file)
    metrics: dict[str, float] = {}
    last: Stepped | None = None
    saved: int | None = None
    for event in events:
        if isinstance(event, Stepped):
            last = event
            metrics |= {"loss": event.loss, **event.metrics, "tokens_per_second": event.tokens_per_second}
        elif isinstance(event, Evaluated):
            metrics |= {f"held-out {key}": value for key, value in event.values.items()}
        elif isinstance(event, Saved):
            saved = event.step
    return Told(
        step=last.step if last else None, steps=last.steps if last else None, saved=saved, metrics=metrics,
        progress=next((e for e in reversed(events) if isinstance(e, Progressed)), None),
        began=next((e.time for e in events if isinstance(e, Started)), None), last=events[-1] if events else None,
    )  # fmt: skip
