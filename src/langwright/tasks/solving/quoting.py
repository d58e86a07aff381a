"""Solving by quoting: a model writes what it finds as JSON whose quotes are plain strings, and each is looked for in the text.

The model is held to the form as it writes (`inference.control`). A quote that does not stand in the text is no quote:
the item that has it is left out and counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import Field, TypeAdapter, ValidationError

from langwright.errors import UserError
from langwright.inference.protocol import Sampling
from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.tasks.solving.languages import language_of
from langwright.tasks.solving.quote import Quote
from langwright.tasks.solving.solvers import Solver
from langwright.tasks.solving.writing import prompt_of

if TYPE_CHECKING:
    from langwright.tasks.front.loading import Model

USUAL = Sampling(max_new_tokens=512)
MOST = 32  # items; an untaught model may not come to an end by itself
LONGEST = 120  # characters of a string


class QuotedOutput(TaskOutput):
    """What was found in a text, as a list of items that quote it."""

    left_out: Annotated[
        int,
        Field(description="Items that a model wrote and that are left out, as the text does not say what they quote"),
    ] = 0


def quote(model: Model, task: Task, asked: TaskInput) -> TaskOutput:
    """Ask by the task's template in the language of the text, and find what is quoted.

    raises  UserError when the answer did not come to its end
    """
    from langwright.inference.control.settings import Control

    text = str(getattr(asked, task.panel[0]))
    field = items_of(task.output)
    prompt = prompt_of(model, task, asked, language_of(text))
    sampling = getattr(asked, "sampling", None) or USUAL
    made = model.complete(prompt, sampling, control=Control(json_schema=form_of(task.output)))
    try:
        written = json.loads(made.text)[field]
    except ValueError:
        raise UserError(
            "{name} did not come to the end of its answer in {tokens} tokens",
            fix="allow more with sampling.max_new_tokens, or take a model that was taught the task",
            name=model.name,
            tokens=len(made.token_ids),
        ) from None
    item = TypeAdapter(get_args(task.output.model_fields[field].annotation)[0])
    found = []
    for one in written:
        try:
            found.append(item.validate_python(tuples_in(one), context={"text": text}))
        except ValidationError:  # a quote that stands nowhere; counted below
            continue
    kept = tuple(dict.fromkeys(found))
    return task.output.model_validate({field: kept, "left_out": len(written) - len(kept), "solver": QUOTING.name})


def items_of(output: type[TaskOutput]) -> str:
    """The field of an output that lists what was found."""
    return next(name for name in output.model_fields if name not in TaskOutput.model_fields and name != "left_out")


def form_of(output: type[TaskOutput]) -> dict[str, Any]:
    """What a model is to write: the output's list, quotes as strings, without what only a program can say."""
    whole = output.model_json_schema()
    definitions: Mapping[str, Any] = whole["$defs"]
    field = items_of(output)
    return {
        "type": "object",
        "properties": {field: {**drafted(whole["properties"][field], definitions), "maxItems": MOST}},
        "required": [field],
        "additionalProperties": False,
    }


def drafted(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a schema as a model writes it: fields with a default are left out, strings are bounded."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return {"type": "string", "minLength": 1, "maxLength": LONGEST} if name == Quote.__name__ else drafted(definitions[name], definitions)  # fmt: skip
    if schema.get("type") == "array":
        return {"type": "array", "items": drafted(schema["items"], definitions), "maxItems": MOST}
    if schema.get("type") == "object":
        fields = {name: drafted(schema["properties"][name], definitions) for name in schema["required"]}
        return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    if schema.get("type") == "string":
        return {"type": "string", "minLength": 1, "maxLength": LONGEST}
    return {"type": schema["type"]}


def tuples_in(value: Any) -> Any:
    """JSON's lists as tuples, which frozen models hold."""
    if isinstance(value, list):
        return tuple(map(tuples_in, value))
    return {name: tuples_in(one) for name, one in value.items()} if isinstance(value, dict) else value


QUOTING = Solver(
    name="quoting",
    summary="The model writes what it finds in the form that is asked for, and what it quotes is looked for in the text",
    needs="text",
    maker="langwright finetune MODEL DATASET OUT --task chat",
    solve=quote,
)
