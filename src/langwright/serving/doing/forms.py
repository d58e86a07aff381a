"""The fields of a request, whichever way they were sent: JSON, or a form of either kind."""

from __future__ import annotations

import email.message
import email.policy
from email import message_from_bytes
from typing import TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel
from pydantic_core import to_json

from langwright.errors import UserError
from langwright.serving.access.guards import media_type, read_body
from langwright.serving.complaints import ApiError
from langwright.serving.house import House, parse, refuse_query
from langwright.wording import Term

FORM, PARTS, JSON = "application/x-www-form-urlencoded", "multipart/form-data", "application/json"
M = TypeVar("M", bound=BaseModel)


async def read_fields(
    house: House, request: Request, model: type[M], *, numbers: tuple[str, ...] = (), lists: tuple[str, ...] = ()
) -> M:
    """A request of either kind as its model.

    numbers  fields that are whole numbers, which forms send as text
    lists    fields that a form may send several times
    raises   ApiError for what cannot be read, and for what the model does not allow
    """
    refuse_query(request)
    kind = media_type(request, JSON, FORM, PARTS)
    body = await read_body(request, house.settings.max_body_bytes)
    if kind == JSON:
        return parse(model, body)
    pairs = form_pairs(body) if kind == FORM else part_pairs(body, request.headers["content-type"])
    fields: dict[str, str | int | list[str]] = {}
    for name, value in pairs:
        if name in lists:
            fields.setdefault(name, [])
            fields[name] += [value]  # type: ignore[operator]
            continue
        if name in fields:
            raise ApiError(
                UserError("the field {field!r} is given twice", fix="give it once", field=name), status=422, param=name
            )
        fields[name] = int(value) if name in numbers and is_whole(value) else value
    return parse(model, to_json(fields))


def is_whole(text: str) -> bool:
    """Whether a form's text is a whole number of ordinary size."""
    return text.isascii() and text.removeprefix("-").isdigit() and len(text) < 20


def form_pairs(body: bytes) -> list[tuple[str, str]]:
    """Fields of an HTML form; ApiError 400 when it is not UTF-8.

    >>> form_pairs(b"text=%E4%BD%A0+a&max_length=3")
    [('text', '你 a'), ('max_length', '3')]
    """
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except ValueError:
        raise unreadable("it is not UTF-8") from None


def part_pairs(body: bytes, content_type: str) -> list[tuple[str, str]]:
    """Fields of a form in parts (`curl -F`); ApiError 400 when it is broken, 422 when it carries a file."""
    head = b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n"
    form = message_from_bytes(head + body, policy=email.policy.HTTP)
    if not form.is_multipart() or form.defects:
        raise unreadable("its parts are not marked off as the Content-Type says")
    return [part_pair(part) for part in form.iter_parts()]


def part_pair(part: email.message.Message) -> tuple[str, str]:
    """Name and text of one part."""
    name = part.get_param("name", header="content-disposition")
    if not isinstance(name, str):
        raise unreadable("a part has no name")
    if part.get_filename() is not None:
        raise ApiError(
            UserError("the field {field!r} is a file", fix="send its text as an ordinary field", field=name),
            status=422,
            param=name,
        )
    data = part.get_payload(decode=True)
    try:
        return name, data.decode() if isinstance(data, bytes) else ""
    except UnicodeDecodeError:
        raise unreadable("it is not UTF-8") from None


def unreadable(reason: str) -> ApiError:
    """A form that cannot be read. `reason` is itself translated."""
    return ApiError(
        UserError(
            "the form cannot be read: {reason}", fix="send its fields in UTF-8, or send JSON", reason=Term(reason)
        )
    )
