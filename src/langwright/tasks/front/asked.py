"""An instance of a task's input from what a person gives in fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

from langwright.errors import UserError, unknown
from langwright.settings import describe
from langwright.tasks import TASKS
from langwright.tasks.declaration import HERE, Task, TaskInput
from langwright.wording import Language, Phrase, say


def asked_of(task: str, text: str, fields: Mapping[str, Any]) -> TaskInput:
    """The input of a task.

    text    its first field
    fields  the others, by name
    raises  UserError for an unknown task, a field that it does not take, lacks, or that is not allowed
    """
    if task not in TASKS:
        raise unknown("task", task, TASKS)
    declared = TASKS[task]
    return checked(declared, {declared.panel[0]: text, **fields}, here=True)


def checked(task: Task, fields: Mapping[str, Any], *, here: bool = False) -> TaskInput:
    """Fields as an input of a task; UserError names the first that is wrong.

    here  whether whoever asks sits at this machine, and may set what only they may
    """
    for name in fields:
        extra = task.input.model_fields[name].json_schema_extra if name in task.input.model_fields else None
        if not here and extra == HERE:
            raise UserError(
                "field {field} of {task} can be set on the machine itself only, not over the network",
                fix="leave it out, or use `langwright predict` or Python there",
                task=task.name,
                field=name,
            )
    try:
        return task.input.model_validate(dict(fields))
    except ValidationError as error:
        first = error.errors()[0]
    name, *inside = (str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden" and not inside:
        raise unknown("field", name, task.input.model_fields)
    if first["type"] == "literal_error":
        raise unknown("option", str(first["input"]), choices_in(task.input.model_fields[name].annotation))
    if first["type"] == "missing" and not inside:
        raise UserError(
            "{task} lacks its field {field}: {about}",
            fix="give it with --set {field}=VALUE, or as an argument of that name",
            task=task.name, field=name, about=Phrase(lambda lang: about(task.input, name, lang)),
        )  # fmt: skip
    raise UserError(
        "field {field} of {task} = {value!r} is not allowed",
        fix="give {allowed}",
        task=task.name, field=".".join((name, *inside)), value=shortened(first["input"]),
        allowed=Phrase(lambda lang: describe(task.input.model_fields[name], lang)),
    )  # fmt: skip


def choices_in(annotation: object) -> list[str]:
    """What a Literal, or one inside of an annotation, allows."""
    if get_origin(annotation) is Literal:
        return [str(choice) for choice in get_args(annotation)]
    return [choice for part in get_args(annotation) for choice in choices_in(part)]


def about(model: type[BaseModel], name: str, lang: Language | None = None) -> str:
    """What a field is, in words."""
    return say(model.model_fields[name].description or "", lang=lang)


def shortened(value: object) -> object:
    """A value as it fits into a message."""
    return value[:40] + "…" if isinstance(value, str) and len(value) > 40 else value
