"""Forms, lengths and words over HTTP, from a model of random weights."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient
from tests.inference.control.writers import writer

from langwright.serving.app import build_app
from langwright.tokenizers.templates import DEFAULT_TEMPLATE

SCHEMA = {
    "type": "object",
    "properties": {"城市": {"enum": ["北京", "上海"]}, "n": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["城市", "n"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with writer("letters") as model:
        assert model.tokenizer.chat_template == DEFAULT_TEMPLATE
        with TestClient(build_app({"random": model}), base_url="http://localhost") as client:
            yield client


def ask(client: TestClient, route: str = "chat/completions", **fields: object) -> dict[str, object]:
    body: dict[str, object] = {"model": "random", "seed": 1, "max_tokens": 150}
    body |= {"messages": [{"role": "user", "content": "你好"}]} if route.startswith("chat") else {"prompt": "a"}
    answer = client.post(f"/v1/{route}", json={**body, **fields})
    return {"status": answer.status_code, **answer.json()}


def test_json_of_a_schema_by_the_openai_client(client: TestClient) -> None:
    from openai import OpenAI

    openai = OpenAI(base_url="http://localhost/v1", api_key="none", http_client=client)  # the fixture closes the client
    made = openai.chat.completions.create(
        model="random",
        messages=[{"role": "user", "content": "where?"}],
        response_format={"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA, "strict": True}},
        max_tokens=150,
        n=3,
    )
    for choice in made.choices:
        assert choice.finish_reason == "stop"
        Draft202012Validator(SCHEMA).validate(json.loads(choice.message.content or ""))


def test_any_json_object_or_an_honest_cut(client: TestClient) -> None:
    answer = ask(client, response_format={"type": "json_object"}, n=8, temperature=1.0)
    choices = answer["choices"]
    assert isinstance(choices, list)
    whole = [choice["message"]["content"] for choice in choices if choice["finish_reason"] == "stop"]
    assert all(isinstance(json.loads(text), dict) for text in whole)
    cut = [choice for choice in choices if choice["finish_reason"] == "length"]
    assert len(cut) + len(whole) == 8


@pytest.mark.parametrize("route", ["completions", "chat/completions"])
def test_our_own_field(client: TestClient, route: str) -> None:
    def text(**fields: object) -> str:
        choice = ask(client, route, **fields)["choices"][0]  # type: ignore[index]
        return str(choice["text"] if "text" in choice else choice["message"]["content"])

    assert re.fullmatch("[0-9]{4}年", text(control={"regex": "[0-9]{4}年"}))
    assert text(control={"choices": ["好评", "差评"]}) in ("好评", "差评")
    assert len(re.findall(r"\S", text(control={"length": {"unit": "characters", "at_most": 12}}))) <= 12
    assert "moon" in text(control={"must": ["moon"]})


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"not": {}}}}}, 400, "not, which is not supported"),
        ({"response_format": {"type": "yaml"}}, 422, "response_format"),
        ({"response_format": {"type": "json_schema"}}, 422, "json_schema"),
        ({"response_format": {"type": "json_object"}, "control": {"regex": "a"}}, 400, "contradict"),
        ({"control": {"regex": "a", "choices": ["a"]}}, 400, "do not go together"),
        ({"control": {"regex": "("}}, 400, "cannot be used"),
        ({"control": {"regx": "a"}}, 422, "control.regx"),
        ({"control": {"regex": "a"}, "stop": "b"}, 400, "do not go together"),
        ({"control": {"length": {"at_least": 5, "at_most": 1}}}, 400, "contradicts"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused(client: TestClient, fields: dict[str, object], status: int, said: str) -> None:
    answer = ask(client, **fields)
    assert answer["status"] == status
    assert said in answer["error"]["message"], answer  # type: ignore[index]


def test_a_stream_keeps_to_its_form_too(client: TestClient) -> None:
    body = {"model": "random", "messages": [{"role": "user", "content": "a"}], "stream": True, "seed": 3}
    with client.stream("POST", "/v1/chat/completions", json={**body, "control": {"json_schema": SCHEMA}}) as answer:
        events = [line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: {")]
    text = "".join(json.loads(event)["choices"][0]["delta"].get("content") or "" for event in events)
    Draft202012Validator(SCHEMA).validate(json.loads(text))
