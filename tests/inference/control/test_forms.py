"""Texts of a given form, from models that know nothing."""

from __future__ import annotations

import json
import re
import threading
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from tests.inference.control.schemas import HAND_MADE, schemas
from tests.inference.control.writers import writer
from tests.inference.texts.test_decoding import TOKENIZERS

from langwright.errors import UserError
from langwright.inference.control.forms import form_of
from langwright.inference.control.settings import Control, control_of
from langwright.inference.control.vocabulary import Vocabulary
from langwright.inference.protocol import Sampling
from langwright.inference.texts.decoding import Alphabet
from langwright.inference.texts.text import TextModel
from langwright.inference.texts.written import TextCompletion

KINDS = ["letters", "byte-level", "byte-fallback"]


def written(model: TextModel, control: Control, count: int, most: int = 200) -> list[TextCompletion]:
    """Several texts of a control, each drawn with its own seed."""
    samplings = [Sampling(temperature=1.0, max_new_tokens=most, seed=seed) for seed in range(count)]
    streams = [model.stream("a 今", sampling, control=control) for sampling in samplings]
    return [stream.result() for stream in streams]


def check(schema: Any, completion: TextCompletion) -> bool:
    """Whether it ended by itself; then it must be JSON of the schema, by jsonschema alone."""
    if completion.finish_reason == "stop":
        Draft202012Validator(schema).validate(json.loads(completion.text))
        return True
    assert completion.finish_reason == "length"
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_json_of_schemas_by_every_kind_of_tokenizer(kind: str) -> None:
    with writer(kind) as model:
        whole = 0
        for schema in HAND_MADE[:12]:
            whole += sum(check(schema, one) for one in written(model, Control(json_schema=schema), 2))
    assert whole >= 12  # at least half came to their end


