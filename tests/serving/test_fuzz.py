"""Whatever is sent, it is never the server that made the mistake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from starlette.testclient import TestClient

from langwright.inference.fake import parrot
from langwright.serving.access.guards import Audience, host_name
from langwright.serving.app import build_app
from langwright.serving.complaints import preferred
from langwright.serving.doing.tutorials import GenerateRequest
from langwright.serving.openai.bodies import CompletionRequest
from langwright.serving.openai.chat import ChatRequest

PATHS: dict[str, type[BaseModel]] = {
    "/v1/chat/completions": ChatRequest,
    "/v1/completions": CompletionRequest,
    "/generate": GenerateRequest,
}
CALM = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
numbers = st.integers() | st.floats() | st.sampled_from([0, 1, -1, 2**63, 2**64, 1e308, 1e-308])
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text() | st.text(alphabet="\ud800\udfff\x00\n�你"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "tool", 3]), "content": st.text(max_size=20) | values},
        optional={"name": values, "tool_calls": values, "refusal": values},
    ),
    max_size=3,
)


def requests(path: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with this path's fields and any values, with enough right ones to come past the door."""
    right = {
        "model": st.just("parrot") | values,
        "messages": messages | values,
        "prompt": st.text(max_size=20) | st.lists(st.text(max_size=5), max_size=3) | values,
        "text": st.text(max_size=20) | values,
        "stream": st.booleans() | values,
        "n": st.integers(1, 3) | values,
        "max_tokens": st.integers(0, 30) | values,
        "max_length": st.integers(1, 30) | values,
        "temperature": st.floats(0, 2) | values,
        "stop": st.text(min_size=1, max_size=3) | values,
        "logprobs": st.booleans() | st.integers(0, 5) | values,
        "echo": st.booleans() | values,
        "seed": st.integers(0, 2**53) | values,
    }
    needed = {
        "/v1/chat/completions": ["model", "messages"],
        "/v1/completions": ["model", "prompt"],
        "/generate": ["text"],
    }
    fields = {name: right.get(name, values) for name in PATHS[path].model_fields}
    required = {name: fields.pop(name) for name in needed[path]}
    some = st.dictionaries(st.sampled_from(sorted(fields)), st.none(), max_size=4).flatmap(
        lambda chosen: st.fixed_dictionaries({name: fields[name] for name in chosen})
    )
    return st.tuples(st.fixed_dictionaries(required), some).map(lambda both: both[0] | both[1])


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    app = build_app({"parrot": parrot()})
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client
        assert app.state.desk.taken == 0


def check(answer: Any) -> None:
    assert answer.status_code == 200 or 400 <= answer.status_code < 500, answer.text
    if answer.status_code != 200:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code", "params", "problem", "fix"}
    answer.content.decode()  # strictly UTF-8


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.spec("SV1", "any JSON, any bytes and any form get an answer or a 4xx, never a 500")
def test_any_fields(client: TestClient, path: str) -> None:
    @CALM
    @given(requests(path))
    def ask(body: dict[str, Any]) -> None:
        check(client.post(path, content=json.dumps(body).encode(), headers={"Content-Type": "application/json"}))

    ask()


@pytest.mark.parametrize("path", PATHS)
def test_any_json(client: TestClient, path: str) -> None:
    @CALM
    @given(values)
    def ask(body: Any) -> None:
        check(client.post(path, content=json.dumps(body).encode(), headers={"Content-Type": "application/json"}))

    ask()


@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_any_bytes(client: TestClient, kind: str) -> None:
    pieces = st.sampled_from(
        [b"--x", b"--", b"\r\n", b"Content-Disposition: form-data; ", b'name="text"', b"filename=a", b"text=", b"%e4", b"&",
         b"Content-Transfer-Encoding: base64", b"Content-Type: multipart/mixed; boundary=y", b"\xff", b'{"text":', b'"']
    )  # fmt: skip

    @CALM
    @given(st.binary(max_size=60) | st.lists(pieces | st.binary(max_size=4), max_size=14).map(b"".join))
    def ask(body: bytes) -> None:
        check(client.post("/generate", content=body, headers={"Content-Type": kind}))

    ask()


@CALM
@given(st.text())
def test_any_header(text: str) -> None:
    preferred(text)
    host_name(text)
    audience = Audience()
    if audience.addressed(text):
        assert host_name(text) in ("localhost", "127.0.0.1", "::1")
    if audience.welcomes(text, "localhost:8000"):
        assert text.lower().startswith(("http://localhost:8000", "https://localhost:8000"))
