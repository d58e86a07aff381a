"""Models are loaded and unloaded while the server runs."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from starlette.testclient import TestClient
from transformers import LlamaConfig, LlamaForCausalLM

from langwright.artifacts import Card
from langwright.inference.engine import TorchEngine
from langwright.inference.fake import letters
from langwright.serving.app import build_app
from langwright.serving.settings import ServingSettings
from langwright.workspace import Workspace


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face folder of a tiny model."""
    folder = tmp_path_factory.mktemp("tiny") / "tiny"
    torch.manual_seed(0)
    tokenizer = letters()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=512, eos_token_id=None, bos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def space(tiny: Path, tmp_path: Path) -> Workspace:
    (tmp_path / "runs/tiny").mkdir(parents=True)
    for file in tiny.iterdir():
        (tmp_path / "runs/tiny" / file.name).write_bytes(file.read_bytes())
    run = tmp_path / "runs/tiny/run"
    run.mkdir()
    return Workspace(tmp_path)


def test_a_model_is_loaded_asked_and_unloaded(space: Workspace, watched: Callable[..., Any]) -> None:
    _, parrot = watched()
    with TestClient(build_app({"parrot": parrot}, workspace=space), base_url="http://localhost") as client:
        assert client.post("/v1/served", json={"name": "tyny"}).json()["error"]["fix"].startswith("did you mean 'tiny'")
        made = client.post("/v1/served", json={"name": "tiny"})
        assert made.status_code == 201, made.text
        found = made.json()
        assert found["tier"] == "packed" and found["weights"] > 1000 and len(found["digest"]) == 64
        assert found["context"] == 512
        assert client.post("/v1/served", json={"name": "tiny"}).status_code == 409
        asked = client.post(
            "/v1/completions", json={"model": "tiny", "prompt": "ab", "max_tokens": 4, "temperature": 0}
        )
        assert asked.status_code == 200 and asked.json()["usage"]["completion_tokens"] == 4
        assert client.get("/health/ready").json()["models"] == {"parrot": "ready", "tiny": "ready"}
        card = Card(kind="model", stage="pretrain").model_dump_json()
        (space.runs_folder / "tiny/card.json").write_text(card)  # so that it is a run of ours
        refused = client.delete("/v1/jobs/tiny", params={"confirm": "tiny"})
        assert refused.status_code == 409 and refused.json()["error"]["code"] == "is-served"
        listed = client.get("/v1/served").json()
        assert [one["name"] for one in listed["data"]] == ["parrot", "tiny"] and listed["memory"] > 0

        assert client.post("/v1/served/parrot/unload", json={}).json() == {
            "name": "parrot", "unloaded": True, "finished": 0, "ended": 0,
        }  # fmt: skip
        assert client.post("/v1/served/tiny/unload", json={}).status_code == 409  # the last one
        assert client.post("/v1/completions", json={"model": "parrot", "prompt": "a"}).status_code == 404
        assert client.get("/v1/served/parrot").status_code == 404
        assert client.get("/health/ready").json()["models"] == {"tiny": "ready"}
        assert client.get("/docs").status_code == 200


def stream(url: str, text: str, lines: list[str], begun: threading.Event) -> None:
    body = {"model": "slow", "prompt": text, "stream": True, "max_tokens": len(text)}
    with httpx.stream("POST", f"{url}/v1/completions", json=body, timeout=30) as answer:
        for line in answer.iter_lines():
            lines.append(line)
            begun.set()


@pytest.mark.parametrize(("wait_s", "finished", "ended"), [(20.0, 1, 0), (0.1, 0, 1)])
def test_streams_end_or_are_told(
    serving: Callable[..., Any], watched: Callable[..., Any], wait_s: float, finished: int, ended: int
) -> None:
    _, slow = watched(token_s=0.02)
    slow.name = "slow"
    _, other = watched()
    running = serving(slow, other)
    lines: list[str] = []
    begun = threading.Event()
    reader = threading.Thread(target=stream, args=(running.url, "x" * 60, lines, begun))
    reader.start()
    assert begun.wait(10)
    answer = httpx.post(f"{running.url}/v1/served/slow/unload", json={"wait_s": wait_s}, timeout=30)
    assert answer.json() == {"name": "slow", "unloaded": True, "finished": finished, "ended": ended}
    reader.join(10)
    last = [line for line in lines if line][-1]
    if finished:
        assert last == "data: [DONE]" and sum('"text":"x"' in line for line in lines) == 60
    else:
        assert json.loads(last.removeprefix("data: "))["error"]["code"] == "the-model-was-unloaded"
    assert httpx.post(f"{running.url}/v1/completions", json={"model": "slow", "prompt": "a"}).status_code == 404
    assert httpx.post(f"{running.url}/v1/completions", json={"model": "parrot", "prompt": "a"}).status_code == 200


