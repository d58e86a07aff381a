"""A server as a child process: its log is kept, it is waited for until it answers, and it never outlives its parent."""

from __future__ import annotations

import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from langwright.errors import UserError

T = TypeVar("T")
LAST_LINES = 15  # of its log, shown when it does not start
LOOK_S = 0.1


class Child:
    """A command that runs until `close`, or until this process ends in whatever way."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        """log: what it says, on both its outputs; made anew."""
        self.command = tuple(command)
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as said:
            self._leash = subprocess.Popen(
                [sys.executable, "-m", "langwright.inference.remote.leash", *command],
                stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._finalizer = weakref.finalize(self, let_go, self._leash)

    @property
    def pid(self) -> int:
        """Of the process that holds it."""
        return self._leash.pid

    @property
    def ended(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._leash.poll()

    def said(self) -> str:
        """All of its log so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, answer: Callable[[], T | None], within_s: float) -> T:
        """What `answer` gives once that is not None.

        raises  UserError, with the end of its log, when it ends before, or takes longer
        """
        until = time.monotonic() + within_s
        while True:
            found = answer()
            if found is not None:
                return found
            late = time.monotonic() > until
            if late or self.ended is not None:
                ended = self.ended
                self.close()
                raise self._failed(ended)
            time.sleep(LOOK_S)

    def close(self) -> None:
        """Stop it and wait for its end."""
        self._finalizer()

    def _failed(self, ended: int | None) -> UserError:
        last = "\n".join(self.said().splitlines()[-LAST_LINES:])
        if ended is None:
            return UserError(
                "{command} does not answer; the end of its log:\n{log}",
                fix="read {file}; where it only needs longer, give it more time",
                command=self.command[0], log=last, file=self.log,
            )  # fmt: skip
        return UserError(
            "{command} ended with {code} before it answered; the end of its log:\n{log}",
            fix="read {file}, and try the command by itself: {whole}",
            command=self.command[0], code=ended, log=last, file=self.log, whole=" ".join(self.command),
        )  # fmt: skip


def let_go(leash: subprocess.Popen[bytes]) -> None:
    """Let go of the leash, which stops the command."""
    assert leash.stdin is not None
    leash.stdin.close()
    leash.wait()
