"""What happened in a run: an append-only file of events, one JSON object a line.

Everything that shows a run (the live line, `runs watch`, the report, the studio) is a reader of these.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError


class Occurrence(BaseModel):
    """Base of all events; `time` is seconds since 1970. What is not finite stands in JSON as "NaN" or "Infinity"."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")

    time: float = Field(default_factory=time.time)


class Started(Occurrence):
    """A process began to work on the run."""

    event: Literal["started"] = "started"
    stage: str
    pid: int


class Chosen(Occurrence):
    """A decision made for the person, and why: size, steps, dtype, micro-batch. Templates of `wording.say`.

    A number among the values that is not finite is read back as its name, since values may be texts too.
    """

    event: Literal["chosen"] = "chosen"
    message: str
    values: dict[str, str | int | float] = {}


class Warned(Occurrence):
    """Something the person should know; not an error."""

    event: Literal["warned"] = "warned"
    message: str
    values: dict[str, str | int | float] = {}


class Progressed(Occurrence):
    """How far a counted piece of work is. `total` is None where it is not known."""

    event: Literal["progressed"] = "progressed"
    what: str  # a template without fields, such as "reading"
    done: int
    total: int | None = None


class Stepped(Occurrence):
    """One optimizer update."""

    event: Literal["stepped"] = "stepped"
    step: int  # updates done, from 1
    steps: int  # updates planned
    loss: float  # per unit, nats
    metrics: dict[str, float] = {}  # per unit
    learning_rate: float
    gradient_norm: float  # before clipping
    units: int  # what the loss sums over, in this update
    tokens: int  # positions computed in this update, padding included
    useful: float  # share of those positions that are supervised or read, not padding
    tokens_per_second: float  # tokens over seconds
    seconds: float  # of this update


class Evaluated(Occurrence):
    """Held-out measures at a step, by name."""

    event: Literal["evaluated"] = "evaluated"
    step: int
    values: dict[str, float]
    best: bool = False


class Sampled(Occurrence):
    """What the model says at a step."""

    event: Literal["sampled"] = "sampled"
    step: int
    prompt: str
    text: str


class Saved(Occurrence):
    """A checkpoint became whole."""

    event: Literal["saved"] = "saved"
    step: int
    seconds: float
    bytes: int


class Resumed(Occurrence):
    """The run goes on from this step; what was logged beyond it did not happen."""

    event: Literal["resumed"] = "resumed"
    step: int


class Stopped(Occurrence):
    """The run was asked to stop and saved first."""

    event: Literal["stopped"] = "stopped"
    step: int
    reason: str


class Failed(Occurrence):
    """The run ended in an error."""

    event: Literal["failed"] = "failed"
    problem: str
    fix: str = ""


class Finished(Occurrence):
    """The artifact is whole."""

    event: Literal["finished"] = "finished"
    seconds: float


Event = Annotated[
    Started
    | Chosen
    | Warned
    | Progressed
    | Stepped
    | Evaluated
    | Sampled
    | Saved
    | Resumed
    | Stopped
    | Failed
    | Finished,
    Field(discriminator="event"),
]
_events: TypeAdapter[Event] = TypeAdapter(Event)


class RunLog:
    """Writes events to a file and tells them to listeners in this process."""

    def __init__(self, file: Path | None, *listeners: Callable[[Event], None]) -> None:
        """file: None writes nothing, for use without a run directory."""
        self.listeners = listeners
        self._stream = file.open("ab", buffering=0) if file else None
        if self._stream and self._stream.tell() > 0:
            self._stream.write(b"\n")  # a torn last line must not swallow the next event

    def write(self, event: Event) -> None:
        """Append one event; it is in the file when this returns."""
        if self._stream:
            self._stream.write(event.model_dump_json().encode() + b"\n")
        for listener in self.listeners:
            listener(event)

    def close(self) -> None:
        """Close the file; writing afterwards is an error."""
        if self._stream:
            self._stream.close()


def parse_line(line: bytes) -> Event | None:
    """One event, or None for a blank, torn or unknown line."""
    try:
        return _events.validate_json(line)
    except ValidationError:
        return None


def read_events(file: Path) -> list[Event]:
    """The events that count: what an earlier process logged beyond the step of a resume is left out."""
    kept: list[Event] = []
    if not file.is_file():
        return kept
    for line in file.read_bytes().split(b"\n"):
        event = parse_line(line)
        if event is None:
            continue
        if isinstance(event, Resumed):
            kept = [
                e for e in kept if not (isinstance(e, (Stepped, Evaluated, Sampled, Saved)) and e.step > event.step)
            ]
        kept.append(event)
    return kept


def follow(file: Path, ended: Callable[[], bool], every_s: float = 0.2) -> Iterator[Event]:
    """Events as they are written, from the first, until `ended` is true and the file is read to its end.

    A file that was begun anew (`--restart`) is read from its beginning.
    """
    position = 0
    while True:
        last_look = ended()
        data = b""
        if file.is_file():
            with file.open("rb") as stream:
                if stream.seek(0, os.SEEK_END) < position:
                    position = 0
                stream.seek(position)
                data = stream.read()
        whole, newline, _torn = data.rpartition(b"\n")
        position += len(whole) + len(newline)
        for line in whole.split(b"\n"):
            event = parse_line(line)
            if event is not None:
                yield event
        if last_look:
            return
        time.sleep(every_s)
