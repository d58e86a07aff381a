"""Whether a text is JSON of a schema, found with jsonschema, which shares nothing with the parser that wrote it.

Patterns are the exception: Python's own take exponential time on some texts, so they are matched by derivatives.
Nothing is fetched: a reference to another document is unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from langwright.errors import UserError

Schema = dict[str, Any] | bool


def check_schema(schema: Schema) -> None:
    """UserError for what is no JSON Schema."""
    from jsonschema.exceptions import SchemaError

    draft = schema.get("$schema") if isinstance(schema, dict) else None
    if draft is not None and not isinstance(draft, str):
        raise UserError(
            "this is no JSON schema: at {place}, {reason}",
            fix="correct it; json-schema.org describes the keywords of draft 2020-12",
            place="$.$schema",
            reason=f"{draft!r} is not of type 'string'",
        )
    try:
        validator_of(schema).check_schema(schema)
    except SchemaError as error:
        raise UserError(
            "this is no JSON schema: at {place}, {reason}",
            fix="correct it; json-schema.org describes the keywords of draft 2020-12",
            place=error.json_path,
            reason=error.message[:300],
        ) from None


def check_text(text: str, schema: Schema) -> None:
    """UserError for a text that is not JSON, or not of this schema: a mistake of ours or of the parser."""
    try:
        found = fault(json.loads(text), schema)
    except json.JSONDecodeError as error:
        found = str(error)
    if found is not None:
        raise UserError(
            "what was written does not keep to the schema: {reason}",
            fix="report it with the schema; a simpler schema may do meanwhile",
            reason=found,
        )


def fault(value: object, schema: Schema) -> str | None:
    """What a value has that its schema does not allow, in English; None where it is of the schema."""
    from jsonschema.exceptions import ValidationError
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        validator_of(schema)(schema, registry=Registry()).validate(value)
    except (ValidationError, Unresolvable) as error:
        return str(error).splitlines()[0][:300]
    except RecursionError:
        return "the schema refers to itself without an end"
    return None


def validator_of(schema: Schema) -> Any:
    """The validator of the draft that a schema names, of 2020-12 where it names none."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    return bounded(validator_for(schema, default=Draft202012Validator))


@cache
def bounded(validator: Any) -> Any:
    """A draft's validator with patterns matched in bounded time."""
    from jsonschema.validators import extend

    return extend(
        validator,
        {"pattern": pattern, "patternProperties": pattern_properties, "additionalProperties": additional_properties},
    )


def pattern(validator: Any, wanted: str, instance: Any, schema: Any) -> Iterator[Any]:
    """The keyword of this name."""
    from jsonschema.exceptions import ValidationError

    if validator.is_type(instance, "string") and not found_in(wanted, instance):
        yield ValidationError(f"{instance!r} does not match {wanted!r}")


def pattern_properties(validator: Any, wanted: dict[str, Any], instance: Any, schema: Any) -> Iterator[Any]:
    """The keyword of this name."""
    if validator.is_type(instance, "object"):
        for expression, inner in wanted.items():
            for name, value in instance.items():
                if found_in(expression, name):
                    yield from validator.descend(value, inner, path=name, schema_path=expression)


def additional_properties(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """The keyword of this name: properties that neither `properties` nor `patternProperties` speaks of."""
    if not validator.is_type(instance, "object"):
        return
    patterns = schema.get("patternProperties", {})
    for name, value in instance.items():
        if name not in schema.get("properties", {}) and not any(found_in(one, name) for one in patterns):
            yield from validator.descend(value, wanted, path=name)


@cache
def byte_vocabulary() -> Any:
    """Each byte a token."""
    from llguidance import LLTokenizer

    return LLTokenizer("byte")


def found_in(expression: str, text: str) -> bool:
    """Whether a regular expression matches somewhere in a text, as JSON Schema has it."""
    from llguidance import LLMatcher

    grammar = LLMatcher.grammar_from_json_schema({"type": "string", "pattern": expression})
    matcher = LLMatcher(byte_vocabulary(), grammar, log_level=0)
    read = matcher.consume_tokens(list(json.dumps(text, ensure_ascii=False).encode()))
    return bool(read and not matcher.is_error() and matcher.is_accepting())
