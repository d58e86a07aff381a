"""Alive is not ready: ready means that every engine makes tokens."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.inference.tiny import LLAMA, random_model

from langwright.inference.engine import TorchEngine
from langwright.inference.fake import Parrot, letters, parrot
from langwright.inference.protocol import Request
from langwright.inference.running.streams import EngineDied
from langwright.inference.texts.text import TextModel
from langwright.serving.app import build_app
from langwright.serving.settings import ServingSettings


def client_of(*models: TextModel, **settings: Any) -> TestClient:
    app = build_app({model.name: model for model in models}, settings=ServingSettings(**settings))
    return TestClient(app, base_url="http://localhost")


def test_alive_and_ready() -> None:
    with client_of(parrot("a"), parrot("b")) as client:
        assert client.get("/health/live").json() == {"status": "alive"}
        answer = client.get("/health/ready")
        assert answer.status_code == 200
        assert answer.json() == {"status": "ready", "models": {"a": "ready", "b": "ready"}}


def test_a_broken_engine_is_alive_and_not_ready() -> None:
    class Broken(Parrot):
        def submit(self, request: Request) -> Any:
            raise RuntimeError("the engine is closed")

    with client_of(parrot("a"), TextModel(Broken(), letters(), "b")) as client:
        assert client.get("/health/live").status_code == 200
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json() == {"status": "not ready", "models": {"a": "ready", "b": "broken"}}


@pytest.mark.spec("C8", "an engine whose thread has died is not ready from that moment on")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_readiness_goes_at_once_when_the_engines_thread_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TorchEngine(random_model(LLAMA))
    with client_of(TextModel(engine, letters(), "m")) as client:
        assert client.post("/generate", json={"text": "a"}).status_code == 200  # wrote just now, so it is not asked
        assert client.get("/health/ready").status_code == 200

        def struck(*_: object) -> None:
            raise MemoryError("the lightning struck")

        monkeypatch.setattr(engine._worker, "_turn", struck)
        with pytest.raises(EngineDied):
            list(engine.submit(Request([1])))
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json() == {"status": "not ready", "models": {"m": "broken"}}
        assert client.get("/health/live").status_code == 200


def test_an_engine_that_hangs_is_asked_once() -> None:
    asked = []
    release = threading.Event()

    class Hanging(Parrot):
        def submit(self, request: Request) -> Any:
            asked.append(request)
            release.wait(20)
            return super().submit(request)

    with client_of(TextModel(Hanging(), letters(), "m"), ready_s=0.1) as client:
        for _ in range(3):
            answer = client.get("/health/ready")
            assert answer.status_code == 503 and answer.json()["models"] == {"m": "slow"}
        assert len(asked) == 1
        release.set()


def test_an_engine_that_just_wrote_is_not_asked() -> None:
    asked = []

    class Counting(Parrot):
        def submit(self, request: Request) -> Any:
            asked.append(request)
            return super().submit(request)

    with client_of(TextModel(Counting(), letters(), "m")) as client:
        client.post("/generate", json={"text": "a"})
        assert client.get("/health/ready").status_code == 200
        assert len(asked) == 1


def test_not_ready_while_stopping() -> None:
    with client_of(parrot("m")) as client:
        client.app.state.desk.cancel_all()  # type: ignore[attr-defined]
        assert client.get("/health/ready").json() == {"status": "not ready", "models": {"m": "stopping"}}
        answer = client.post("/generate", json={"text": "a"})
        assert answer.status_code == 503 and answer.headers["retry-after"] == "1"
