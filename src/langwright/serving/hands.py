"""Threads for work that would block the event loop, kept for the next piece of work.

Starting a thread makes its starter wait until it runs, on a busy machine most of a millisecond, and a request needs
three. They are daemons: an engine that hangs must not keep the process alive.

What is computed here, such as by a head or an encoder, is computed with as many threads of its own as the plan of the
cores says. torch keeps that number for each thread that calls it, so each is told before its next piece of work.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import cache
from queue import SimpleQueue

Work = Callable[[], None]
SPARE = 64  # threads at most that wait for work


class Hands:
    """As many threads as there is work; those that are free are taken first."""

    def __init__(self, spare: int = SPARE) -> None:
        self.spare = spare
        self._free: list[SimpleQueue[Work]] = []
        self._threads: int | None = None  # that each piece of work computes with; None for torch's own number
        self._lock = threading.Lock()

    def do(self, work: Work) -> None:
        """Have it done beside the caller. Work that raises ends its thread, as threading reports it."""
        with self._lock:
            free = self._free.pop() if self._free else None
        if free is not None:
            free.put(work)
            return
        threading.Thread(target=self._serve, args=(work,), name="hand", daemon=True).start()

    def compute_with(self, threads: int) -> None:
        """Have every piece of work that begins from now on compute with so many threads."""
        self._threads = threads

    def _serve(self, work: Work) -> None:
        own: SimpleQueue[Work] = SimpleQueue()
        told: int | None = None
        while True:
            if told != self._threads is not None and "torch" in sys.modules:
                told = self._threads
                sys.modules["torch"].set_num_threads(told)
            work()
            del work  # what it holds is free while the thread waits
            with self._lock:
                if len(self._free) >= self.spare:
                    return
                self._free.append(own)
            work = own.get()


@cache
def hands() -> Hands:
    """Those of this process."""
    return Hands()
