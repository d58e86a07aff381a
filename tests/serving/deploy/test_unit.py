"""The unit for systemd: what systemd says of it, and whether its command line is one of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.serving.deploy.places import DEPLOY, program, seconds, serve_line, start_line, unit, variables

from langwright.serving.access.guards import audience, is_loopback
from langwright.serving.stores.opening import parse_url

OURS = "/opt/langwright/bin/langwright"


@pytest.fixture
def as_here(tmp_path: Path) -> Path:
    """The unit with a program that is installed here in the place of ours."""
    text = (DEPLOY / "langwright.service").read_text(encoding="utf-8")
    assert text.count(OURS) == 1
    file = tmp_path / "langwright.service"
    file.write_text(text.replace(OURS, str(shutil.which("true"))), encoding="utf-8")
    return file


@pytest.mark.spec("SV6", "systemd finds nothing wrong with the unit, and something with one that is")
def test_systemd_understands_it(as_here: Path) -> None:
    command = [
        program("systemd-analyze", "Debian: systemd"),
        "verify",
        "--man=no",
        "--recursive-errors=no",
        str(as_here),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    as_here.write_text(as_here.read_text().replace("ProtectSystem=strict", "ProtectSytem=strict"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "ProtectSytem" in done.stderr


@pytest.mark.spec("SV6", "systemd rates what the unit leaves open at 2.0 of 10 or less")
def test_it_is_locked_in(as_here: Path) -> None:
    command = [
        program("systemd-analyze", "Debian: systemd"),
        "security",
        "--offline=true",
        "--threshold=20",
        str(as_here),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "SYSTEMD_PAGER": ""})
    if "offline" in done.stderr and done.returncode != 0:
        pytest.skip("this systemd cannot rate a unit that is not loaded (before 250)")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


@pytest.mark.spec(
    "SV6", "the unit's command is taken by the server: on this computer alone, with keys and sealed texts"
)
def test_its_command_is_the_servers() -> None:
    words = start_line()
    assert words[0] == OURS
    line = serve_line(words[1:])
    assert line.models == ("/srv/langwright/models/chat",)
    assert is_loopback(line.options["host"]) and line.settings.require_key
    assert line.options["seal_key"] == "/etc/langwright/store.key"
    listens = audience(line.options["host"], line.settings.allowed_hosts)
    assert listens.addressed("models.example") and not listens.addressed("evil.example")
    environment = variables(DEPLOY / "langwright.env")
    url = parse_url(environment["LANGWRIGHT_STORE"])
    assert str(url.database).startswith("/var/lib/" + unit()["StateDirectory"][0] + "/")
    assert unit()["WorkingDirectory"] == ["/var/lib/" + unit()["StateDirectory"][0]]


@pytest.mark.spec("SV6", "systemd waits longer than the server drains and its jobs save their state")
def test_it_is_not_cut_off() -> None:
    line = serve_line(start_line()[1:])
    (limit,) = unit()["TimeoutStopSec"]
    assert seconds(limit) > max(line.longest_stop_s, line.settings.job_stop_s)
    assert unit()["KillMode"] == ["control-group"] and unit()["Type"] == ["notify"]


def test_the_store_by_postgresql_is_one() -> None:
    text = (DEPLOY / "langwright.env").read_text(encoding="utf-8")
    (other,) = (
        line.removeprefix("#LANGWRIGHT_STORE=") for line in text.splitlines() if line.startswith("#LANGWRIGHT_STORE=")
    )
    url = parse_url(other)
    assert url.drivername == "postgresql+psycopg" and url.query["host"] == "/run/postgresql"
    assert url.username == unit()["User"][0]
