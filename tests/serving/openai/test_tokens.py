"""Texts and conversations as tokens, and back."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from langwright.data.schemas import Message
from langwright.inference.fake import letters
from langwright.tokenizers.templates import render

TEXT = "你好 🌍\n<|im_end|>"


def post(client: TestClient, path: str, **fields: Any) -> Any:
    return client.post(f"/v1/{path}", json={"model": "parrot", **fields})


def test_a_text_and_back(client: TestClient) -> None:
    body = post(client, "tokenize", prompt="你好 🌍", return_token_strs=True).json()
    assert body["tokens"] == list(letters()("你好 🌍")["input_ids"]) and body["count"] == 11 == len(body["token_strs"])
    assert body["max_model_len"] == 1024
    assert post(client, "detokenize", tokens=body["tokens"]).json() == {"prompt": "你好 🌍"}
    assert post(client, "detokenize", tokens=[]).json() == {"prompt": ""}
    assert "token_strs" not in post(client, "tokenize", prompt="a").json()
    assert post(client, "tokenize", prompt="").json()["count"] == 0


def test_a_conversation_is_what_the_chat_route_reads(client: TestClient) -> None:
    messages = [{"role": "user", "content": TEXT}]
    body = post(client, "tokenize", messages=messages).json()
    assert body["tokens"] == render(letters(), [Message(role="user", content=TEXT)])
    used = client.post("/v1/chat/completions", json={"model": "parrot", "messages": messages, "max_tokens": 1}).json()
    assert used["usage"]["prompt_tokens"] == body["count"]
    tools = [{"type": "function", "function": {"name": "weather"}}]
    told = post(client, "tokenize", messages=messages, tools=tools).json()
    assert '"name": "weather"' in post(client, "detokenize", tokens=told["tokens"]).json()["prompt"]


@pytest.mark.parametrize(
    ("path", "fields", "status", "param"),
    [
        ("tokenize", {}, 422, "prompt"),
        ("tokenize", {"prompt": "a", "messages": [{"role": "user", "content": "a"}]}, 422, "prompt"),
        ("tokenize", {"prompt": "a", "tools": [{"type": "function", "function": {"name": "f"}}]}, 422, "tools"),
        ("tokenize", {"prompt": "a", "add_generation_prompt": True}, 422, "add_generation_prompt"),
        ("tokenize", {"messages": []}, 422, "messages"),
        ("tokenize", {"messages": [{"role": "tool", "content": "x"}]}, 422, "messages.0.tool_call_id"),
        ("detokenize", {"tokens": [-1]}, 422, "tokens.0"),
        ("detokenize", {"tokens": [100_000]}, 400, "tokens"),
        ("detokenize", {"tokens": [2**40]}, 422, "tokens.0"),
        ("detokenize", {"tokens": "a"}, 422, "tokens"),
    ],
)  # fmt: skip
def test_what_is_refused(client: TestClient, path: str, fields: dict[str, Any], status: int, param: str) -> None:
    answer = post(client, path, **fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), answer.text
    assert post(client, path, model="none", prompt="a", tokens=[1]).status_code in (404, 422)
