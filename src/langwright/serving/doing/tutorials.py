"""POST /generate, as tutorials on serving a language model teach it: a form in, `generated_text` out.

Where tutorials end, this goes on: both kinds of forms and JSON, every field checked, clear refusals,
Chinese as UTF-8, and a bound on the work.
"""

from __future__ import annotations

import email.message
import email.policy
from email import message_from_bytes
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from pydantic_core import to_json

from langwright.errors import UserError
from langwright.inference.protocol import Sampling
from langwright.serving.access.guards import media_type, read_body
from langwright.serving.complaints import ApiError
from langwright.serving.house import House, documented, parse, refuse_query
from langwright.serving.streaming import Ask, unless_gone
from langwright.settings import Settings
from langwright.wording import Term

FORM, PARTS, JSON = "application/x-www-form-urlencoded", "multipart/form-data", "application/json"


class GenerateRequest(Settings):
    """POST /generate: continue a text with the likeliest tokens."""

    text: Annotated[str, Field(min_length=1, description="The text to continue", examples=['"Once upon a time"'])]
    max_length: Annotated[
        int,
        Field(
            ge=1,
            description="Most new tokens (the text is not counted); fewer when the model's context is full or it ends by itself",
        ),
    ] = 100
    model: Annotated[str | None, Field(description="Name of the model; the first one served when left out")] = None


class GenerateAnswer(BaseModel):
    """The answer of POST /generate."""

    generated_text: str  # the text that was given, and what the model wrote after it


def tutorial_routes(house: House) -> APIRouter:
    """The route, over the models of a house."""
    router = APIRouter(tags=["Tutorial"])

    @router.post("/generate", openapi_extra=documented(GenerateRequest, JSON, FORM, PARTS))
    async def generate(request: Request) -> GenerateAnswer:
        """Continue a text with the likeliest tokens."""
        asked = await read_generate(house, request)
        model = house.model(asked.model if asked.model is not None else next(iter(house.models or house.doing)))
        house.check_new_tokens(asked.max_length)
        prompt = await house.desk.aside(model.tokenize, asked.text)
        room = min(asked.max_length, model.room(prompt))
        answers = await house.desk.open(model, [Ask(prompt, Sampling(temperature=0.0, max_new_tokens=room))])
        try:
            (done,) = await unless_gone(request.receive, answers.completions())
        finally:
            answers.cancel()
        return GenerateAnswer(generated_text=asked.text + done.text)

    return router


async def read_generate(house: House, request: Request) -> GenerateRequest:
    """The fields of the request, whichever way they were sent."""
    refuse_query(request)
    kind = media_type(request, JSON, FORM, PARTS)
    body = await read_body(request, house.settings.max_body_bytes)
    if kind == JSON:
        return parse(GenerateRequest, body)
    pairs = form_pairs(body) if kind == FORM else part_pairs(body, request.headers["content-type"])
    fields: dict[str, str | int] = {}
    for name, value in pairs:
        if name in fields:
            raise ApiError(
                UserError("the field {field!r} is given twice", fix="give it once", field=name), status=422, param=name
            )
        fields[name] = int(value) if name == "max_length" and is_whole(value) else value
    return parse(GenerateRequest, to_json(fields))


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
