"""Samples to begin with, a preflight of a job, what cleaning dropped, a text as tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.testclient import TestClient

from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.workspace import Workspace

Api = Callable[..., TestClient]


def test_a_sample_is_taken_once_and_can_be_read(world: Workspace, api: Api) -> None:
    client = api()
    samples = client.get("/v1/samples").json()["data"]
    assert {one["name"] for one in samples} > {"conversations.en.jsonl", "conversations.zh.jsonl"}
    assert all(one["rows"] > 10 and not one["taken"] for one in samples)
    assert client.post("/v1/samples/conversations.zh.jsonl").status_code == 201
    assert client.post("/v1/samples/conversations.zh.jsonl").status_code == 201
    assert [one["name"] for one in client.get("/v1/samples").json()["data"] if one["taken"]] == [
        "conversations.zh.jsonl"
    ]
    preview = client.get("/v1/datasets/conversations.zh.jsonl/preview").json()
    assert preview["schema_name"] == "chat" and len(preview["rows"]) == 20
    refused = client.post("/v1/samples/conversation.zh.jsonl")
    assert refused.status_code == 404 and "conversations.zh.jsonl" in refused.json()["error"]["fix"]
    assert client.post("/v1/samples/LICENSE").status_code == 404


def test_what_cleaning_dropped(world: Workspace, api: Api) -> None:
    stage = STAGES["data-clean"]
    execute(
        stage, {"dataset": [world.runs_folder / "text"]}, world.runs_folder / "clean",
        read_settings(stage.settings, sets=("min_characters=110",)), workspace=world,
    )  # fmt: skip
    client = api()
    drops = client.get("/v1/runs/clean/drops").json()
    assert drops["rows"] == 80 and drops["kept"] + sum(drops["counts"].values()) == 80
    assert drops["counts"]["too short"] > 0 and all(int(one["value"]) < 110 for one in drops["examples"]["too short"])
    assert client.get("/v1/runs/text/drops").status_code == client.get("/v1/runs/nobody/drops").status_code == 404


def test_a_text_as_a_tokenizer_cuts_it(world: Workspace, api: Api) -> None:
    client = api()
    text = "The river, 春天"
    found = client.post("/v1/runs/tokens/tokens", json={"text": text}).json()
    assert bytes.fromhex("".join(piece["bytes"] for piece in found["pieces"])).decode() == text
    assert found["tokens"] == len(found["pieces"]) and found["bytes"] == len(text.encode())
    assert client.post("/v1/runs/text/tokens", json={"text": text}).status_code >= 400
    assert client.post("/v1/runs/tokens/tokens", json={"text": "x" * 20_001}).status_code == 422


def test_a_job_is_looked_at_and_nothing_is_made(
    world: Workspace, api: Api, pretraining: Callable[..., dict[str, Any]]
) -> None:
    client = api()
    found = client.post("/v1/preflight", json=pretraining("first")).json()
    assert found["refused"] is None and found["settings"]["steps"] == 12
    assert found["found"]["documents"] > 0 and found["found"]["supervised"] == 1.0 and found["found"]["sample"]
    assert found["command"].startswith("langwright pretrain runs/text runs/tokens runs/first")
    assert [run["name"] for run in client.get("/v1/runs").json()["data"]] == ["text", "tokens"]
    refused = client.post("/v1/preflight", json=pretraining("first", steps=-1))
    assert refused.status_code == 422 and refused.json()["error"]["param"] == "settings.steps"
