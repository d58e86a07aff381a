"""A server as a child: waited for, its log kept, and gone when its parent is, however that ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from langwright.errors import UserError
from langwright.inference.remote.children import Child

SLEEPS = "import os, time; print('pid', os.getpid(), flush=True); time.sleep(600)"
STUBBORN = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('pid', os.getpid(), flush=True); time.sleep(600)"


def pid_in(log: str) -> int | None:
    return int(log.split()[1]) if "\n" in log else None


def gone(pid: int, within_s: float = 30) -> bool:
    until = time.monotonic() + within_s
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def test_it_is_waited_for_and_ends_with_its_holder(tmp_path: Path) -> None:
    child = Child([sys.executable, "-c", SLEEPS], tmp_path / "logs" / "child.log")
    pid = child.wait_for(lambda: pid_in(child.said()), 30)
    assert child.ended is None and psutil.pid_exists(pid)
    child.close()
    child.close()
    assert gone(pid) and child.ended is not None
    pid = forgotten(tmp_path / "forgotten.log")
    assert gone(pid)


def forgotten(log: Path) -> int:
    """The pid of a child that nobody holds any more."""
    child = Child([sys.executable, "-c", SLEEPS], log)
    return child.wait_for(lambda: pid_in(child.said()), 30)


def test_one_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    child = Child([sys.executable, "-c", "raise SystemExit('no GPU here')"], tmp_path / "log")
    with pytest.raises(UserError, match=r"ended with 1 before it answered(?s:.*)no GPU here"):
        child.wait_for(lambda: None, 30)
    slow = Child([sys.executable, "-c", SLEEPS], tmp_path / "slow")
    pid = slow.wait_for(lambda: pid_in(slow.said()), 30)
    with pytest.raises(UserError, match="does not answer"):
        slow.wait_for(lambda: None, 0.0)
    assert gone(pid)
    with pytest.raises(UserError, match=r"No such file|not found|before it answered"):
        Child(["no-such-program-anywhere"], tmp_path / "absent").wait_for(lambda: None, 30)


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_it_does_not_outlive_a_parent_that_is_killed(tmp_path: Path, signal_number: int) -> None:
    begin = (
        "import sys, time; from pathlib import Path; from langwright.inference.remote.children import Child\n"
        f"child = Child([sys.executable, '-c', {SLEEPS!r}], Path({str(tmp_path / 'log')!r}))\n"
        "time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", begin])
    log, until = tmp_path / "log", time.monotonic() + 60
    while not log.exists() or pid_in(log.read_text()) is None:
        assert time.monotonic() < until and parent.poll() is None
        time.sleep(0.05)
    pid = pid_in(log.read_text())
    assert pid is not None and psutil.pid_exists(pid)
    os.kill(parent.pid, signal_number)
    parent.wait(30)
    assert gone(pid)


def test_one_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from langwright.inference.remote import leash

    monkeypatch.setattr(leash, "GRACE_S", 0.2)
    process = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None and process.stdout.readline().startswith(b"pid")
    leash.end(process)
    assert process.wait(30) == -signal.SIGKILL
    process.stdout.close()
