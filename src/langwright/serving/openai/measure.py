"""How much a request may ask for, and how an answer ends: what chats and completions share."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Response
from pydantic import BaseModel

from langwright.errors import UserError
from langwright.inference.texts.text import TextModel
from langwright.inference.texts.written import TextCompletion
from langwright.serving.house import House
from langwright.serving.openai.answers import FinishReason

SHORT = 1000  # characters that are made tokens at once: waking a thread takes longer


async def tokens_of(house: House, model: TextModel, text: str) -> list[int]:
    """A plain prompt as ids, by a thread where it is long."""
    return model.tokenize(text) if len(text) <= SHORT else await house.desk.aside(model.tokenize, text)


def room_for(house: House, model: TextModel, prompt: Sequence[int], asked: int | None, default: int | None) -> int:
    """New tokens to make at most.

    asked    what the caller said
    default  what holds when the caller said nothing; None for all that the context has room for
    raises   UserError when the prompt leaves no room, or not as much as was asked for
    """
    room = model.room(prompt)
    if asked is None:
        return min(house.settings.max_new_tokens, room if default is None else min(default, room))
    house.check_new_tokens(asked)
    if asked > room:
        raise UserError(
            "{asked} new tokens after a prompt of {tokens} do not fit the model's context of {context}",
            fix="ask for at most {room} new tokens, or shorten the prompt",
            asked=asked,
            tokens=len(prompt),
            context=model.context,
            room=room,
        )
    return asked


def check_choices(house: House, count: int) -> None:
    """UserError when one request asks for more answers than the server gives at once."""
    limit = min(house.settings.max_choices, house.settings.max_open)
    if count > limit:
        raise UserError(
            "{count} answers in one request are more than the {limit} this server gives",
            fix="send several requests, or start it with a larger max_choices and max_open",
            count=count,
            limit=limit,
        )


def reason(completion: TextCompletion) -> FinishReason:
    """Why it ended, in OpenAI's words; the others never reach an answer."""
    return "length" if completion.finish_reason == "length" else "stop"


def json_response(body: BaseModel) -> Response:
    """A body as UTF-8 JSON, Chinese as it is."""
    return Response(body.model_dump_json(), media_type="application/json")
