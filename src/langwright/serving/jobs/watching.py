"""A run's events for those who watch: as pages, as a stream that can be taken up again, as curves for a chart.

An event's number is that of its line in `run/events.jsonl`, from 1. Lines that were torn by a kill have a number and
no event. A run that is begun anew has a new file, and is counted from 1 again.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from langwright.artifacts import partial_of
from langwright.files import holder
from langwright.jobrecord import at_work, read_job, read_process, waits
from langwright.runlog import Chosen, Evaluated, Event, Progressed, Stepped, Warned, parse_line, read_events
from langwright.wording import say

EVERY_S = 0.25  # between two looks at a file
CALL_S = 15.0  # of silence, after which a stream says that it is still there
LAST_WORD_S = 3.0  # between an artifact's final name and the event that says so
NUMBERS = ("loss", "learning_rate", "gradient_norm", "tokens_per_second")


class Line(BaseModel):
    """One event with its number; `said` is what it says to a person, in the caller's language."""

    line: int
    said: str | None = None
    event: dict[str, Any]


class EventPage(BaseModel):
    """Some events: `last` is the number of the last line looked at, to be given as `after` next time.

    ended  nothing more will come, unless the run is resumed
    """

    object: Literal["list"] = "list"
    data: list[Line]
    last: int
    ended: bool


class Curve(BaseModel):
    """One number over the steps; what is not finite is null."""

    name: str
    steps: list[int]
    values: list[float | None]
    of: int  # how many there were before


class Curves(BaseModel):
    """The answer of GET /v1/jobs/{name}/curves."""

    object: Literal["list"] = "list"
    data: list[Curve]


def events_file(out: Path) -> Path:
    """Where a run's log lies now."""
    folder = partial_of(out)
    return (folder if folder.is_dir() and not out.is_dir() else out) / "run" / "events.jsonl"


def live(out: Path) -> bool:
    """Whether a run waits or is worked at."""
    folder = partial_of(out)
    job = read_job(folder)
    queued = job is not None and waits(job, read_process(folder))
    return queued or holder(folder) is not None or at_work(folder) or at_work(out)


def page(out: Path, after: int, limit: int) -> EventPage:
    """Events beyond a line, at most so many lines."""
    alive = live(out)  # before the file is read: what it writes last is read then
    lines = whole_lines(events_file(out))
    some = lines[after : after + limit]
    found = [shown for number, line in enumerate(some, start=after + 1) if (shown := as_line(number, line)) is not None]
    last = after + len(some)
    return EventPage(data=found, last=last, ended=not alive and last >= len(lines))


def whole_lines(file: Path) -> list[bytes]:
    """A file's lines that are ended."""
    try:
        return file.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []


def as_line(number: int, line: bytes) -> Line | None:
    """An event with its number; None where the line holds none."""
    event = parse_line(line)
    return None if event is None else Line(line=number, said=told(event), event=json.loads(event.model_dump_json()))


def told(event: Event) -> str | None:
    """What an event says to a person."""
    if isinstance(event, (Chosen, Warned)):
        return say(event.message, lang=None, **event.values)
    return say(event.what) if isinstance(event, Progressed) else None


# --- as they happen --------------------------------------------------------------------------------


@dataclass
class Tail:
    """Reads a growing file by whole lines."""

    out: Path
    line: int = 0  # the last one read
    position: int = 0  # bytes read
    inode: int = 0
    finished: bool = False

    def skip(self, lines: int) -> bool:
        """Pass over lines that were read before; False when the file has not so many and is read from its beginning."""
        data = whole_lines(events_file(self.out))
        fits = lines <= len(data)
        self.line = lines if fits else 0
        self.position = sum(len(line) + 1 for line in data[: self.line])
        return fits

    def read(self) -> tuple[bool, list[Line]]:
        """(whether the file was begun anew, events since the last time)."""
        try:
            with events_file(self.out).open("rb") as stream:
                status = os.fstat(stream.fileno())
                anew = self.inode not in (0, status.st_ino) or status.st_size < self.position
                if anew:
                    self.line = self.position = 0
                self.inode = status.st_ino
                stream.seek(self.position)
                data = stream.read()
        except FileNotFoundError:
            return False, []
        lines = data.split(b"\n")[:-1]
        found = [as_line(number, line) for number, line in enumerate(lines, start=self.line + 1)]
        self.line += len(lines)
        self.position += sum(len(line) + 1 for line in lines)
        events = [one for one in found if one is not None]
        self.finished |= any(one.event["event"] == "finished" for one in events)
        return anew, events


