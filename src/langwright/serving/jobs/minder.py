"""Minds one job: runs its command, and writes down how it ended. Leads a process group that outlives the server.

    python -m langwright.serving.jobs.minder PARTIAL OUT ATTEMPT WORD...

PARTIAL and OUT are where the run lies while it is made and afterwards. The group is told to stop as a whole, so
the minder itself passes a SIGTERM over and waits for the command to save and leave.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from langwright.jobrecord import ProcessRecord, write_record

FIRST_TO_GO = "300"  # to the kernel that is out of memory: rather this than the server


def main(words: Sequence[str]) -> None:
    """Begin, wait, and say how it ended."""
    partial, out, attempt, *command = words
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, pass_over)  # a handler, unlike being ignored, is not handed on to the command
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
    began = time.time()
    child = subprocess.Popen([sys.executable, "-m", "langwright.cli.main", *command])
    record = ProcessRecord(attempt=int(attempt), group=os.getpgrp(), began=began)
    write_down(record, partial, out)
    code = child.wait()
    write_down(record.model_copy(update={"ended": time.time(), "code": code}), partial, out)


def write_down(record: ProcessRecord, *folders: str) -> None:
    """Write the record where the run lies now; nowhere when somebody removed it."""
    for folder in folders:
        with suppress(FileNotFoundError, NotADirectoryError):
            write_record(Path(folder), record)
            return


def pass_over(number: int, frame: FrameType | None) -> None:
    """The command has been told the same."""


if __name__ == "__main__":
    main(sys.argv[1:])
