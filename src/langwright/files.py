"""Files that are whole or absent, folders that one process works on at a time, and a disk that is full."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from langwright.errors import UserError


def sha256_of(file: Path) -> str:
    """sha256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_whole(file: Path, data: bytes) -> None:
    """Write a file so that a crash leaves the old one or the new one, never a part."""
    scratch = file.with_name(file.name + ".new")
    with scratch.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    scratch.replace(file)


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def empty(folder: Path, keep: Sequence[str]) -> None:
    """Empty a folder, all but these files of it."""
    above = {parent.as_posix() for name in keep for parent in Path(name).parents}
    for item in sorted(folder.rglob("*"), reverse=True):  # what lies in a folder comes before it
        name = item.relative_to(folder).as_posix()
        if item.is_dir() and not item.is_symlink():
            if name not in above:
                item.rmdir()
        elif name not in keep:
            item.unlink()


# --- a full disk -------------------------------------------------------------------------------


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Turn 'no space left on device' into a UserError."""
    try:
        yield
    except Exception as error:
        if not disk_was_full(error):
            raise
        raise UserError(
            "the disk is full: {path} could not be written",
            fix="free some space and run the same command again; the last whole checkpoint is kept",
            path=(error.filename if isinstance(error, OSError) else None) or path,
        ) from error


def disk_was_full(error: Exception) -> bool:
    """Whether an error says so, by its number or, from libraries that give none, in words."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    # safetensors and tokenizers tell Rust's sentence; numpy tells how much of an array it could write
    return (
        re.search(rf"\(os error ({errno.ENOSPC}|{errno.EDQUOT})\)|^\d+ requested and \d+ written$", str(error))
        is not None
    )


# --- one process at a time ---------------------------------------------------------------------

TRIES, PAUSE_S = 5, 0.02  # `holder` has the lock for a moment when it looks


@contextmanager
def held(path: Path, out: Path) -> Iterator[None]:
    """Hold the lock of a partial directory, making it first; a second process is refused with the first one's pid.

    raises  UserError when another process holds it, or it cannot be made
    """
    with lock_of(path, out) as stream:
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def lock_of(path: Path, out: Path) -> TextIO:
    """The open lock file of a partial directory, locked for this process alone."""
    lock = path / "lock"
    pid = "?"
    for attempt in range(TRIES):
        try:
            path.mkdir(parents=True, exist_ok=True)
            stream = lock.open("a+")
        except OSError as error:
            if disk_was_full(error):
                raise
            raise UserError(
                "{out} cannot be made: {reason}",
                fix="name an output in a folder where you may write",
                out=out,
                reason=error.strerror,
            ) from error
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with stream:
                stream.seek(0)
                pid = stream.read().strip() or pid
        else:
            if same_file(stream, lock):
                return stream
            stream.close()  # whoever had it removed the folder after we opened the file
        if attempt < TRIES - 1:
            time.sleep(PAUSE_S)
    raise UserError(
        "{out} is being made by process {pid}",
        fix="wait for it, stop it with `langwright runs stop {out}`, or name another output",
        out=out,
        pid=pid,
    )


def same_file(stream: TextIO, file: Path) -> bool:
    """Whether an open file is the one that lies at a path."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), file.stat())
    except FileNotFoundError:
        return False


def holder(path: Path) -> int | None:
    """The pid of the process at work on a partial directory, or None when nobody is."""
    lock = path / "lock"
    if not lock.is_file():
        return None
    with lock.open("r") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = stream.read().strip()
            return int(text) if text.isdigit() else None
    return None