async def stream(
    out: Path, after: int, status: Callable[[], BaseModel], closing: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Server-sent events beyond a line until the run neither waits nor runs: each with its number as id.

    Last comes `end` with the job. `restarted` says that the file was begun anew, and what was seen no longer counts.

    closing  whether the server is stopping: the stream then breaks off, and can be taken up again elsewhere
    """
    tail = Tail(out)
    if not await asyncio.to_thread(tail.skip, after):
        yield sent("restarted", 0, {})
    spoken = time.monotonic()
    while not closing():
        alive = await asyncio.to_thread(live, out)
        anew, lines = await asyncio.to_thread(tail.read)
        if anew:
            yield sent("restarted", 0, {})
        for one in lines:
            yield sent(one.event["event"], one.line, {**one.event, "said": one.said} if one.said else one.event)
        if lines or anew:
            spoken = time.monotonic()
        elif time.monotonic() - spoken > CALL_S:
            spoken = time.monotonic()
            yield b": still here\n\n"
        if not alive and (tail.finished or not out.is_dir() or time.monotonic() - spoken > LAST_WORD_S):
            yield sent("end", tail.line, (await asyncio.to_thread(status)).model_dump(mode="json"))
            return
        await asyncio.sleep(EVERY_S)


def sent(name: str, line: int, data: object) -> bytes:
    """One server-sent event; JSON has no raw line breaks."""
    return f"id: {line}\nevent: {name}\ndata: {json.dumps(data, ensure_ascii=False, allow_nan=False)}\n\n".encode()


# --- curves ------------------------------------------------------------------------------------------


def curves(out: Path, points: int) -> Curves:
    """Every number that was logged over the steps, at most so many points each, highs and lows kept.

    What was undone by a resume is left out.
    """
    found: dict[str, list[tuple[int, float]]] = {}
    for event in read_events(events_file(out)):
        if isinstance(event, Stepped):
            values = {name: getattr(event, name) for name in NUMBERS} | event.metrics
        elif isinstance(event, Evaluated):
            values = {f"held-out {name}": value for name, value in event.values.items()}
        else:
            continue
        for name, value in values.items():
            found.setdefault(name, []).append((event.step, value))
    return Curves(data=[curve(name, series, points) for name, series in found.items()])


def curve(name: str, series: Sequence[tuple[int, float]], points: int) -> Curve:
    """A series with at most so many points."""
    kept = thinned([value for _, value in series], points)
    values = [series[index][1] for index in kept]
    return Curve(
        name=name, steps=[series[index][0] for index in kept],
        values=[value if math.isfinite(value) else None for value in values], of=len(series),
    )  # fmt: skip


def thinned(values: Sequence[float], points: int) -> list[int]:
    """Indices of at most so many values: the first, the last, and of each stretch between them the lowest and the highest.

    A value that is not finite counts as the highest, so that no break in a curve is lost.

    >>> thinned([0, 5, 1, 2, 9, 3, 4, 0], 6)
    [0, 1, 2, 4, 5, 7]
    """
    if len(values) <= points:
        return list(range(len(values)))
    stretches = max(1, (points - 2) // 2)
    inner = len(values) - 2
    kept = {0, len(values) - 1}
    for number in range(stretches):
        stretch = range(1 + number * inner // stretches, 1 + (number + 1) * inner // stretches)
        high = max(stretch, key=lambda index: values[index] if math.isfinite(values[index]) else math.inf)
        low = min(stretch, key=lambda index: values[index] if math.isfinite(values[index]) else math.inf)
        kept |= {low, high}
    return sorted(kept)


def is_over(out: Path, after: int) -> bool:
    """Whether nothing is to come beyond a line."""
    return not live(out) and after == len(whole_lines(events_file(out)))
