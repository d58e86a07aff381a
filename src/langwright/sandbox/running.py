"""A program run apart from everything, to its end or to a limit, with what it printed.

What is held off with namespaces: the network (there is none, and sockets are refused), every file but the
interpreter and the system's libraries (read-only; an empty folder is all that can be written), every other process,
and what the limits name. As in any container the kernel is shared: a fault in it is a way out.
What limits alone hold off: time, memory of each process, size of each file, sockets, further processes. Files that the
user may read can be read and those that the user may write can be written; processes of the user can be ended.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, Literal

from langwright.errors import UserError
from langwright.sandbox.settings import Isolation, Sandbox
from langwright.wording import Term

INSIDE = Path(__file__).parent / "inside"
SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/nix/store", "/etc/ld.so.cache")
PATIENCE = 5.0  # seconds for the last processes to be gone
Ended = Literal["done", "signal", "time", "output"]


@dataclass(frozen=True)
class Ran:
    """How a program ended.

    ended     done by itself; by a signal, which the limits send too; or stopped for its time or what it printed
    code      its exit status; the negative number of a signal; None where it was stopped
    calls     whether calls of the kernel that a computing program has no use for were refused
    """

    ended: Ended
    code: int | None
    output: str
    errors: str
    seconds: float
    memory_mb: float
    isolation: Isolation
    calls: bool

    def isolated(self) -> Term:
        """What it was held by, for a person."""
        if self.isolation == "namespaces":
            return Term(
                "It had no network, no files but the system's libraries, no other processes, and the stated limits."
            )
        return Term("It had limits of time and memory only, and could read the user's files: namespaces were not used.")


def run_program(source: str, sandbox: Sandbox, stdin: str = "", arguments: Sequence[str] = ()) -> Ran:
    """Run a Python program of one file; the standard library is there, nothing else.

    raises  UserError when running programs is not allowed, or cannot be isolated as asked
    """
    required(sandbox)
    with tempfile.TemporaryFile() as given:
        given.write(stdin.encode())
        given.seek(0)
        with Running({"main.py": source}, sandbox, arguments=arguments, stdin=given) as running:
            return running.finish()


def required(sandbox: Sandbox) -> None:
    """UserError unless programs may be run, and can be isolated as asked."""
    if not sandbox.allow:
        raise UserError(
            "programs that a model wrote are not run unless you allow it",
            fix="allow it with --set sandbox.allow=true, after reading in the page on code what the sandbox holds off",
        )
    if sys.platform != "linux":
        raise UserError(
            "programs are isolated by Linux, and this is {system}", fix="run it on Linux", system=sys.platform
        )
    if sandbox.isolation == "namespaces" and (why := missing_namespaces()):
        raise UserError(
            "this machine does not let a program be set apart by namespaces: {why}",
            fix="ask its keeper for user namespaces (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns), or accept less by name with --set sandbox.isolation=limits",
            why=why,
        )


@cache
def missing_namespaces() -> str:
    """Why namespaces cannot be had here; "" where they can."""
    with Running({"main.py": ""}, Sandbox(allow=True, seconds=30)) as running:
        try:
            running.finish()
        except OSError as error:
            return str(error)
    return ""


class Running:
    """A program that was started. Leaving the context ends it with all that it started.

    Start it and finish it in threads that live as long as it does: it is killed when the starting one ends.
    """

    def __init__(
        self,
        files: Mapping[str, str],
        sandbox: Sandbox,
        *,
        main: str = "main.py",
        arguments: Sequence[str] = (),
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        channels: Sequence[int] = (),
    ) -> None:
        """Start `main`, one of the files.

        channels  open file descriptors that it is to have besides the usual three
        """
        self.sandbox = sandbox
        self.folder = tempfile.TemporaryDirectory(prefix="langwright-sandbox-")
        self.started = time.monotonic()
        told, tell = os.pipe()
        self.report, reported = os.pipe()
        job = self.job(files, main, arguments)
        self.process = subprocess.Popen(
            [interpreter(), "-I", "-S", str(INSIDE / "confine.py"), str(told), str(reported)],
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=(told, reported, *channels),
            start_new_session=True, env={}, cwd="/",
        )  # fmt: skip
        os.close(told)
        os.close(reported)
        with os.fdopen(tell, "w") as writing:
            json.dump(job, writing)

    def job(self, files: Mapping[str, str], main: str, arguments: Sequence[str]) -> dict[str, Any]:
        """What `inside/confine.py` is told."""
        asked = self.sandbox
        return {
            "isolation": asked.isolation, "parent": os.getpid(), "folder": self.folder.name, "python": interpreter(),
            "binds": needed_paths(), "files": dict(files), "main": main, "arguments": list(arguments),
            "seconds": asked.seconds, "memory_bytes": asked.memory_mb << 20, "files_bytes": asked.files_mb << 20,
            "processes": asked.processes,
        }  # fmt: skip

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self.process.stdout.close()  # type: ignore[union-attr]
        self.process.stderr.close()  # type: ignore[union-attr]
        os.close(self.report)
        self.folder.cleanup()

    def end(self) -> None:
        """End it with all that it started; nothing where it has ended."""
        if self.process.poll() is not None:
            return
        gentle = self.sandbox.isolation == "limits"  # there its keeper must find the others first
        os.killpg(self.process.pid, signal.SIGTERM if gentle else signal.SIGKILL)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def finish(self) -> Ran:
        """Wait for the end, or end it at a limit.

        raises  OSError where it could not be isolated; nothing of it has run then
        """
        kept, ended = self.read()
        self.end()
        self.process.wait()
        told: dict[str, Any] = {}
        for line in b"".join(iter(lambda: os.read(self.report, 1 << 16), b"")).splitlines():
            told |= json.loads(line)
        if "refused" in told:
            raise OSError(told["refused"])
        code = told.get("code") if ended == "done" else None
        return Ran(
            ended="signal" if code is not None and code < 0 else ended, code=code,
            output=kept[0].decode("utf-8", "replace"), errors=kept[1].decode("utf-8", "replace"),
            seconds=time.monotonic() - self.started, memory_mb=told.get("memory_kb", 0) / 1024,
            isolation=self.sandbox.isolation, calls=bool(told.get("calls")),
        )  # fmt: skip

    def read(self) -> tuple[tuple[bytes, bytes], Ended]:
        """What it prints until it ends, or until a limit is reached; all its processes have closed both by then."""
        most, deadline = self.sandbox.output_kb << 10, self.started + self.sandbox.seconds
        pipes = (self.process.stdout, self.process.stderr)
        kept = (bytearray(), bytearray())
        ended: Ended = "done"
        with selectors.DefaultSelector() as ready:
            for place, pipe in enumerate(pipes):
                ready.register(pipe, selectors.EVENT_READ, place)  # type: ignore[arg-type]
            while ready.get_map() and ended == "done":
                if (left := deadline - time.monotonic()) <= 0:
                    ended = "time"
                for key, _ in ready.select(max(0, left)):
                    piece = os.read(key.fd, 1 << 16)
                    if not piece:
                        ready.unregister(key.fileobj)
                    kept[key.data].extend(piece)
                    if sum(map(len, kept)) > most:
                        ended = "output"
        first = bytes(kept[0][:most])
        return (first, bytes(kept[1][: most - len(first)])), ended


def interpreter() -> str:
    """The interpreter itself, not a virtual environment's name for it."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


@cache
def needed_paths() -> list[str]:
    """What the interpreter needs to start, each path once and none below another; links stay links."""
    prefix = os.path.realpath(sys.base_prefix)
    own = [interpreter(), os.path.realpath(sysconfig.get_path("stdlib"))] if prefix.startswith("/usr") else [prefix]
    found: list[str] = []
    for path in sorted({path for path in (*SYSTEM, *own) if os.path.lexists(path)}, key=len):
        if not any(path.startswith(known + "/") for known in found if not Path(known).is_symlink()):
            found.append(path)
    return found
