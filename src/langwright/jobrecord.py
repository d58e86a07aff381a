"""What a run says of the job that asked for it.

    run/job.json      what was asked and its place in the queue; written by the server
    run/process.json  the process group at work, and how it ended; written by the process that minds it
    run/output.log    what the command said; locked (flock) as long as any process of the group lives

All three lie in `OUT.partial` first and stay with the artifact when it is finished. No other list of jobs exists.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import TextIO, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from langwright.files import write_whole

JOB, PROCESS, OUTPUT = "run/job.json", "run/process.json", "run/output.log"
STOPPED_CODE = 130  # of a command that was asked to stop
R = TypeVar("R", bound=BaseModel)


class Record(BaseModel):
    """Base of both; what a later version adds is passed over."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class JobRecord(Record):
    """What was asked for."""

    attempt: int  # from 1; one more each time it is resumed
    words: tuple[str, ...]  # the command, without `langwright`
    settings: dict[str, JsonValue] = {}  # as they were given
    place: int = 0  # the lowest in the queue is next
    withdrawn: bool = False  # taken out of the queue
    asked: float  # seconds since 1970
    cancelled: float | None = None  # when it was asked to stop
    patience: float | None = None  # the same by the clock that only goes forward, from which is counted
    killed: float | None = None  # when it was ended for not stopping


class ProcessRecord(Record):
    """The process group of an attempt, led by the process that minds it."""

    attempt: int
    group: int
    began: float
    ended: float | None = None
    code: int | None = None  # exit code; minus the signal that ended it
    problem: str = ""  # why it could not begin


def read_job(folder: Path) -> JobRecord | None:
    """The job of a run's folder; None for a run that was begun by a person."""
    return read_record(JobRecord, folder / JOB)


def read_process(folder: Path) -> ProcessRecord | None:
    """The process of a run's last attempt; None before the first."""
    return read_record(ProcessRecord, folder / PROCESS)


def read_record(model: type[R], file: Path) -> R | None:
    """One of the records; None where there is none or it cannot be read."""
    try:
        return model.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None


def write_record(folder: Path, record: JobRecord | ProcessRecord) -> None:
    """Write one of the records into a run's folder."""
    name = JOB if isinstance(record, JobRecord) else PROCESS
    write_whole(folder / name, record.model_dump_json(indent=2).encode() + b"\n")


def waits(job: JobRecord, process: ProcessRecord | None) -> bool:
    """Whether a job's last attempt has not begun."""
    return not job.withdrawn and (process is None or process.attempt < job.attempt)


def broke(job: JobRecord | None, process: ProcessRecord | None) -> bool:
    """Whether a job's last process ended without having been asked to, or left no word at all."""
    asked = job is None or job.cancelled is not None
    return process is not None and not asked and process.code not in (0, STOPPED_CODE)


def locked(stream: TextIO) -> bool:
    """Take the lock of an open output; False when a process of the group still has it."""
    with suppress(BlockingIOError):
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def at_work(folder: Path) -> bool:
    """Whether any process of a run's job is alive, whether or not it has begun on the run."""
    try:
        with (folder / OUTPUT).open("r") as stream:
            return not shared(stream)
    except OSError:
        return False


def shared(stream: TextIO) -> bool:
    """Whether nobody has the lock of an open file for itself."""
    with suppress(BlockingIOError):
        fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return True
    return False


def tail(folder: Path, most: int = 4000) -> str:
    """The end of what the command said, in whole lines of at most so many bytes."""
    try:
        with (folder / OUTPUT).open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - most))
            data = stream.read()
    except OSError:
        return ""
    if size > most:
        data = data.partition(b"\n")[2]
    return data.decode(errors="replace")
