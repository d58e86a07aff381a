"""A client of an application over a parrot, real servers on free ports, and a workspace with data to train on."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from starlette.testclient import TestClient

from langwright.inference.fake import Parrot, ParrotStream, letters, parrot
from langwright.inference.protocol import Request
from langwright.inference.texts.text import TextModel
from langwright.jobrecord import read_process
from langwright.serving.app import build_app
from langwright.serving.running import Server, listen, server_for, url_of
from langwright.serving.settings import ServingSettings
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.workspace import Workspace

DEFAULT_TIMEOUT_CONFIG.read = 60.0  # a call without a limit of its own does not fail where others keep the machine busy

SENTENCES = (
    "The river bends twice before it reaches the old bridge.", "A train leaves the station at seven.",
    "春天来了，河边的柳树发芽了。", "夏天的雨下得很急，屋檐下的水滴成了一条线。",
)  # fmt: skip
TINY = {
    "preset": "tiny", "length": 32, "batch_rows": 8, "steps": 12, "dtype": "float32", "device": "cpu", "compile": "off",
}  # fmt: skip


class Watched(Parrot):
    """A parrot that keeps its streams in sight."""

    def __init__(self, token_s: float = 0.0) -> None:
        super().__init__(token_s=token_s)
        self.streams: list[ParrotStream] = []

    def submit(self, request: Request) -> ParrotStream:
        self.streams.append(super().submit(request))
        return self.streams[-1]


@pytest.fixture
def watched() -> Callable[..., tuple[Watched, TextModel]]:
    """`watched(token_s=…)` is an engine that keeps its streams in sight, and a model over it, called parrot."""

    def make(token_s: float = 0.0) -> tuple[Watched, TextModel]:
        engine = Watched(token_s)
        return engine, TextModel(engine, letters(), "parrot")

    return make


@pytest.fixture(autouse=True)
def nowhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that are told of no workspace have an empty one."""
    monkeypatch.chdir(tmp_path_factory.mktemp("nowhere"))


@dataclass
class Running:
    """A server in a thread."""

    url: str
    server: Server
    thread: threading.Thread

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive(), "the server did not stop"


@pytest.fixture
def client() -> Iterator[TestClient]:
    """An application over a parrot; errors of ours are answers, not exceptions."""
    app = build_app({"parrot": parrot()})
    with TestClient(app, base_url="http://localhost:8000", raise_server_exceptions=False) as client:
        yield client
        assert app.state.desk.taken == 0, "a place was not given back"


@pytest.fixture
def serving() -> Iterator[Callable[..., Running]]:
    """`serving(model, …settings)` is a running server of that model."""
    started: list[Running] = []

    def start(*models: TextModel, **settings: object) -> Running:
        listener = listen("127.0.0.1", 0)
        up = threading.Event()
        server = server_for(
            {model.name: model for model in models},
            "127.0.0.1",
            listener,
            settings=ServingSettings.model_validate(settings),
            ready=lambda url: up.set(),
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        assert up.wait(20), "the server did not start"
        started.append(Running(url_of("127.0.0.1", listener), server, thread))
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture(scope="module")
def noise() -> Iterator[TextModel]:
    """A tiny Llama with random weights over the 256 bytes: nonsense, but every token is drawn."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from langwright.inference.engine import TorchEngine

    torch.manual_seed(0)
    tokenizer = letters()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=128, eos_token_id=None, bos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    engine = TorchEngine(LlamaForCausalLM(config), max_batch=4)
    yield TextModel(engine, tokenizer, "noise")
    engine.close()


# --- a workspace -----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def prepared_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs/text and runs/tokens."""
    folder = tmp_path_factory.mktemp("prepared")
    numbers = random.Random(0)
    rows = [
        json.dumps({"text": " ".join(numbers.choices(SENTENCES, k=4)) + f" {n}"}, ensure_ascii=False) for n in range(80)
    ]
    (folder / "text.jsonl").write_text("\n".join(rows))
    space = Workspace(folder)
    for stage, inputs, out, sets in (
        ("data-read", {"source": [folder / "text.jsonl"]}, "text", ()),
        ("tokenizer-train", {"dataset": [folder / "runs/text"]}, "tokens", ("vocab_size=300",)),
    ):
        execute(
            STAGES[stage],
            inputs,
            folder / "runs" / out,
            read_settings(STAGES[stage].settings, sets=sets),
            workspace=space,
        )
    return folder


@pytest.fixture
def world(prepared_world: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of it; what is still at work there at the end is ended."""
    folder = tmp_path / "world"
    shutil.copytree(prepared_world, folder)
    yield Workspace(folder)
    for file in folder.glob("runs/*/run/process.json"):
        process = read_process(file.parent.parent)
        if process is not None and process.ended is None:
            with suppress(ProcessLookupError):
                os.killpg(process.group, signal.SIGKILL)


@pytest.fixture
def api(world: Workspace) -> Iterator[Callable[..., TestClient]]:
    """`api(…settings)` is a client of an application over the workspace."""
    opened: list[TestClient] = []

    def open_one(**settings: Any) -> TestClient:
        app = build_app({"parrot": parrot()}, settings=ServingSettings(**settings), workspace=world)
        client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
        client.__enter__()
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def pretraining() -> Callable[..., dict[str, Any]]:
    """`pretraining(name, …settings)` is the body that trains a tiny model."""

    def body(name: str, **settings: Any) -> dict[str, Any]:
        inputs = {"dataset": ["text"], "tokenizer": ["tokens"]}
        return {"stage": "pretrain", "name": name, "inputs": inputs, "settings": {**TINY, **settings}}

    return body


@pytest.fixture
def until() -> Callable[..., Any]:
    """`until(ask, holds)` asks again and again until what is found holds, and gives it."""

    def wait(ask: Callable[[], Any], holds: Callable[[Any], bool], within_s: float = 120.0) -> Any:
        deadline = time.monotonic() + within_s
        while not holds(found := ask()):
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return found

    return wait
