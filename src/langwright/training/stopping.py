"""Being asked to stop: SIGTERM and Ctrl-C are noted and acted on between two updates, after saving."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class StopFlag:
    """Set when somebody asked the run to stop."""

    reason: str | None = None


class StopRequested(KeyboardInterrupt):
    """The run was asked to stop and has saved its state."""


@contextmanager
def stop_flag() -> Iterator[StopFlag]:
    """Note SIGTERM and SIGINT instead of dying in the middle of an update; the second SIGINT interrupts at once.

    Outside the main thread signals cannot be caught, and the flag simply stays unset.
    """
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return

    def note(number: int, frame: FrameType | None) -> None:
        if flag.reason and number == signal.SIGINT:
            raise KeyboardInterrupt
        flag.reason = signal.Signals(number).name

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
