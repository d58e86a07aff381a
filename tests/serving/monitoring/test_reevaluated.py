"""A real evaluation by a real job, held against a real gate, on a server that goes on answering."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from tests.serving.monitoring.test_exchanging import write_model

from langwright.artifacts import Card, record_files
from langwright.serving.app import build_app
from langwright.serving.monitoring.settings import MonitoringSettings
from langwright.serving.settings import ServingSettings
from langwright.tasks.front.loading import load
from langwright.workspace import Workspace

FILES = {
    "gate.toml": '[[threshold]]\nmeasure = "bits per byte"\nat_most = 0.001\n',
    "checks.toml": '[[check]]\nmodel = "one"\ndataset = "text"\ngate = "gate.toml"\nsettings = {split = "train", limit = 4}\n',
    "alerts.toml": 'every_s = 0.2\n[[rule]]\nname = "bad"\non = {kind = "failing"}\nfor_s = 0\n',
}


def app_of(world: Workspace, run: str, settings: MonitoringSettings) -> FastAPI:
    """A server that calls a run `one`."""
    model = load(world.runs_folder / run)
    model.name = model.local("serve").name = "one"
    return build_app({"one": model}, settings=ServingSettings(monitoring=settings), workspace=world)


@pytest.mark.spec(
    "SV9", "a scheduled job measures a served model and its gate fails: it is marked, an alert fires, it is rolled back"
)
def test_marked_alerted_and_rolled_back(world: Workspace, tmp_path: Path, until: Callable[..., Any]) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    for seed, name in enumerate(("zero", "one")):
        folder = world.runs_folder / name
        write_model(folder, seed)
        card = Card(kind="model", stage="pretrain", files=record_files(folder))
        (folder / "card.json").write_text(card.model_dump_json())
    with TestClient(app_of(world, "zero", MonitoringSettings()), base_url="http://localhost") as client:
        until(lambda: client.get("/v1/served/one/versions"), lambda answer: answer.json()["data"])
    settings = MonitoringSettings(checks=str(tmp_path / "checks.toml"), alerts=str(tmp_path / "alerts.toml"))
    with TestClient(app_of(world, "one", settings), base_url="http://localhost") as client:

        def check() -> Any:
            return client.get("/v1/checks").json()["data"][0]

        found = until(check, lambda one: one["outcomes"] and not one["running"])
        outcome = found["outcomes"][0]
        assert not outcome["passed"] and not outcome["problem"], outcome
        assert any("bits per byte" in missed for missed in outcome["missed"])
        state = until(lambda: client.get("/v1/alerts").json()["data"][0], lambda alert: alert["state"] != "ok")
        assert (state["state"], state["value"]) == ("firing", 1.0)
        assert 'langwright_model_failing{model="one"} 1.0' in client.get("/metrics").text
        assert client.get(f"/v1/jobs/{outcome['report']}").json()["status"] == "finished"
        back = client.post("/v1/served/one/rollback", json={}).json()
        assert back["folder"] == "zero" and back["digest"] != outcome["digest"]
        assert not check()["failing"]
        until(lambda: client.get("/v1/alerts").json()["data"][0]["value"], lambda value: value == 0.0)
        assert client.post("/v1/completions", json={"model": "one", "prompt": "a", "max_tokens": 1}).status_code == 200
        assert client.post("/v1/checks/on", json={}).json()["error"]["fix"].startswith("did you mean 'one'")
