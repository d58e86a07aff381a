"""A client of an application over a parrot, and real servers on free ports."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from starlette.testclient import TestClient

from langwright.inference.fake import Parrot, ParrotStream, letters, parrot
from langwright.inference.protocol import Request
from langwright.inference.texts.text import TextModel
from langwright.serving.app import build_app
from langwright.serving.running import Server, listen, server_for, url_of
from langwright.serving.settings import ServingSettings


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
