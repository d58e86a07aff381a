"""A log of requests: one line of JSON each, to standard error or to a file that is begun anew when it is long.

A line is ASCII: what is not is escaped, so that nothing a caller sends can begin a line, or speak to the terminal of
who reads it. Lines are written by a thread of their own; when it does not keep up, or the disk is full, lines are
dropped and counted, and requests go on.
"""

from __future__ import annotations

import json
import logging
import queue
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path

from langwright.errors import UserError
from langwright.serving.monitoring.settings import MonitoringSettings

MOST_WAITING = 10_000  # lines
CLEAN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def plain_id(given: list[str]) -> str | None:
    """The X-Request-ID that a caller sent, where it is one and plain.

    >>> plain_id(["a-1"]), plain_id(["a b"]), plain_id(["a", "b"]), plain_id([])
    ('a-1', None, None, None)
    """
    return given[0] if len(given) == 1 and CLEAN.fullmatch(given[0]) else None


def line_of(values: Mapping[str, object]) -> str:
    """A line of JSON in ASCII, without what is None.

    >>> line_of({"a": "春\\n\\x1b[2J", "b": None})
    '{"a": "\\\\u6625\\\\n\\\\u001b[2J"}'
    """
    return json.dumps({name: value for name, value in values.items() if value is not None})


def stamp(seconds: float) -> str:
    """A time in UTC.

    >>> stamp(0.0015)
    '1970-01-01T00:00:00.002Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Lines:
    """Where lines go; nowhere until opened."""

    def __init__(self, settings: MonitoringSettings, dropped: Callable[[], object]) -> None:
        """dropped: called for each line that could not be written. UserError when the file cannot be had."""
        self._handler = handler_of(settings)
        self._log = logging.Logger("langwright.requests")  # by itself: not among those that others configure
        self._listener: QueueListener | None = None
        self._dropped = dropped

    def open(self) -> None:
        """Begin to write."""
        if self._handler is None:
            return
        waiting: queue.Queue[object] = queue.Queue(MOST_WAITING)
        enter = QueueHandler(waiting)
        for handler in (enter, self._handler):
            handler.handleError = lambda record: self._dropped()  # type: ignore[assignment,method-assign]
        self._log.addHandler(enter)
        self._listener = QueueListener(waiting, self._handler)
        self._listener.start()

    def write(self, values: Mapping[str, object]) -> None:
        """One line."""
        if self._listener is not None:
            self._log.info("%s", line_of(values))

    def close(self) -> None:
        """Write what waits, and no more."""
        if self._listener is not None:
            self._listener.stop()
            self._listener = None
            self._log.handlers.clear()
        if isinstance(self._handler, logging.FileHandler):
            with suppress(OSError):  # what a full disk did not take was counted
                self._handler.close()


def handler_of(settings: MonitoringSettings) -> logging.Handler | None:
    """What writes lines where the settings say; None where they say nothing."""
    if not settings.log:
        return None
    if settings.log == "-":
        return logging.StreamHandler(sys.stderr)
    file = Path(settings.log)
    try:
        with file.open("ab"):
            pass
    except OSError as error:
        raise UserError(
            "the log {path} cannot be written: {reason}",
            fix="name a file in a folder that exists, or - for standard error",
            path=file,
            reason=error.strerror or str(error),
        ) from None
    return RotatingFileHandler(
        file, maxBytes=settings.log_bytes, backupCount=settings.log_files, encoding="ascii", delay=True
    )
