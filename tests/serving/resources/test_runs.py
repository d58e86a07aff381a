"""What was made, the difference of two, reports; stages and kinds of rows for forms."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import jsonschema
import pytest
from starlette.testclient import TestClient

from langwright.artifacts import DatasetFacts, Made, Request, making
from langwright.measures import Measure, write_report
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.workspace import Workspace

Api = Callable[..., TestClient]


def test_a_run_says_what_it_was_made_from(world: Workspace, api: Api) -> None:
    client = api()
    names = [run["name"] for run in client.get("/v1/runs").json()["data"]]
    assert names == ["text", "tokens"]
    assert [run["name"] for run in client.get("/v1/runs", params={"kind": "tokenizer"}).json()["data"]] == ["tokens"]
    assert [run["name"] for run in client.get("/v1/runs", params={"stage": "data-read"}).json()["data"]] == ["text"]
    assert client.get("/v1/runs", params={"kind": "poem"}).status_code == 422
    run = client.get("/v1/runs/tokens").json()
    assert run["stage"] == "tokenizer-train" and run["settings"]["vocab_size"] == 300
    assert run["inputs"][0]["role"] == "dataset" and run["inputs"][0]["inputs"][0]["kind"] == "source"
    assert run["digest"] and run["bytes"] == sum(run["files"].values()) > 0 and run["tokenizer"]["vocab_size"] == 300
    assert client.get("/v1/runs/nobody").status_code == 404


def test_the_difference_of_two_runs(world: Workspace, api: Api) -> None:
    stage = STAGES["tokenizer-train"]
    execute(
        stage, {"dataset": [world.runs_folder / "text"]}, world.runs_folder / "smaller",
        read_settings(stage.settings, sets=("vocab_size=280",)), workspace=world,
    )  # fmt: skip
    client = api()
    found = client.get("/v1/runs/tokens/diff", params={"to": "smaller"}).json()
    assert found["settings"] == [{"key": "vocab_size", "before": 300, "after": 280}] and found["inputs"] == []
    assert client.get("/v1/runs/tokens/diff", params={"to": "tokens"}).json()["settings"] == []
    assert client.get("/v1/runs/tokens/diff", params={"to": "nobody"}).status_code == 404
    assert client.get("/v1/runs/tokens/diff").json()["error"]["param"] == "to"


def test_reports_and_their_pages(world: Workspace, api: Api) -> None:
    request = Request(stage="evaluate", stage_version=1, inputs=(), settings={}, command=())
    with making(world.runs_folder / "measured", "report", request) as work:
        write_report(work.path / "report.json", (Measure(name="accuracy", value=0.5, unit="share", n=4),))
        (work.path / "report.html").write_text("<!doctype html><p>一半")
        work.finish(Made(dataset=DatasetFacts(schema_name="text", splits={}, bytes=0)))
    client = api()
    report = client.get("/v1/runs/measured/report").json()
    assert report["measures"][0]["name"] == "accuracy" and report["measures"][0]["value"] == 0.5
    page = client.get("/v1/runs/measured/page")
    assert page.text == "<!doctype html><p>一半" and page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert client.get("/v1/runs/text/report").status_code == client.get("/v1/runs/text/page").status_code == 404
    assert client.get("/v1/runs/measured").json()["pages"] == ["report.html"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_stages_say_all_that_a_form_needs(api: Api, language: str) -> None:
    client = api()
    stages = client.get("/v1/stages", headers={"Accept-Language": language}).json()["data"]
    assert [stage["name"] for stage in stages] == list(STAGES)
    for stage in stages:
        found = client.get(f"/v1/stages/{stage['name']}", headers={"Accept-Language": language}).json()
        jsonschema.Draft202012Validator.check_schema(found["settings_schema"])
        assert found["settings"] and all(one["key"] and one["help"] and one["allowed"] for one in found["settings"])
        assert (stage["summary"] == STAGES[stage["name"]].summary) == (language == "en")
    pretrain = client.get("/v1/stages/pretrain").json()
    assert [one["role"] for one in pretrain["inputs"]][:2] == ["dataset", "tokenizer"]
    jsonschema.validate({"steps": 3}, pretrain["settings_schema"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"steps": "three"}, pretrain["settings_schema"])
    assert client.get("/v1/stages/pretrian").status_code == 404


def test_kinds_of_rows(api: Api) -> None:
    found = {one["name"]: one["row_schema"] for one in api().get("/v1/schemas").json()["data"]}
    assert set(found["classification"]["properties"]) >= {"text", "label", "id"} and "chat" in found
    assert json.dumps(found)


def test_the_description_for_programs_is_whole(api: Api) -> None:
    described = api().get("/openapi.json").json()
    known = set(described["components"]["schemas"])
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(described)))
    assert named <= known, named - known
    assert {"JobRequest", "ResumeRequest", "LoadRequest", "JobDetails"} <= known
    assert "text/event-stream" in described["paths"]["/v1/jobs/{name}/stream"]["get"]["responses"]["200"]["content"]
