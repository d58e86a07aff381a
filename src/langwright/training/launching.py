"""The other processes of a run on this machine: started, watched, and ended with the one that started them.

They are told where they stand by the variables that torchrun sets. Each holds the reading end of a pipe: when the
first process dies in whatever way, the pipe closes and they end (`ends_with_parent`). What they say goes to
run/process-N.txt, which is removed where nothing went wrong.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil

from langwright.errors import UserError
from langwright.training.together import Place

LEFT = 3  # exit code of a process that ended because it lost another one
NOTICE_S = 5.0  # how long a death may take to be seen after a connection broke
LEAVE_S = 30.0  # for the others to end by themselves after a run that went well


class Helpers:
    """The processes 1, 2, … of a run whose process 0 this is."""

    def __init__(self, place: Place, run: Path) -> None:
        self.place, self.run = place, run
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.outputs: dict[int, IO[bytes]] = {}

    def said(self, rank: int) -> Path:
        """Where a process's words go."""
        return self.run / f"process-{rank}.txt"

    def start(self, port: int) -> None:
        """Start them all; they look for the first one at this port of the machine."""
        size = self.place.together.processes
        for rank in range(1, size):
            environment = {
                **os.environ,
                "RANK": str(rank),
                "WORLD_SIZE": str(size),
                "LOCAL_RANK": str(rank),
                "LOCAL_WORLD_SIZE": str(size),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
                "PYTHONUNBUFFERED": "1",
            }
            self.outputs[rank] = self.said(rank).open("wb")
            # A group of their own: Ctrl-C reaches the first process alone, which stops all in order.
            self.processes[rank] = subprocess.Popen(
                self.place.helper, env=environment, stdin=subprocess.PIPE, stdout=self.outputs[rank],
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def check(self) -> None:
        """UserError when one has ended."""
        loss = self.loss()
        if loss is not None:
            raise loss

    def loss(self) -> UserError | None:
        """Which one ended and why; the one that did not merely follow another."""
        ended = {rank: process.returncode for rank, process in self.processes.items() if process.poll() is not None}
        for rank, code in sorted(ended.items(), key=lambda item: item[1] == LEFT):
            return UserError(
                "process {rank} of {size} stopped: {reason}",
                fix="run the same command again: it goes on from the last checkpoint, with as many processes or another number",
                rank=rank,
                size=self.place.together.processes,
                reason=signal.Signals(-code).name if code < 0 else self.last_words(rank),
            )
        return None

    def loss_after(self, error: BaseException) -> UserError:
        """What broke a connection: the process that ended, waited for a little, or one that does not answer."""
        until = time.monotonic() + NOTICE_S
        while (loss := self.loss()) is None and time.monotonic() < until:
            time.sleep(0.05)
        return loss or not_answering(error)

    def last_words(self, rank: int) -> str:
        """The last line of a process's output."""
        lines = self.said(rank).read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "?")

    def wait(self) -> None:
        """Let them end after a run that went well, and remove what they said."""
        until = time.monotonic() + LEAVE_S
        for rank, process in self.processes.items():
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue  # `end` ends it
            if process.returncode == 0:
                self.said(rank).unlink(missing_ok=True)

    def end(self) -> None:
        """End those that are still there: their pipe is closed, and what does not follow is killed."""
        for process in self.processes.values():
            assert process.stdin is not None
            process.stdin.close()
        for process in self.processes.values():
            try:
                process.wait(NOTICE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for output in self.outputs.values():
            output.close()


def not_answering(error: BaseException) -> UserError:
    """A connection broke, and nobody is known to have ended."""
    return UserError(
        "another process stopped or did not answer: {reason}",
        fix="run the same command again: it goes on from the last checkpoint, with as many processes or another number",
        reason=str(error).strip().split("\n")[0][:200],
    )


@contextmanager
def helpers_of(place: Place, run: Path) -> Iterator[Helpers]:
    """The processes that this one is to start, ended with the block; none where a launcher starts them."""
    helpers = Helpers(place, run)
    try:
        yield helpers
    finally:
        helpers.end()


def ends_with_parent() -> None:
    """Make this process end when the one that started it, which holds its standard input open, does."""

    def watch() -> None:
        while os.read(0, 1):  # not sys.stdin, whose lock would be in the way of an orderly end
            pass
        os._exit(LEFT)

    threading.Thread(target=watch, daemon=True).start()


def loopback() -> str | None:
    """The name of the network interface that only this machine sees."""
    for name, addresses in psutil.net_if_addrs().items():
        if any(address.address == "127.0.0.1" for address in addresses):
            return str(name)
    return None