@pytest.fixture
def engine(tiny: Path) -> Iterator[TorchEngine]:
    model = LlamaForCausalLM.from_pretrained(tiny)
    engine = TorchEngine(model, max_batch=2)
    yield engine
    engine.close()


def test_an_engine_computes_with_the_threads_it_is_told(engine: TorchEngine) -> None:
    def threads() -> int:
        from langwright.inference.running.worker import Job

        return int(engine._worker.do(Job(torch.get_num_threads)).result())

    before = threads()
    engine.compute_with(before + 1)
    assert threads() == before + 1
    engine.compute_with(before)
    assert threads() == before


def test_the_plan_takes_threads_from_the_engines_while_a_job_runs(engine: TorchEngine) -> None:
    from langwright.serving.jobs.cores import Sharing, Threads

    sharing = Sharing(cores=8, jobs=2)
    assert [sharing.plan(running).engine_threads for running in (0, 1, 2)] == [8, 6, 4]
    assert Sharing(cores=1).plan(1).engine_threads == Sharing(cores=1).plan(1).job_threads == 1
    assert Sharing(cores=4, job_threads=3).plan(1).engine_threads == 1
    told: list[int] = []

    class Listening:
        def compute_with(self, threads: int) -> None:
            told.append(threads)

    listening = Listening()
    threads = Threads(lambda: [listening, None], alone=8)
    for running in (0, 1, 1, 2, 0):
        threads.tell(sharing.plan(running).engine_threads)
    assert told == [6, 4, 8]
    late = Listening()  # a model that is loaded while jobs run is told too, and when they have ended
    threads = Threads(lambda: [late], alone=8)
    threads.tell(6)
    threads.tell(8)
    assert told == [6, 4, 8, 6, 8]


def test_heads_and_encoders_keep_to_the_plan(space: Workspace) -> None:
    """What they compute is computed by the threads beside the loop."""
    from langwright.serving.app import jobs_of
    from langwright.serving.streaming import in_thread

    before = asyncio.run(in_thread(torch.get_num_threads))
    jobs = jobs_of(space, ServingSettings(), {})
    for threads in (jobs.sharing.cores + 1, before):
        jobs._threads.tell(threads)
        assert asyncio.run(in_thread(torch.get_num_threads)) == threads


def test_adapters_by_name(space: Workspace, watched: Callable[..., Any]) -> None:
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(
        LlamaForCausalLM.from_pretrained(space.runs_folder / "tiny"),
        LoraConfig(target_modules=["o_proj", "down_proj"], r=2),
    )
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=3.0)
    model.save_pretrained(space.runs_folder / "tiny/adapters/law")
    _, parrot = watched()
    with TestClient(build_app({"parrot": parrot}, workspace=space), base_url="http://localhost") as client:
        assert client.post("/v1/served", json={"name": "tiny"}).status_code == 201
        missing = client.post("/v1/served/tiny/adapters", json={"adapter": "lav"})
        assert missing.status_code == 404 and "law" in missing.json()["error"]["fix"]
        assert client.post("/v1/served/tiny/adapters", json={"adapter": "../law"}).status_code == 404
        made = client.post("/v1/served/tiny/adapters", json={"adapter": "law"})
        assert made.status_code == 201 and made.json()["name"] == "tiny:law", made.text
        body = {"prompt": "ab", "max_tokens": 8, "temperature": 0}
        said = [
            client.post("/v1/completions", json={**body, "model": m}).json()["choices"][0]["text"]
            for m in ("tiny", "tiny:law")
        ]
        assert said[0] != said[1]
        assert client.get("/v1/served/tiny").json()["adapters"] == ["law"]
        assert client.post("/v1/served/parrot/adapters", json={"adapter": "law"}).status_code == 404
        assert client.post("/v1/served/tiny:law/unload", json={}).status_code == 200
        assert client.post("/v1/completions", json={**body, "model": "tiny"}).json()["choices"][0]["text"] == said[0]
        assert client.post("/v1/served/tiny/adapters", json={"adapter": "law"}).status_code == 201
        assert client.post("/v1/served/tiny/unload", json={}).status_code == 200
        assert [one["name"] for one in client.get("/v1/served").json()["data"]] == ["parrot"]
