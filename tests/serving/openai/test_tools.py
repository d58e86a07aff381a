"""Tools over HTTP: who may be called, calls in answers, streamed and whole, and conversations with calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.inference.calling.templates import LLAMA, QWEN
from tests.inference.calling.test_forms import tokenizer
from tests.inference.control.writers import writer

from langwright.inference.calling.forms import TAGGED, Call
from langwright.inference.fake import Parrot
from langwright.inference.protocol import Request
from langwright.inference.texts.text import TextModel
from langwright.serving.app import build_app

PARAMETERS = {
    "type": "object", "properties": {"city": {"enum": ["北京", "Paris"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["city"], "additionalProperties": False,
}  # fmt: skip
TOOLS = [
    {"type": "function", "function": {"name": "weather", "description": "Tells the weather", "parameters": PARAMETERS}},
    {"type": "function", "function": {"name": "now"}},
]
HELLO = [{"role": "user", "content": "雨？"}]
CALLS = (Call("a" * 9, "weather", '{"city": "北京"}'), Call("b" * 9, "now", "{}"))
CALLED = {"id": "a" * 9, "type": "function", "function": {"name": "weather", "arguments": '{"city": "北京"}'}}
Says = Callable[..., TestClient]


@pytest.fixture
def says() -> Iterator[Says]:
    """`says(text)` is a client of a model that answers everything with a text; `client.seen` are the requests."""
    opened = []

    def make(text: str, template: str | None = QWEN) -> TestClient:
        made = tokenizer(template) if template else tokenizer(QWEN)
        seen: list[Request] = []

        class Script(Parrot):
            def submit(self, request: Request) -> Any:
                seen.append(request)
                return super().submit(request)

        engine = Script(reply=lambda prompt: list(made(text)["input_ids"]), context=4096)
        client = TestClient(build_app({"m": TextModel(engine, made, "m")}), base_url="http://localhost")
        client.seen, client.read = seen, made  # type: ignore[attr-defined]
        opened.append(client)
        return client.__enter__()

    yield make
    for client in opened:
        client.__exit__(None, None, None)


def ask(client: TestClient, **fields: Any) -> Any:
    body = {"model": "m", "messages": HELLO, "tools": TOOLS, **fields}
    return client.post("/v1/chat/completions", json={name: value for name, value in body.items() if value is not ...})


def events(answer: Any) -> list[Any]:
    return [json.loads(line[6:]) for line in answer.text.split("\n\n") if line.startswith("data: {")]


@pytest.mark.spec("SV1", "calls of tools are answered in OpenAI's shape, whole and streamed, several at once")
def test_calls_in_an_answer(says: Says) -> None:
    client = says("看一下。\n" + TAGGED.written(CALLS))
    body = ask(client).json()
    (choice,) = body["choices"]
    assert choice["finish_reason"] == "tool_calls" and choice["message"]["content"] == "看一下。\n"
    calls = choice["message"]["tool_calls"]
    assert [(call["type"], call["function"]) for call in calls] == [
        ("function", {"name": "weather", "arguments": '{"city": "北京"}'}), ("function", {"name": "now", "arguments": "{}"}),
    ]  # fmt: skip
    assert len({call["id"] for call in calls}) == 2
    got = events(ask(client, stream=True, stream_options={"include_usage": True}))
    assert got[-1]["usage"] == body["usage"]
    deltas = [event["choices"][0]["delta"] for event in got[:-1]]
    assert "".join(delta.get("content") or "" for delta in deltas) == "看一下。\n"
    pieces = [piece for delta in deltas for piece in delta.get("tool_calls", ())]
    for index, call in enumerate(calls):
        mine = [piece for piece in pieces if piece["index"] == index]
        assert mine[0]["function"] == {"name": call["function"]["name"], "arguments": ""} and len(mine[0]["id"]) == 9
        assert "".join(piece["function"]["arguments"] for piece in mine) == call["function"]["arguments"]
        assert all(set(piece) == {"index", "function"} for piece in mine[1:]) and len(mine) > 2
    assert got[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_an_answer_that_only_calls_has_no_content(says: Says) -> None:
    (choice,) = ask(says(TAGGED.written(CALLS[:1]))).json()["choices"]
    assert choice["message"]["content"] is None and len(choice["message"]["tool_calls"]) == 1


def test_an_answer_without_calls_is_as_ever(says: Says) -> None:
    client = says("不会下雨 <tool")
    (choice,) = ask(client).json()["choices"]
    assert choice["message"] == {"role": "assistant", "content": "不会下雨 <tool", "refusal": None}
    assert choice["finish_reason"] == "stop"
    got = events(ask(client, stream=True))
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in got) == "不会下雨 <tool"


def test_a_cut_call_says_so(says: Says) -> None:
    text = TAGGED.written(CALLS[:1])
    (choice,) = ask(says(text), max_tokens=len(text[: text.index("北") + 1].encode())).json()["choices"]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"city": "北'


def test_logprobs_of_all_tokens_come_with_calls(says: Says) -> None:
    client = says("好" + TAGGED.written(CALLS[:1]))
    whole = ask(client, logprobs=True).json()["choices"][0]["logprobs"]["content"]
    streamed = [
        entry
        for event in events(ask(client, logprobs=True, stream=True))
        for entry in (event["choices"][0]["logprobs"] or {"content": ()})["content"]
    ]
    assert streamed == whole and bytes(b for entry in whole for b in entry["bytes"]).decode().startswith(
        "好<tool_call>"
    )


@pytest.mark.parametrize(
    "text",
    [
        TAGGED.written([Call("", "weather", '{"city": "Rome"}')]), TAGGED.written([Call("", "weather", '{"city": "Paris", "x": 1}')]),
        TAGGED.written([Call("", "other", "{}")]), TAGGED.written(CALLS[:1])[:-3],
    ],
)  # fmt: skip
def test_a_lie_of_an_engine_that_keeps_to_no_form_is_told_and_not_passed_on(says: Says, text: str) -> None:
    answer = ask(says(text))
    assert answer.status_code == 400 and "was written" in answer.json()["error"]["problem"]
    last = events(ask(says(text), stream=True))[-1]
    assert "was written" in last["error"]["problem"]


def test_a_call_that_is_required_and_not_made_is_told(says: Says) -> None:
    assert ask(says("no")).status_code == 200
    assert ask(says("no"), tool_choice="required").status_code == 400


def test_what_the_prompt_shows(says: Says) -> None:
    client = says("ok")
    for choice in ("auto", "none"):
        ask(client, tool_choice=choice)
    told, plain = (client.read.decode(request.prompt) for request in client.seen)  # type: ignore[attr-defined]
    assert '"name": "weather"' in told and "tools" not in plain
    assert [request.constraint is not None for request in client.seen] == [True, True]  # type: ignore[attr-defined]


def test_a_conversation_with_calls_goes_on(says: Says) -> None:
    client = says("不会")
    talk = [
        {"role": "developer", "content": "简短"}, *HELLO, {"role": "assistant", "content": None, "tool_calls": [CALLED]},
        {"role": "tool", "tool_call_id": "a" * 9, "content": [{"type": "text", "text": "晴"}]},
    ]  # fmt: skip
    assert ask(client, messages=talk).json()["choices"][0]["message"]["content"] == "不会"
    prompt = client.read.decode(client.seen[0].prompt)  # type: ignore[attr-defined]
    assert '{"name": "weather", "arguments": {"city": "北京"}}' in prompt and "<tool_response>\n晴\n" in prompt
    assert "system\n简短" in prompt
    assert ask(client, messages=talk, tools=...).status_code == 200  # the tools may be gone by then


def test_an_answer_with_calls_may_be_sent_back_as_it_came(says: Says) -> None:
    client = says(TAGGED.written(CALLS))
    message = ask(client).json()["choices"][0]["message"]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "x"} for call in message["tool_calls"]]
    assert ask(client, messages=[*HELLO, message, *results]).status_code == 200


def lies(arguments: str) -> list[Any]:
    call = {**CALLED, "function": {"name": "weather", "arguments": arguments}}
    return [
        *HELLO,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a" * 9, "content": "x"},
    ]


@pytest.mark.parametrize(
    ("fields", "status", "param", "words"),
    [
        ({"messages": lies("{")}, 422, "messages.1.tool_calls.0.function.arguments", "no JSON object"),
        ({"messages": lies("[]")}, 422, "messages.1.tool_calls.0.function.arguments", "no JSON object"),
        ({"messages": lies('{"a": NaN}')}, 422, "messages.1.tool_calls.0.function.arguments", "no JSON object"),
        ({"messages": lies('{"a": "\\ud800"}')}, 422, "messages.1.tool_calls.0.function.arguments", "no JSON object"),
        ({"messages": lies("[" * 5000)}, 422, "messages.1.tool_calls.0.function.arguments", "no JSON object"),
        ({"messages": lies('{"city": "Rome"}')}, 422, "messages.1.tool_calls.0.function.arguments", "not what weather takes: 'Rome'"),
        ({"messages": lies("{}")}, 422, "messages.1.tool_calls.0.function.arguments", "'city' is a required property"),
        ({"messages": lies('{"city": "Paris"}')[:2]}, 422, "messages.1", "is not answered"),
        ({"messages": [*lies('{"city": "Paris"}')[:2], *HELLO]}, 422, "messages.2", "is not answered"),
        ({"messages": [*HELLO, lies("{}")[2]]}, 422, "messages.1.tool_call_id", "no call before"),
        ({"messages": [*HELLO, {"role": "tool", "content": "x"}]}, 422, "messages.1.tool_call_id", "missing"),
        ({"messages": [{"role": "user", "content": "x", "tool_calls": [CALLED]}]}, 422, "messages.0.tool_calls", "role assistant"),
        ({"messages": [{"role": "user", "content": "x", "tool_call_id": "x"}]}, 422, "messages.0.tool_call_id", "role tool"),
        ({"messages": [*HELLO, {"role": "assistant"}]}, 422, "messages.1.content", "missing"),
        ({"messages": [{"role": "assistant", "tool_calls": [CALLED, CALLED]}]}, 422, "messages.0.tool_calls.1.id", "two calls"),
        ({"tools": [TOOLS[0], TOOLS[0]]}, 422, "tools.1.function.name", "two tools"),
        ({"tools": [{"type": "function", "function": {"name": "天气"}}]}, 422, "tools.0.function.name", "天气"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "string"}}}]}, 422, "tools.0.function.parameters.type", "no object"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": 3}}}]}, 400, "tools.0.function.parameters", "no JSON schema"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"$schema": []}}}]}, 400, "tools.0.function.parameters", "no JSON schema"),
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, 400, "tools.0.type", "does not do"),
        ({"tool_choice": {"type": "function", "function": {"name": "wether"}}}, 422, "tool_choice.function.name", "not among"),
        ({"tool_choice": {"type": "custom", "custom": {"name": "f"}}}, 400, "tool_choice.type", "does not do"),
        ({"tool_choice": "always"}, 422, "tool_choice", "always"),
        ({"tool_choice": "required", "tools": ...}, 422, "tool_choice", "means nothing without tools"),
        ({"parallel_tool_calls": True, "tools": []}, 422, "parallel_tool_calls", "means nothing without tools"),
        ({"stop": "x"}, 400, "stop", "do not go together"),
        ({"control": {"must": ["x"]}}, 400, "control", "do not go together"),
    ],
)  # fmt: skip
def test_what_lies_or_cannot_be_is_refused_in_words(
    says: Says, fields: dict[str, Any], status: int, param: str, words: str
) -> None:
    answer = ask(says("ok"), **fields)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, param) and words in error["problem"], error


# --- over a model that is held to it -----------------------------------------------------------------


@pytest.fixture(scope="module", params=[QWEN, LLAMA, None])
def held(request: pytest.FixtureRequest) -> Iterator[TestClient]:
    made = tokenizer(request.param)
    if request.param is None:
        made.chat_template = tokenizer(QWEN).chat_template.replace("tool_calls", "nothing")
    with (
        writer(made, context=1024) as model,
        TestClient(build_app({"m": model}), base_url="http://localhost") as client,
    ):
        yield client


@pytest.mark.spec("SV1", "a model of random weights that must call a tool calls it with arguments of its schema")
def test_a_model_is_held_to_its_tools(held: TestClient) -> None:
    from jsonschema import Draft202012Validator

    wanted = {"type": "function", "function": {"name": "weather"}}
    subset = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [wanted]}}
    for choice in (wanted, subset, "required"):
        body = ask(held, tool_choice=choice, seed=1, max_tokens=300, n=2, parallel_tool_calls=False).json()
        for answer in body["choices"]:
            assert answer["finish_reason"] == "tool_calls", answer
            (call,) = answer["message"]["tool_calls"]
            if choice != "required":
                assert call["function"]["name"] == "weather"
            if call["function"]["name"] == "weather":
                Draft202012Validator(PARAMETERS).validate(json.loads(call["function"]["arguments"]))


def test_a_form_of_text_beside_tools(held: TestClient) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": [True, False]}}}
    body = ask(held, response_format=form, seed=2, max_tokens=300, n=4, parallel_tool_calls=False).json()
    for answer in body["choices"]:
        said = answer["message"]
        assert said["content"] in ("true", "false") or said["tool_calls"]