def run_schemas(count: int) -> tuple[int, int]:
    """(texts that came to their end, texts) over hand-made and generated schemas, half of each."""
    ended = total = 0
    with writer("byte-level") as model:
        for schema in (HAND_MADE * (count // len(HAND_MADE) + 1))[: count // 2]:
            total += 1
            (one,) = written(model, Control(json_schema=schema), 1)
            ended += check(schema, one)

        @settings(
            max_examples=count // 2, deadline=None, phases=[Phase.generate], derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(schemas)
        def generated(schema: dict[str, Any]) -> None:
            nonlocal ended, total
            total += 1
            (one,) = written(model, Control(json_schema=schema), 1)
            ended += check(schema, one)

        generated()
    return ended, total


def test_thirty_schemas_parse_and_validate_or_were_cut() -> None:
    ended, total = run_schemas(30)
    assert total >= 30 and ended >= total / 2


@pytest.mark.heavy
@pytest.mark.timeout(1800)
def test_three_hundred_schemas_parse_and_validate_or_were_cut() -> None:
    ended, total = run_schemas(300)
    assert total >= 300 and ended >= total / 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("regex", [r"[0-9]{3}-[a-c]+x", r"(是|否)，[一-三]{2}。", r"\$[0-9]+(\.[0-9]{2})?", "a?b?"])
def test_a_regular_expression_matches_the_whole_text(kind: str, regex: str) -> None:
    with writer(kind) as model:
        done = written(model, Control(regex=regex), 6, most=60)
    assert any(one.finish_reason == "stop" for one in done)
    for one in done:
        if one.finish_reason == "stop":
            assert re.fullmatch(regex, one.text), one.text


def test_a_grammar_in_the_notation_of_lark() -> None:
    grammar = 'start: sum\nsum: NUMBER ("+" NUMBER)+\nNUMBER: /[1-9][0-9]?/\n'
    with writer("letters") as model:
        done = written(model, Control(grammar=grammar), 8, most=60)
    assert any(one.finish_reason == "stop" for one in done)
    assert all(re.fullmatch(r"[1-9]\d?(\+[1-9]\d?)+", one.text) for one in done if one.finish_reason == "stop")


@pytest.mark.parametrize("kind", KINDS)
def test_one_of_several_strings_even_where_one_begins_another(kind: str) -> None:
    choices = ("北京", "北京市", "not here", 'say "no"\n', "a\\b")
    with writer(kind) as model:
        done = written(model, Control(choices=choices), 40, most=40)
    assert {one.finish_reason for one in done} == {"stop"}
    assert {one.text for one in done} <= set(choices) and len({one.text for one in done}) > 2


def test_a_tokenizer_without_an_end_stops_where_nothing_can_follow() -> None:
    tokenizer = TOKENIZERS["byte-level"].__class__(tokenizer_object=TOKENIZERS["byte-level"].backend_tokenizer)
    with writer(tokenizer) as model:
        assert not model.stop_ids
        (one,) = written(model, Control(choices=("yes", "no")), 1)
        (two,) = written(model, Control(json_schema={"type": "array", "items": {"type": "boolean"}, "maxItems": 2}), 1)
    assert (one.finish_reason, one.text in ("yes", "no")) == ("stop", True)
    assert two.finish_reason == "stop" and len(json.loads(two.text)) <= 2


def test_a_text_that_is_cut_says_so_and_is_not_looked_at() -> None:
    with writer() as model:
        (one,) = written(model, Control(json_schema={"type": "string", "minLength": 50}), 1, most=10)
    assert one.finish_reason == "length" and len(one.token_ids) == 10


@pytest.mark.parametrize("keyword", ["not", "if", "uniqueItems", "contains", "dependentSchemas", "propertyNames"])
def test_a_keyword_that_is_not_supported_is_named(keyword: str) -> None:
    schema = {"type": ["object", "array"], keyword: True if keyword == "uniqueItems" else {"type": "string"}}
    if keyword == "dependentSchemas":
        schema[keyword] = {"a": {"type": "object"}}
    with writer() as model, pytest.raises(UserError, match=keyword):
        model.stream("a", control=Control(json_schema=schema))


@pytest.mark.parametrize(
    ("control", "said"),
    [
        ({"regex": "(" * 100 + "a" + ")" * 100}, "levels deep"),
        ({"regex": "[a-"}, "cannot be used"),
        ({"regex": "a" * 20_000}, "characters"),
        ({"regex": "(?=a)b"}, "cannot be used"),
        ({"grammar": "nothing: here"}, "cannot be used"),
        ({"json_schema": {"type": "strin"}}, "no JSON schema"),
        ({"json_schema": {"$ref": "https://example.com/schema.json"}}, "cannot be used"),
        ({"json_schema": {"type": "string", "format": "klingon"}}, "cannot be used"),
        ({"json_schema": {"type": "integer", "minimum": 5, "maximum": 3}}, "cannot be used"),
        ({"choices": ("x" * 900,) * 400}, "characters"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(control: dict[str, Any], said: str) -> None:
    with writer() as model, pytest.raises(UserError, match=said):
        model.stream("a", control=Control(**control))


PATHOLOGICAL = [
    "((a+)+)+$b", "(a|aa)*" * 20, "(.*a){25}", "a{900}{900}", "((a{0,50}){0,50}){0,50}", "(x+x+)+y", r"(\w{1,90}){1,90}z",
    "(.|a|b|c){2000}", "[ab]*a[ab]{14}c",
]  # fmt: skip


@pytest.mark.parametrize("regex", PATHOLOGICAL)
def test_pathological_expressions_are_bounded(regex: str) -> None:
    """Refused at once, or written with: the fuel is counted, so this does not hang on any machine."""
    with writer("letters") as model:
        try:
            (one,) = written(model, Control(regex=regex), 1, most=40)
            assert one.finish_reason in ("stop", "length")
        except UserError as error:
            assert any(said in str(error) for said in ("cannot be used", "too long", "counts inside counts"))


def test_pathological_schemas_are_bounded() -> None:
    deep: Any = {"type": "string"}
    for _ in range(200):
        deep = {"type": "object", "properties": {"a": deep}, "required": ["a"]}
    wide = {"anyOf": [{"type": "object", "properties": {f"p{i}{j}": {"type": "string"} for j in range(20)}} for i in range(100)]}  # fmt: skip
    loop = {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}
    pattern = {"type": "string", "pattern": "^(x+x+)+y|x+z$", "minLength": 30, "maxLength": 40}
    with writer("letters") as model:
        with pytest.raises(UserError, match="levels deep"):
            model.stream("a", control=Control(json_schema=deep))
        for schema in (wide, loop, pattern):
            try:
                written(model, Control(json_schema=schema), 1, most=60)
            except UserError as error:
                assert any(said in str(error) for said in ("cannot be used", "too long", "no token"))


def test_the_last_look_takes_bounded_time_whatever_the_pattern() -> None:
    from langwright.inference.control.checking import check_text

    evil = {"type": "string", "pattern": "^(x+x+)+y$"}
    with pytest.raises(UserError, match="does not keep"):
        check_text(json.dumps("x" * 60), evil)  # Python's own `re` would take centuries
    check_text(json.dumps("xxxy"), evil)
    keys = {"type": "object", "patternProperties": {"^n_": {"type": "number"}}, "additionalProperties": False}
    check_text('{"n_a": 1}', keys)
    for wrong in ('{"n_a": "1"}', '{"b": 1}', "{", '{"n_a": 1} x'):
        with pytest.raises(UserError, match="does not keep"):
            check_text(wrong, keys)


def test_forms_that_contradict_are_refused() -> None:
    with pytest.raises(UserError, match="do not go together"):
        Control(regex="a", choices=("a",))
    with pytest.raises(UserError, match="do not go together"):
        control_of({"regex": "a", "must": ["a"]})
    with writer() as model, pytest.raises(UserError, match="do not go together"):
        model.stream("a", control=Control(regex="a"), stop=["b"])


def test_words_that_no_token_can_write_fail_that_request_alone() -> None:
    alphabet = Alphabet(TOKENIZERS["word-piece"])
    vocabulary = Vocabulary(alphabet, [])
    form = form_of(vocabulary, Control(choices=("猫",)))
    assert form is not None
    with pytest.raises(UserError, match="no token"):
        form.start().allowed()


def test_a_cursor_may_go_on_in_several_ways() -> None:
    vocabulary = Vocabulary(Alphabet(TOKENIZERS["letters"]), [TOKENIZERS["letters"].eos_token_id])
    form = form_of(vocabulary, Control(choices=("ab", "ac", "b")))
    assert form is not None
    ids = {letter: vocabulary.pieces.index(letter.encode()) for letter in "abc"}

    def letters(cursor: Any) -> set[str]:
        flags = cursor.allowed()
        return {letter for letter, id in ids.items() if flags[id]}

    start = form.start()
    a = start.after(ids["a"])
    ab = a.after(ids["b"])
    ac = a.after(ids["c"])  # from a cursor whose parser has gone on
    b = start.after(ids["b"])
    assert (ab.ended, ac.ended, b.ended) == ("stop", "stop", "stop")
    assert letters(a.after(ids["b"]) and a) == {"b", "c"} or letters(form.start().after(ids["a"])) == {"b", "c"}
    assert a.ended is None


def test_the_mask_is_computed_by_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    from langwright.inference.control.forms import Walk

    seen: set[str] = set()
    own = Walk.mask

    def mask(self: Walk, at: int) -> Any:
        seen.add(threading.current_thread().name.rsplit("_", 1)[0])
        time.sleep(0.001)
        return own(self, at)

    monkeypatch.setattr(Walk, "mask", mask)
    with writer() as model:
        written(model, Control(regex="[ab]{5}"), 2)
    assert seen == {"langwright-form"}
