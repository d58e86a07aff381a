"""A served name is given another model and goes back, on a server that answers meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from starlette.testclient import TestClient
from transformers import LlamaConfig, LlamaForCausalLM

from langwright.artifacts import Card, record_files
from langwright.inference.fake import letters
from langwright.serving.app import build_app
from langwright.tasks.front.loading import load
from langwright.workspace import Workspace


def write_model(folder: Path, seed: int) -> None:
    """A tiny model of random weights, as a run."""
    torch.manual_seed(seed)
    tokenizer = letters()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=128, eos_token_id=None, bos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("one", "two", "three")):
        write_model(folder / "runs" / name, seed)
        (folder / "runs" / name / "run").mkdir()
    return folder


@pytest.fixture
def space(runs: Path, tmp_path: Path) -> Workspace:
    import shutil

    shutil.copytree(runs / "runs", tmp_path / "runs")
    for name in ("one", "two", "three"):
        folder = tmp_path / "runs" / name
        card = Card(kind="model", stage="pretrain", files=record_files(folder))
        (folder / "card.json").write_text(card.model_dump_json())
    return Workspace(tmp_path)


def client_of(space: Workspace, name: str = "one") -> TestClient:
    model = load(space.runs_folder / name)
    model.name = "chat"
    model.local("serve").name = "chat"
    return TestClient(build_app({"chat": model}, workspace=space), base_url="http://localhost")


def text_of(client: TestClient) -> str:
    answer = client.post(
        "/v1/completions", json={"model": "chat", "prompt": "abc", "max_tokens": 12, "temperature": 0, "logprobs": 0}
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["logprobs"]["token_logprobs"])


def versions(client: TestClient) -> list[tuple[str, str, bool]]:
    found = client.get("/v1/served/chat/versions").json()["data"]
    return [(one["folder"], one["why"], one["present"]) for one in found]


@pytest.mark.spec(
    "SV9", "a served name is given another model and goes back to the very bits it served before, also after a restart"
)
def test_there_and_back(space: Workspace) -> None:
    with client_of(space) as client:
        first = text_of(client)
        assert versions(client) == [("one", "served", True)]
        assert client.post("/v1/served/chat/rollback", json={}).status_code == 409  # to nothing
        assert (
            client.post("/v1/served/chat/exchange", json={"run": "tow"})
            .json()["error"]["fix"]
            .startswith("did you mean 'two'")
        )
        done = client.post("/v1/served/chat/exchange", json={"run": "two"})
        assert done.status_code == 200 and done.json()["folder"] == "two", done.text
        second = text_of(client)
        assert second != first
        assert client.post("/v1/served/chat/exchange", json={"run": "three"}).status_code == 200
        third = text_of(client)
        assert client.post("/v1/served/chat/rollback", json={}).json()["folder"] == "two"
        assert text_of(client) == second
    with client_of(space, "three") as client:  # a restart with the third
        assert text_of(client) == third
        assert client.post("/v1/served/chat/rollback", json={}).json()["folder"] == "two"
        assert client.post("/v1/served/chat/rollback", json={}).json()["folder"] == "one"
        assert text_of(client) == first
        assert client.post("/v1/served/chat/rollback", json={}).status_code == 409
        assert [present for *_, present in versions(client)].count(True) == 1
        assert client.post("/v1/served/nobody/rollback", json={}).status_code == 404


def test_a_folder_that_was_changed_is_not_gone_back_to(space: Workspace) -> None:
    with client_of(space) as client:
        assert client.post("/v1/served/chat/exchange", json={"run": "two"}).status_code == 200
        present = text_of(client)
        weights = space.runs_folder / "one" / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
        answer = client.post("/v1/served/chat/rollback", json={})
        assert answer.status_code == 409 and answer.json()["error"]["code"] == "is-not-any-more-what-led-to-before"
        assert text_of(client) == present


def test_what_is_open_ends_with_the_old_model(
    space: Workspace, watched: Callable[..., Any], serving: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(space.folder)
    _, slow = watched(token_s=0.02)
    running = serving(slow)
    lines: list[str] = []
    begun = threading.Event()

    def read() -> None:
        body = {"model": "parrot", "prompt": "x" * 60, "stream": True, "max_tokens": 60}
        with httpx.stream("POST", f"{running.url}/v1/completions", json=body, timeout=30) as answer:
            for line in answer.iter_lines():
                lines.append(line)
                begun.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert begun.wait(10)
    answer = httpx.post(f"{running.url}/v1/served/parrot/exchange", json={"run": "one", "wait_s": 30}, timeout=60)
    assert answer.status_code == 200, answer.text
    reader.join(20)
    assert "data: [DONE]" in lines and sum('"text":"x"' in line for line in lines) == 60
    asked = httpx.post(
        f"{running.url}/v1/completions", json={"model": "parrot", "prompt": "x", "max_tokens": 2}, timeout=30
    )
    assert asked.status_code == 200 and asked.json()["choices"][0]["text"] != "x"
