"""Tasks over HTTP: the same answers as the front door gives, from the same declarations, and honest refusals."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from tests.tasks.tiny import write_labeller, write_writer

from langwright.serving.app import build_app
from langwright.serving.settings import ServingSettings
from langwright.tasks import TASKS
from langwright.tasks.front.loading import Model, load


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Model]]:
    root = tmp_path_factory.mktemp("models")
    opened = {"writer": load(write_writer(root / "writer")), "labeller": load(write_labeller(root / "labeller"))}
    yield opened
    for model in opened.values():
        model.close()


@pytest.fixture(scope="module")
def client(models: dict[str, Model]) -> Iterator[TestClient]:
    app = build_app(models, settings=ServingSettings(max_new_tokens=64))
    with TestClient(app, base_url="http://localhost") as client:
        yield client


@pytest.mark.spec("AP1", "a task is done over HTTP as in Python, by models of every kind, from one declaration")
def test_tasks_are_done_as_in_python(client: TestClient, models: dict[str, Model]) -> None:
    for name, fields in (("labeller", {}), ("writer", {"labels": ["sport", "news"]})):
        said = client.post("/v1/tasks/classification", json={"model": name, "input": {"text": "goal", **fields}})
        found = models[name].do("classification", "goal", **fields)
        read = TASKS["classification"].output.model_validate_json(said.content)
        assert said.status_code == 200 and (read.label, read.solver) == (found.label, found.solver)  # type: ignore[attr-defined]
        assert read.probabilities == pytest.approx(found.probabilities, abs=1e-5)  # type: ignore[attr-defined]
    alone = client.post("/v1/tasks/similarity", json={"model": "labeller", "input": {"text_a": "ab", "text_b": "ab"}})
    assert alone.json()["score"] == pytest.approx(1) and alone.json()["solver"] == "cosine"


def test_what_there_is(client: TestClient) -> None:
    listed = {task["name"]: task for task in client.get("/v1/tasks").json()["data"]}
    assert set(listed) == set(TASKS)
    assert listed["classification"]["models"] == {"writer": "likelihood", "labeller": "head"}
    assert "text" in listed["classification"]["input"]["properties"]
    zh = client.get("/v1/tasks", headers={"Accept-Language": "zh"}).json()["data"]
    assert {task["summary"] for task in zh}.isdisjoint(task["summary"] for task in listed.values())


@pytest.mark.parametrize(
    ("task", "body", "status", "code"),
    [
        ("clasification", {"input": {}}, 404, "no-called"),
        ("classification", {"model": "labeler", "input": {"text": "x"}}, 404, "no-called"),
        ("classification", {"input": {"text": "x"}}, 400, "several-models-can-do"),
        ("classification", {"model": "labeller", "input": {}}, 400, "lacks-its-field"),
        ("classification", {"model": "labeller", "input": {"text": 3}}, 400, "field-of-is-not-allowed"),
        ("classification", {"model": "labeller", "input": {"text": "x", "lables": []}}, 400, "no-called"),
        ("classification", {"model": "labeller"}, 422, "the-field-is-missing"),
        ("tagging", {"model": "labeller", "input": {"text": "x"}}, 400, "cannot-do-it-is-and-that-needs"),
        ("tagging", {"input": {"text": "x"}}, 400, "needs"),
        ("translation", {"model": "writer", "input": {"text": "x", "source_language": "en", "target_language": "zh",
                         "sampling": {"max_new_tokens": 65}}}, 400, "new-tokens-are-more-than-this-server-makes"),
    ],
)  # fmt: skip
def test_what_is_refused(client: TestClient, task: str, body: dict[str, object], status: int, code: str) -> None:
    said = client.post(f"/v1/tasks/{task}", json=body)
    assert (said.status_code, said.json()["error"]["code"]) == (status, code), said.text


def test_a_server_of_labels_alone(models: dict[str, Model]) -> None:
    with TestClient(build_app({"labeller": models["labeller"]}), base_url="http://localhost") as client:
        assert client.post("/v1/tasks/classification", json={"input": {"text": "goal"}}).status_code == 200
        said = client.post("/v1/completions", json={"model": "labeller", "prompt": "x"})
        assert said.status_code == 400 and said.json()["error"]["code"] == "cannot-do-it-is-and-that-needs"
        assert client.get("/docs").status_code == 200 and client.get("/health/ready").status_code == 200
