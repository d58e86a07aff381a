"""A server that is killed while jobs wait and run, and begun anew: nothing of them is lost."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from langwright.workspace import Workspace

SCRIPT = """
from langwright.inference.fake import parrot
from langwright.serving.running import serve
serve({"parrot": parrot()}, port=0)
"""


@pytest.fixture
def server(world: Workspace) -> Iterator[Callable[[], tuple[subprocess.Popen[str], str]]]:
    """`server()` is a server on the workspace in a process of its own, and its URL."""
    started: list[subprocess.Popen[str]] = []

    def start() -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT], cwd=world.folder, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        started.append(process)
        assert process.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
        assert found is not None
        return process, found[0]

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=[pytest.mark.heavy, pytest.mark.timeout(1800)])])
def test_jobs_outlive_the_server(
    world: Workspace, kills: int, server: Callable[[], tuple[subprocess.Popen[str], str]], pretraining: Callable[..., dict[str, Any]],
    until: Callable[..., Any],
) -> None:  # fmt: skip
    process, url = server()
    assert httpx.post(f"{url}/v1/jobs", json=pretraining("long", steps=100_000)).status_code == 202
    assert httpx.post(f"{url}/v1/jobs", json=pretraining("next", steps=4)).status_code == 202
    seen = until(lambda: httpx.get(f"{url}/v1/jobs/long").json(), lambda job: (job["step"] or 0) >= 2)
    pid = world.find("long").pid
    assert pid is not None
    for _ in range(kills):
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = world.find("long").step or 0
        until(lambda: world.find("long").step, lambda step, before=before: step > before)  # it goes on meanwhile
        assert alive(pid)
        process, url = server()
        jobs = {job["name"]: job for job in httpx.get(f"{url}/v1/jobs").json()["data"]}
        assert (jobs["long"]["status"], jobs["long"]["by"], jobs["long"]["attempt"]) == ("running", "api", 1)
        assert (jobs["next"]["status"], jobs["next"]["place"]) == ("queued", 1)
    page = httpx.get(f"{url}/v1/jobs/long/events", params={"limit": 5000}).json()
    steps = [one["event"]["step"] for one in page["data"] if one["event"]["event"] == "stepped"]
    assert steps == list(range(1, len(steps) + 1)) and len(steps) > seen["step"]
    with httpx.stream("GET", f"{url}/v1/jobs/long/stream", headers={"Last-Event-ID": str(page["last"])}) as answer:
        first = next(line for line in answer.iter_lines() if line.startswith("id: "))
        assert int(first.removeprefix("id: ")) == page["last"] + 1
    assert httpx.post(f"{url}/v1/jobs/long/cancel").status_code == 202
    job = until(lambda: httpx.get(f"{url}/v1/jobs/long").json(), lambda job: job["status"] == "stopped")
    assert job["saved"] == job["step"] and not alive(pid)
    done = until(
        lambda: httpx.get(f"{url}/v1/jobs/next").json(), lambda job: job["status"] not in ("queued", "running")
    )
    assert (done["status"], done["step"]) == ("finished", 4), json.dumps(done)


def test_a_server_that_stops_lets_watchers_go_and_jobs_run(
    world: Workspace, server: Callable[[], tuple[subprocess.Popen[str], str]], pretraining: Callable[..., dict[str, Any]],
    until: Callable[..., Any],
) -> None:  # fmt: skip
    process, url = server()
    assert httpx.post(f"{url}/v1/jobs", json=pretraining("long", steps=100_000)).status_code == 202
    until(lambda: httpx.get(f"{url}/v1/jobs/long").json(), lambda job: (job["step"] or 0) >= 1)
    pid = world.find("long").pid
    assert pid is not None
    with httpx.stream("GET", f"{url}/v1/jobs/long/stream", timeout=30) as answer:
        lines = answer.iter_lines()
        next(lines)
        process.send_signal(signal.SIGTERM)
        for _ in lines:
            continue
    assert process.wait(30) == 0 and alive(pid)
    os.kill(pid, signal.SIGTERM)
    until(lambda: alive(pid), lambda still: not still)
