"""Which function a request means, and with what arguments, by a model that is held to what there is.

The model chooses among the names of a short list, or none, and then writes a JSON object in which every argument is one
of the pieces of the request that fit there. It can choose wrongly; it cannot name a command, a folder or a number that
nobody said.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langwright.cli.asking.filling import Call, Filling, filled, fit, table
from langwright.cli.asking.functions import Function
from langwright.cli.asking.spans import Spans
from langwright.inference.control.settings import Control
from langwright.inference.protocol import Sampling
from langwright.tasks.solving.drafting import Pen
from langwright.tasks.solving.languages import language_of
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.tasks.front.model import Model

NONE = "none"
MOST = 200  # tokens of the arguments


def chosen(model: Model, request: str, candidates: Sequence[Function]) -> Function | None:
    """The function that the model takes for a request; None where it takes none of them."""
    pen, language = Pen(model, Sampling(max_new_tokens=MOST)), language_of(request)
    listed = "\n".join(f"{one.name}: {say(one.summary, lang=language)}" for one in candidates)
    prompt = pen.prompt("ask-command", language, {"commands": listed, "request": request})
    said = pen.write(prompt, Control(choices=(*(one.name for one in candidates), NONE)))
    return next((one for one in candidates if one.name == said), None)


def called(model: Model, request: str, function: Function, found: Spans) -> Call:
    """The function with the arguments that the model gives it.

    Where one thing alone fits, or several must be named, there is nothing to choose, and it is taken as it stands.
    """
    schema = choices(function, found)
    if not any(len(one["enum"]) > 1 for one in schema["properties"].values()):
        return filled(function, found)
    pen, language = Pen(model, Sampling(max_new_tokens=MOST)), language_of(request)
    fields = {
        "command": function.name, "summary": say(function.summary, lang=language),
        "schema": json.dumps(schema, ensure_ascii=False), "request": request,
    }  # fmt: skip
    said = json.loads(pen.write(pen.prompt("ask-arguments", language, fields), Control(json_schema=schema)))
    plain = filled(function, found)
    arguments: list[str] = []
    for slot in function.slots:
        given = said.get(slot.name)
        arguments += [given] if given is not None else taken(function, found, slot.name)
    for option in function.options:
        if said.get(option) is not None:
            arguments += [option, str(said[option])]
    return Call(function, tuple(arguments), plain.missing)


def taken(function: Function, found: Spans, name: str) -> list[str]:
    """What a slot gets where nothing was to be chosen."""
    filling = Filling(function, found)
    out = filling.out() if any(slot.kind == "out" for slot in function.slots) else None
    for slot in function.slots:
        given = [out] if slot.kind == "out" and out else filling.take(slot)
        if slot.name == name:
            return [one for one in given if one]
    return []


def choices(function: Function, found: Spans) -> dict[str, Any]:
    """A JSON schema in which every argument is one of what was said and fits; what nothing fits is left out."""
    properties: dict[str, Any] = {}
    for slot in function.slots:
        if slot.kind == "out":
            fits = [name for name, kind in found.named if not kind]
        elif slot.kind == "text":
            fits = list(found.quoted)
        else:
            fits = [name for name, kind in found.named if fit(slot.kind, kind)]
        if fits and not slot.many:
            properties[slot.name] = {"enum": fits}
    numbers = [text for text, _ in found.numbers]
    for option in table("options"):
        if option in function.options and numbers:
            properties[option] = {"enum": [None, *numbers]}
    for option in ("--task", "--schema"):
        values = table("values")[option]
        if option in function.options and isinstance(values, dict):
            properties[option] = {"enum": [None, *values]}
    return {
        "type": "object", "properties": properties, "required": list(properties), "additionalProperties": False
    }  # fmt: skip
