"""Jobs over HTTP: real stages in processes of their own."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from langwright.artifacts import open_artifact
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.workspace import Workspace

Api = Callable[..., TestClient]
Body = Callable[..., dict[str, Any]]
Until = Callable[..., Any]
OVER = ("stopped", "failed", "finished")


def state(client: TestClient, name: str) -> Callable[[], Any]:
    return lambda: client.get(f"/v1/jobs/{name}").json()


def over(job: dict[str, Any]) -> bool:
    return job["status"] in OVER


def sse(client: TestClient, name: str, after: str = "") -> list[tuple[int, str, dict[str, Any]]]:
    """(id, event, data) of a stream, read to its end."""
    found = []
    with client.stream("GET", f"/v1/jobs/{name}/stream", headers={"Last-Event-ID": after} if after else {}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for block in "".join(answer.iter_text()).split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if fields:
                found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


@pytest.mark.spec("SV11", "a stage started over HTTP trains a real model in a process of its own, watched to its end")
def test_a_job_is_started_watched_and_finished(
    world: Workspace, api: Api, pretraining: Body, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGWRIGHT_STORE_KEY", "a secret of the server")
    client = api()
    answer = client.post("/v1/jobs", json=pretraining("base"))
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] in ("queued", "running") and answer.json()["by"] == "api"
    pid = until(lambda: world.find("base").pid, lambda pid: pid is not None)
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"OMP_NUM_THREADS=" in environment and b"LANGWRIGHT_STORE_KEY" not in environment
    events = sse(client, "base")
    kinds = [kind for _, kind, _ in events]
    assert kinds[0] == "started" and kinds[-2:] == ["finished", "end"]
    assert events[0][2]["pid"] == pid
    assert [data["step"] for _, kind, data in events if kind == "stepped"] == list(range(1, 13))
    numbers = [number for number, _, _ in events]
    assert numbers == sorted(numbers) and numbers[0] == 1
    last = events[-1][2]
    assert (last["status"], last["step"], last["exit_code"]) == ("finished", 12, 0)
    artifact = open_artifact(world.runs_folder / "base", "model")
    assert artifact.card is not None and artifact.card.command[:2] == ("langwright", "pretrain")
    assert [origin.path for origin in artifact.card.inputs] == ["runs/text", "runs/tokens"]

    again = sse(client, "base", after=str(numbers[3]))
    assert again == events[4:]
    assert client.get("/v1/jobs/base/stream", headers={"Last-Event-ID": str(numbers[-1])}).status_code == 204

    page = client.get("/v1/jobs/base/events", params={"limit": 5}).json()
    assert page["last"] == 5 and not page["ended"] and [one["line"] for one in page["data"]] == [1, 2, 3, 4, 5]
    rest = client.get("/v1/jobs/base/events", params={"after": 5}).json()
    assert rest["ended"] and [one["event"] for one in rest["data"]][-1]["event"] == "finished"
    curves = {one["name"]: one for one in client.get("/v1/jobs/base/curves", params={"points": 6}).json()["data"]}
    assert curves["loss"]["of"] == 12 and curves["loss"]["steps"][0] == 1 and curves["loss"]["steps"][-1] == 12
    assert len(curves["loss"]["values"]) <= 6
    assert client.post("/v1/jobs/base/cancel").status_code == 409
    assert client.post("/v1/jobs", json=pretraining("base")).status_code == 409


def test_a_cancelled_job_resumes_to_the_same_bits(world: Workspace, api: Api, pretraining: Body, until: Until) -> None:
    client = api()
    settings = {"steps": 60, "evaluate_every_share": 1.0}
    client.post("/v1/jobs", json=pretraining("halted", **settings))
    until(state(client, "halted"), lambda job: (job["step"] or 0) >= 3)
    stopping = client.post("/v1/jobs/halted/cancel")
    assert stopping.status_code == 202 and stopping.json()["status"] in ("stopping", "stopped")
    job = until(state(client, "halted"), over)
    assert (job["status"], job["exit_code"], job["why"]) == ("stopped", 130, None)
    assert 3 <= job["step"] == job["saved"] < 60
    assert client.post("/v1/jobs/halted/cancel").status_code == 409
    assert client.post("/v1/jobs", json=pretraining("halted", **settings)).status_code == 409

    refused = client.post("/v1/jobs/halted/resume", json={"settings": {"batch_rows": 4}})
    assert refused.status_code == 400 and "batch_rows" in refused.json()["error"]["problem"]
    assert client.post("/v1/jobs/halted/resume", json={}).status_code == 202
    kinds = [kind for _, kind, _ in sse(client, "halted")]
    assert "resumed" in kinds and kinds[-1] == "end"
    assert state(client, "halted")()["attempt"] == 2

    sets = [f"{key}={json.dumps(value)}" for key, value in pretraining("", **settings)["settings"].items()]
    inputs = {"dataset": [world.runs_folder / "text"], "tokenizer": [world.runs_folder / "tokens"]}
    stage = STAGES["pretrain"]
    whole = execute(
        stage, inputs, world.runs_folder / "whole", read_settings(stage.settings, sets=sets), workspace=world
    )
    assert open_artifact(world.runs_folder / "halted").digest == whole.digest


def test_one_at_a_time_and_the_cores_are_said(world: Workspace, api: Api, pretraining: Body, until: Until) -> None:
    client = api()
    for name in ("first", "second", "third"):
        assert client.post("/v1/jobs", json=pretraining(name, steps=100_000)).status_code == 202
    found = until(lambda: client.get("/v1/jobs").json(), lambda jobs: jobs["cores"]["running"] == 1)
    jobs = {job["name"]: job for job in found["data"]}
    assert [jobs[name]["place"] for name in ("second", "third")] == [1, 2]
    assert jobs["second"]["status"] == jobs["third"]["status"] == "queued"
    other = api()  # another server on the same workspace
    assert other.get("/v1/jobs").json()["cores"]["running"] == 1
    assert [job["place"] for job in other.get("/v1/jobs").json()["data"]][:2] == [1, 2]
    assert found["cores"]["jobs"] == 1 and found["cores"]["job_threads"] >= 1
    assert client.post("/v1/jobs", json=pretraining("second")).status_code == 409  # it waits already
    assert client.post("/v1/jobs/second/cancel").json()["status"] == "stopped"
    assert jobs["text"]["by"] == "person"  # not made by way of the server
    used = client.delete("/v1/jobs/text", params={"confirm": "text"})
    assert used.status_code == 409 and "first" in used.json()["error"]["problem"]
    assert client.post("/v1/jobs/first/cancel").status_code == 202
    until(state(client, "first"), over)
    until(state(client, "third"), lambda job: job["status"] == "running")
    assert client.delete("/v1/jobs/third", params={"confirm": "third"}).status_code == 409
    assert client.delete("/v1/jobs/second", params={"confirm": "Second"}).status_code == 422
    assert client.delete("/v1/jobs/second", params={"confirm": "second"}).json() == {"name": "second", "deleted": True}
    assert not (world.runs_folder / "second.partial").exists()
    client.post("/v1/jobs/third/cancel")
    until(state(client, "third"), over)


def test_a_job_that_dies_says_why(world: Workspace, api: Api, pretraining: Body, until: Until) -> None:
    client = api()
    client.post("/v1/jobs", json=pretraining("killed", steps=100_000))
    until(state(client, "killed"), lambda job: job["saved"])
    pid = Workspace(world.folder).find("killed").pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    job = until(state(client, "killed"), over)
    assert (job["status"], job["exit_code"]) == ("failed", -9)
    assert "SIGKILL" in job["why"]["problem"] and "memory" in job["why"]["problem"]
    chinese = client.get("/v1/jobs/killed", headers={"Accept-Language": "zh"}).json()["why"]
    assert "内存" in chinese["problem"]

    body = pretraining("diverged", learning_rate=1e30, steps=50)
    client.post("/v1/jobs", json=body)
    job = until(state(client, "diverged"), over)
    assert job["status"] == "failed" and job["why"]["problem"] and job["exit_code"] not in (0, None)
    assert job["output"]


def test_one_that_does_not_stop_is_ended(world: Workspace, api: Api, pretraining: Body, until: Until) -> None:
    client = api(job_stop_s=0.5)
    client.post("/v1/jobs", json=pretraining("deaf", steps=100_000))
    until(state(client, "deaf"), lambda job: job["saved"])
    pid = Workspace(world.folder).find("deaf").pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    client.post("/v1/jobs/deaf/cancel")
    job = until(state(client, "deaf"), over)
    assert job["status"] == "stopped" and "did not stop within" in job["why"]["problem"]
    assert job["saved"]


@pytest.mark.parametrize(
    ("change", "status", "param", "words"),
    [
        ({"stage": "pretrian"}, 422, "stage", "did you mean 'pretrain'"),
        ({"name": "../out"}, 422, "name", "cannot be the name"),
        ({"name": "/etc/passwd"}, 422, "name", "cannot be the name"),
        ({"name": ".hidden"}, 422, "name", "cannot be the name"),
        ({"name": "a.partial"}, 422, "name", "cannot be the name"),
        ({"name": "a\u0000b"}, 422, "name", "cannot be the name"),
        ({"name": "-x"}, 422, "name", "cannot be the name"),
        ({"name": ""}, 422, "name", "cannot be the name"),
        ({"name": "长" * 50}, 422, "name", "cannot be the name"),
        ({"inputs": {"dataset": ["../text"], "tokenizer": ["tokens"]}}, 404, "inputs.dataset", "no run called"),
        ({"inputs": {"dataset": ["/etc"], "tokenizer": ["tokens"]}}, 404, "inputs.dataset", "no run called"),
        ({"inputs": {"dataset": ["hf:a/b"], "tokenizer": ["tokens"]}}, 404, "inputs.dataset", "no run called"),
        ({"inputs": {"dataset": ["txt"], "tokenizer": ["tokens"]}}, 404, "inputs.dataset", "did you mean 'text'"),
        ({"inputs": {"dataset": ["tokens"], "tokenizer": ["tokens"]}}, 400, None, "is a tokenizer"),
        ({"inputs": {"dataset": ["text"]}}, 400, None, "was given no tokenizer"),
        ({"inputs": {"data": ["text"]}}, 422, "inputs.data", "did you mean 'dataset'"),
        ({"inputs": ["text"]}, 422, "inputs", "is not allowed"),
        ({"settings": {"stepps": 3}}, 422, "settings.stepps", "did you mean 'steps'"),
        ({"settings": {"steps": "three"}}, 422, "settings.steps", "steps"),
        ({"settings": {"steps": -1}}, 422, "settings.steps", "steps"),
        ({"on": "processes:99"}, 422, "on", "at most 16"),
        ({"recipe": "x"}, 422, "recipe", "no field called"),
    ],
)  # fmt: skip
def test_bad_bodies(
    world: Workspace, api: Api, pretraining: Body, change: dict[str, Any], status: int, param: str | None, words: str
) -> None:
    before = sorted(path.name for path in world.runs_folder.iterdir())
    answer = api().post("/v1/jobs", json={**pretraining("base"), **change})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, param), error
    assert words in error["message"]
    assert sorted(path.name for path in world.runs_folder.iterdir()) == before


@pytest.mark.parametrize("name", ["nobody", "../world", "..%2f..%2fetc", "a/b/c/d", "text.partial", "%00", "x" * 300])
@pytest.mark.parametrize("path", ["", "/events", "/stream", "/curves"])
def test_names_that_lead_nowhere(api: Api, name: str, path: str) -> None:
    answer = api().get(f"/v1/jobs/{name}{path}")
    assert answer.status_code == 404, answer.text


def test_runs_of_a_person_are_there_and_can_be_gone_on_with(
    world: Workspace, api: Api, pretraining: Body, until: Until
) -> None:
    import subprocess
    import sys

    client = api()
    sets = [w for k, v in pretraining("", steps=90)["settings"].items() for w in ("--set", f"{k}={json.dumps(v)}")]
    words = ["pretrain", "runs/text", "runs/tokens", "runs/mine", *sets]
    with subprocess.Popen(
        [sys.executable, "-m", "langwright.cli.main", *words],
        cwd=world.folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        job = until(
            lambda: next((j for j in client.get("/v1/jobs").json()["data"] if j["name"] == "mine"), None),
            lambda job: job is not None and (job["step"] or 0) >= 3,
        )
        assert (job["by"], job["status"]) == ("person", "running")
        assert client.get("/v1/jobs").json()["cores"]["running"] == 1
        assert client.post("/v1/jobs/mine/cancel").status_code == 202
        process.communicate(timeout=60)
    assert state(client, "mine")()["status"] == "stopped"
    assert client.post("/v1/jobs/mine/resume", json={}).status_code == 202
    job = until(state(client, "mine"), over)
    assert (job["status"], job["step"]) == ("finished", 90), job
    events = [one["event"]["event"] for one in client.get("/v1/jobs/mine/events").json()["data"]]
    assert "resumed" in events


def test_bad_queries(api: Api) -> None:
    client = api()
    for path, param in (
        ("/v1/jobs?x=1", "x"), ("/v1/jobs/text/events?after=-1", "after"), ("/v1/jobs/text/events?after=a", "after"),
        ("/v1/jobs/text/events?after=1&after=2", "after"), ("/v1/jobs/text/curves?points=1", "points"),
    ):  # fmt: skip
        answer = client.get(path)
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, param), path
    assert client.post("/v1/jobs/text/cancel", json={"force": True}).status_code == 422
    answer = client.get("/v1/jobs/text/stream", headers={"Last-Event-ID": "seven"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "Last-Event-ID")


def test_a_file_begun_anew_is_told(world: Workspace, tmp_path: Path) -> None:
    from langwright.serving.jobs.watching import Tail

    out = tmp_path / "runs/base"
    file = tmp_path / "runs/base.partial/run/events.jsonl"
    file.parent.mkdir(parents=True)
    line = b'{"event":"started","time":1.0,"stage":"s","pid":1}\n'
    file.write_bytes(line * 3 + b'{"event":"st')
    tail = Tail(out)
    assert tail.skip(2) and [one.line for one in tail.read()[1]] == [3]
    assert tail.read() == (False, [])  # the torn line is not one yet
    file.unlink()
    file.write_bytes(line)
    anew, events = tail.read()
    assert anew and [one.line for one in events] == [1]
    assert not Tail(out).skip(9)


def test_what_is_not_finite_can_be_sent(world: Workspace, api: Api) -> None:
    stepped = {
        "event": "stepped", "time": 1.0, "step": 1, "steps": 9, "loss": "NaN", "metrics": {"x": "Infinity"}, "learning_rate": 1,
        "gradient_norm": "NaN", "units": 1, "tokens": 1, "useful": 1, "tokens_per_second": 1, "seconds": 1,
    }  # fmt: skip
    run = world.runs_folder / "odd.partial/run"
    run.mkdir(parents=True)
    (run / "request.json").write_text(
        '{"stage": "pretrain", "stage_version": 1, "inputs": [], "settings": {}, "command": []}'
    )
    (run / "events.jsonl").write_text(
        json.dumps(stepped) + "\n" + json.dumps({**stepped, "step": 2, "loss": 3.0}) + "\n"
    )
    client = api()
    assert client.get("/v1/jobs/odd").json()["metrics"] == {"loss": 3.0, "x": None, "tokens_per_second": 1.0}
    assert client.get("/v1/jobs/odd/events").json()["data"][0]["event"]["loss"] == "NaN"
    assert sse(client, "odd")[0][2]["loss"] == "NaN"
    curves = {one["name"]: one["values"] for one in client.get("/v1/jobs/odd/curves").json()["data"]}
    assert curves["loss"] == [None, 3.0] and curves["x"] == [None, None]


@pytest.mark.parametrize("points", [4, 10, 101])
def test_thinned_curves_keep_peaks_and_breaks(points: int) -> None:
    from langwright.serving.jobs.watching import thinned

    values = [float(n % 7) for n in range(1000)]
    values[333], values[777], values[500] = 100.0, -100.0, float("nan")
    kept = thinned(values, points)
    assert len(kept) <= points and kept == sorted(set(kept)) and {0, 999} <= set(kept)
    assert points < 10 or {333, 777, 500} <= set(kept)
