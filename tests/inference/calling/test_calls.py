"""Calls that models of random weights are held to, and calls read from texts as they come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.inference.calling.templates import DEEP, LLAMA, MISTRAL, QWEN
from tests.inference.calling.test_forms import tokenizer
from tests.inference.control.writers import writer

from langwright.inference.calling.forms import TAGGED, WILD, Call, Tool, form_of
from langwright.inference.calling.grammar import Allowed, grammar_of
from langwright.inference.calling.reading import Argued, Begun, CallReader, Spoken
from langwright.inference.control.settings import Control
from langwright.inference.protocol import Sampling
from langwright.inference.texts.text import TextModel

CITY = {
    "type": "object", "properties": {"city": {"enum": ["北京", "Paris"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["city"], "additionalProperties": False,
}  # fmt: skip
NOW = {"type": "object", "properties": {}, "additionalProperties": False}
TOOLS = (Tool("weather", "", CITY), Tool("now", "", NOW))
TEMPLATES = {"qwen": QWEN, "llama": LLAMA, "mistral": MISTRAL, "deep": DEEP, "none": None}


@pytest.fixture(scope="module", params=list(TEMPLATES))
def model(request: pytest.FixtureRequest) -> Iterator[TextModel]:
    with writer(tokenizer(TEMPLATES[request.param])) as made:
        yield made


def written(model: TextModel, allowed: Allowed, seed: int, **sampling: Any) -> tuple[CallReader, str]:
    """What a model of random weights makes of a form, read piece by piece, and why it ended."""
    form = form_of(model.tokenizer)
    special = {token.content: id for id, token in model.tokenizer.added_tokens_decoder.items() if token.special}
    reader = CallReader(form)
    names = {id: name for name, id in special.items()}
    given = {"temperature": 1.0, "max_new_tokens": 400, **sampling}
    stream = model.stream(
        "a", Sampling(seed=seed, **given), control=Control(grammar=grammar_of(form, allowed, special))
    )
    for piece in stream:
        reader.push("".join(names.get(token.id, "") for token in piece.tokens) + piece.text)
    reader.end()
    return reader, stream.finish_reason or ""


def test_a_model_that_must_call_calls_with_what_the_tool_takes(model: TextModel) -> None:
    for seed in range(6):
        reader, why = written(model, Allowed(TOOLS, must=True), seed)
        if why == "length":
            continue
        assert reader.whole and reader.calls and reader.text == "", (why, reader)
        for call in reader.calls:
            Draft202012Validator(CITY if call.name == "weather" else NOW).validate(json.loads(call.arguments))
    one, _ = written(model, Allowed(TOOLS[:1], must=True, several=False), 3)
    assert [call.name for call in one.calls] == ["weather"] and one.whole


def test_a_model_that_may_call_does_so_or_writes(model: TextModel) -> None:
    """Seldom enough by chance; a bias towards the first token of the mark makes it begin calls now and then."""
    form = form_of(model.tokenizer)
    first = (form.mark or form.opening)[0] if not form.mark.startswith("<|call|>") else "<|call|>"
    id = model.tokenizer.convert_tokens_to_ids(first)
    called = 0
    for seed in range(8):
        reader, why = written(model, Allowed(TOOLS, several=False), seed, logit_bias={id: 12.0}, max_new_tokens=80)
        called += bool(reader.calls)
        for call in reader.calls if why == "stop" else ():
            Draft202012Validator(CITY if call.name == "weather" else NOW).validate(json.loads(call.arguments))
    assert called or form.mark.startswith("<") or form.mark == ""


def test_an_answer_in_a_form_or_a_call(model: TextModel) -> None:
    answer = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    }
    for seed in range(6):
        reader, why = written(model, Allowed(TOOLS, answer=answer, several=False), seed)
        if why != "stop":
            continue
        if not reader.calls:
            assert isinstance(json.loads(reader.text)["ok"], bool)


# --- reading -----------------------------------------------------------------------------------------

FORMS = {name: form_of(tokenizer(template)) for name, template in TEMPLATES.items()}
CALLS = [Call("a" * 9, "weather", '{"city": "北京 } \\" ] {"}'), Call("b" * 9, "now", "{}")]


@pytest.mark.parametrize("name", FORMS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_however_a_text_is_cut(name: str, data: st.DataObject) -> None:
    form = FORMS[name]
    calls = CALLS[: 1 if form.joint is None else 2]
    before = data.draw(st.sampled_from(["", "Let me see.\n", "a < b, <tool"])) if form.mark else ""
    text = before + form.written(calls).replace(WILD * 9, "x1y2z3a4b")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    reader, parts = CallReader(form), []
    for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        parts += reader.push(text[begin:end])
    parts += reader.end()
    assert "".join(part.text for part in parts if isinstance(part, Spoken)) == before == reader.text
    assert [part.name for part in parts if isinstance(part, Begun)] == [call.name for call in calls]
    for index, call in enumerate(calls):
        assert (
            "".join(part.text for part in parts if isinstance(part, Argued) and part.index == index) == call.arguments
        )
    assert reader.whole and [call.arguments for call in reader.calls] == [call.arguments for call in calls]
    assert len({call.id for call in reader.calls}) == len(calls) and all(len(call.id) == 9 for call in reader.calls)


@pytest.mark.parametrize("name", FORMS)
def test_a_text_without_calls_is_a_text(name: str) -> None:
    form = FORMS[name]
    for text in ("", "plain", "a < b", '{"name": 3}', form.mark[:-1] + "x", form.opening[:-1]):
        reader = CallReader(form)
        parts = [part for letter in text for part in reader.push(letter)] + reader.end()
        assert "".join(part.text for part in parts if isinstance(part, Spoken)) == text == reader.text
        assert not reader.calls and reader.whole


def test_a_call_that_is_cut_off_is_not_whole() -> None:
    text, first = TAGGED.written(CALLS), TAGGED.written(CALLS[:1])  # the first ends a text, until there is a second
    second = first.removesuffix(TAGGED.closing) + (TAGGED.joint or "")
    for size in range(len(TAGGED.opening), len(text)):
        reader = CallReader(TAGGED)
        reader.push(text[:size])
        reader.end()
        assert reader.whole == (text[:size].startswith(first) and not text[:size].startswith(second))
