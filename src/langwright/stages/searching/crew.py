"""Worker processes as the search sees them: orders go out, answers come back, nobody waits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from langwright.stages.searching.worker import Answer, Order

LOOK_S = 0.2  # between two looks at what the workers do
GRACE_S = 60.0  # for a worker that was asked to stop, to save what it has


class Runner(Protocol):
    """Something that carries out one order at a time."""

    def give(self, order: Order) -> None: ...

    def answer(self) -> Answer | None:
        """What came of the order; None while it is at work."""
        ...

    def stop(self) -> None:
        """Ask it to stop the order at hand; its answer says that it did, or that it was done before."""
        ...

    def close(self) -> None:
        """Ask it to stop, and wait until it has ended."""
        ...


class Process:
    """A worker in a process of its own, begun with its first order and again after it broke down.

    log      where it writes what is not an answer
    threads  that it may compute with
    """

    def __init__(self, log: Path, threads: int) -> None:
        self.log, self.threads = log, threads
        self._process: subprocess.Popen[bytes] | None = None
        self._read = b""
        self._busy = False

    def give(self, order: Order) -> None:
        """Send an order."""
        if self._process is None or self._process.poll() is not None:
            self._process = self._begin()
        assert self._process.stdin is not None
        self._process.stdin.write(order.model_dump_json().encode() + b"\n")
        self._process.stdin.flush()
        self._busy = True

    def _begin(self) -> subprocess.Popen[bytes]:
        """A new process."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._read = b""
        with self.log.open("ab") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "langwright.stages.searching.worker"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stream,
                env=os.environ | {"OMP_NUM_THREADS": str(self.threads)},
                start_new_session=True,  # Ctrl-C is for the search, which then stops its workers in order
            )  # fmt: skip
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        return process

    def answer(self) -> Answer | None:
        """The answer, or that the process broke down."""
        assert self._process is not None and self._process.stdout is not None
        ended = self._process.poll()
        self._read += self._process.stdout.read() or b""
        line, newline, rest = self._read.partition(b"\n")
        if newline:
            self._read, self._busy = rest, False
            return Answer.model_validate_json(line)
        if ended is None:
            return None
        self._busy = False
        return Answer(end="failed", problem=f"exit {ended}: {last_line(self.log)}")

    def stop(self) -> None:
        """SIGTERM."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """Stop the order at hand, let it save, then take away standard input, which ends the process."""
        process = self._process
        if process is None:
            return
        self.stop()
        end = time.monotonic() + GRACE_S
        while self._busy and self.answer() is None and time.monotonic() < end:
            time.sleep(LOOK_S)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        self._process = None


def last_line(log: Path) -> str:
    """The last thing a worker wrote."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.is_file() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


@contextmanager
def crew(runners: Sequence[Runner]) -> Iterator[Sequence[Runner]]:
    """The runners, each closed at the end, whatever happened."""
    try:
        yield runners
    finally:
        for runner in runners:
            runner.stop()  # all at once, so that they save side by side
        for runner in runners:
            runner.close()


def carried_out(orders: Iterable[Order], runners: Sequence[Runner], announce: Callable[[int], None]) -> list[Answer]:
    """Every order by whoever is free; the answers in the order of the orders.

    announce  told how many are done
    """
    waiting = list(enumerate(orders))
    busy: dict[int, Runner] = {}  # number of the order -> who has it
    answers: dict[int, Answer] = {}
    total = len(waiting)
    while len(answers) < total:
        for runner in runners:
            if waiting and runner not in busy.values():
                number, order = waiting.pop(0)
                runner.give(order)
                busy[number] = runner
        for number, runner in list(busy.items()):
            answer = runner.answer()
            if answer is not None:
                answers[number] = answer
                del busy[number]
                announce(len(answers))
        time.sleep(LOOK_S)
    return [answers[number] for number in range(total)]
