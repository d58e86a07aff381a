"""The finished projects in examples/ do what their READMEs show, command by command, in both languages."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.examples.readme import ADDRESS, PROJECTS, ROOT, Command, commands, copied, made_small

FIELDS = {"news": "predicted_label", "writing": "generated_text"}
FEW = {"examples.writing.checked": ("--count", "2")}  # what makes a program of an example short


def asked(command: Command, url: str) -> dict[str, Any]:
    """What a `curl` of a README is answered."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    assert ADDRESS in command.line
    line = command.line.replace(ADDRESS, url).replace("curl", "curl -sS --fail-with-body", 1)
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("project", PROJECTS)
def test_both_readmes_run_the_same_commands(project: str) -> None:
    shown = commands(project)
    assert shown == commands(project, "README.zh-CN.md")
    kinds = {command.kind for command in shown}
    assert {"run", "serve", "ask", "page", "real"} <= kinds
    said = [command.line for command in shown if command.kind == "ask"]
    assert any(re.search(r"[\u4e00-\u9fff]", line) for line in said) and any(line.isascii() for line in said)


@pytest.mark.parametrize("project", PROJECTS)
def test_the_commands(
    project: str, serving: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from langwright.cli.main import main
    from langwright.tasks.front.loading import load

    copied(project, tmp_path, small=True)
    monkeypatch.chdir(tmp_path)
    running = None
    for command in commands(project):
        if command.kind == "serve":
            folder = Path(command.words[2])
            model = load(folder)
            model.name = folder.name
            running = serving(model)
        elif command.kind == "ask":
            assert running is not None
            assert FIELDS[project] in asked(command, running.url)
        elif command.kind == "run" and command.words[0] == "langwright":
            assert main(command.words[1:]) == 0, command.line
        elif command.kind == "run":
            program = importlib.import_module(command.words[2])
            monkeypatch.setattr(sys, "argv", [*command.words[2:], *FEW.get(command.words[2], ())])
            program.main()
            made_small(tmp_path)
    assert running is not None


@pytest.mark.parametrize("project", PROJECTS)
def test_the_real_data_can_be_put_in(
    project: str, shared_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from langwright.cli.main import main

    monkeypatch.setenv("LANGWRIGHT_DATA", str(shared_data("zh-text-modern").parent))
    copied(project, tmp_path, small=True)
    monkeypatch.chdir(tmp_path)
    real = [command for command in commands(project) if command.kind == "real" and command.words[1] == "run"]
    assert real
    for command in real:
        assert main([*command.words[1:], "--dry-run"]) == 0


# --- the whole of it -------------------------------------------------------------------------------


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until a server answers; fails when it ends, or after two minutes."""
    for _ in range(600):
        assert process.poll() is None, "it ended"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{url} does not answer")


def lets_the_page_in(url: str, route: str, origin: str) -> bool:
    """Whether a browser would let a page of this origin ask."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    request = urllib.request.Request(f"{url}/{route}", method="OPTIONS", headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return bool(answer.headers.get("Access-Control-Allow-Origin") == origin)


def measured(folder: Path) -> dict[str, float]:
    """Names and values of a report's measures of all rows; of one name the first."""
    found: dict[str, float] = {}
    for one in json.loads((folder / "report.json").read_text(encoding="utf-8"))["measures"]:
        found.setdefault(one["name"], one["value"])
    return found


# What a run must reach at least; the READMEs say what one reached.
REACHED = {"news": ("accuracy", 0.5), "writing": ("bits per byte", -0.6)}


@pytest.mark.heavy
@pytest.mark.parametrize("project", PROJECTS)
def test_the_whole_of_it(project: str, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    copied(project, tmp_path, small=False)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    address, page = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
    servers: list[subprocess.Popen[bytes]] = []
    shown = commands(project)
    route = "generate" if project == "writing" else "translate" if project == "translation" else "classify"
    try:
        for command in shown:
            line = command.line.replace("http://127.0.0.1:8001", page).replace(" 8001", " " + page.rpartition(":")[2])
            words = line.split(" ", 1)
            program = f"{sys.executable} -m langwright" if words[0] == "langwright" else sys.executable
            call = f"exec {program} {words[1]}"
            if command.kind == "run":
                subprocess.run(["bash", "-c", call], cwd=tmp_path, env=environment, check=True, timeout=1500)
            elif command.kind in ("serve", "page"):
                call += f" --port {address.rpartition(':')[2]}" if command.kind == "serve" else ""
                servers.append(subprocess.Popen(["bash", "-c", call], cwd=tmp_path, env=environment))
                wait_for(address + "/health/ready" if command.kind == "serve" else page + "/page.html", servers[-1])
            elif command.kind == "ask":
                assert asked(command, address)[FIELDS[project]]
        assert lets_the_page_in(address, route, page)
    finally:
        for server in servers:
            server.terminate()
            server.wait(60)
    name, least = REACHED[project]
    found = measured(tmp_path / "runs" / project / "measured")[name]
    record_property(name, found)
    assert found >= least if least > 0 else found <= -least
