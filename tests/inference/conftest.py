"""Small models, engines that are closed whatever happens, and gates that are taken away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.inference.tiny import GPT2, LLAMA, Gate, random_model
from transformers import PreTrainedModel

from langwright.inference.engine import TorchEngine


@pytest.fixture(scope="session")
def llama() -> PreTrainedModel:
    return random_model(LLAMA)


@pytest.fixture(scope="session")
def gpt2() -> PreTrainedModel:
    return random_model(GPT2)


@pytest.fixture(params=["llama", "gpt2"])
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    return request.getfixturevalue(request.param)


@pytest.fixture
def engine_of() -> Iterator[Callable[..., TorchEngine]]:
    """`engine_of(model, max_batch=2)`; closed at the end, and its thread must be gone then."""
    made: list[TorchEngine] = []
    before = set(threading.enumerate())  # of engines that others share

    def make(model: PreTrainedModel, **options: Any) -> TorchEngine:
        made.append(TorchEngine(model, **options))
        return made[-1]

    yield make
    for engine in made:
        engine.close()
    deadline = time.monotonic() + 60
    while any(thread.name == "langwright-engine" for thread in set(threading.enumerate()) - before):
        assert time.monotonic() < deadline, "an engine's thread outlived its engine"
        time.sleep(0.01)


@pytest.fixture
def gate_of() -> Iterator[Callable[[PreTrainedModel], Gate]]:
    """`gate_of(model)`; taken away at the end."""
    made: list[Gate] = []

    def make(model: PreTrainedModel) -> Gate:
        made.append(Gate(model))
        return made[-1]

    yield make
    for gate in made:
        gate.remove()
