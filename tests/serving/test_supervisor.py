"""What systemd is told: that the server answers, not before it does, and that it stops."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from langwright.serving.supervisor import VARIABLE, notify


@pytest.mark.spec(
    "SV6", "systemd hears READY=1 when requests are answered and STOPPING=1 when the server is told to stop"
)
def test_a_server_tells_its_supervisor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serving: Callable[..., Any], watched: Callable[..., Any]
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.settimeout(30)
        monkeypatch.setenv(VARIABLE, str(tmp_path / "notify"))
        running = serving(watched()[1], leave_s=600.0)
        assert line.recv(64) == b"READY=1"
        assert httpx.get(f"{running.url}/health/ready", trust_env=False).status_code == 200
        running.server.should_exit = True
        assert line.recv(64) == b"STOPPING=1"
        assert httpx.get(f"{running.url}/health/live", trust_env=False).status_code == 200
        running.server.force_exit = True


def test_an_abstract_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(f"\0langwright-{tmp_path.name}")
        line.settimeout(30)
        monkeypatch.setenv(VARIABLE, f"@langwright-{tmp_path.name}")
        notify("READY=1")
        assert line.recv(64) == b"READY=1"


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    notify("READY=1")
    assert not caplog.records
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone"))
    notify("READY=1")
    assert "READY=1" in caplog.text, "a unit that will be ended for silence says why"
