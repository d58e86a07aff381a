"""Messages of a conversation as OpenAI's interface has them, and whether they keep to what they say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from langwright.errors import UserError
from langwright.inference.calling.forms import Call, CallTurn, Tool
from langwright.inference.control.checking import fault
from langwright.serving.complaints import NOT_DONE, ApiError
from langwright.serving.openai.bodies import Empty, Unset
from langwright.settings import Settings

FunctionName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class TextPart(Settings):
    """One part of a message's content; this version reads text only."""

    type: Literal["text"]
    text: str


class CalledFunction(Settings):
    """Which function was called, and how."""

    name: Annotated[FunctionName, Field(description="The name of the function", examples=['"weather"'])]
    arguments: Annotated[
        str, Field(description="Its arguments, a JSON object as text", examples=['"{\\"city\\": \\"北京\\"}"'])
    ]


class MessageCall(Settings):
    """A call that the assistant made."""

    id: Annotated[str, Field(min_length=1, max_length=64, description="The name of the call, for its answer")]
    type: Annotated[Literal["function"], NOT_DONE]
    function: Annotated[CalledFunction, Field(description="The function that was called")]
    index: Annotated[int | None, Field(ge=0, description="As streamed events have it; says nothing here")] = None
    custom: Unset = None


class ChatMessage(Settings):
    """One turn of a conversation. The fields that answers carry may be sent back with them."""

    role: Annotated[
        Literal["system", "developer", "user", "assistant", "tool"],
        Field(description="Who speaks; developer is another name for system"),
    ]
    content: Annotated[
        str | tuple[TextPart, ...] | None,
        Field(
            description="What is said: a text, or parts of type text, joined as they are; null for an assistant that only calls",
            examples=['"你好"'],
        ),
    ] = None
    tool_calls: Annotated[
        tuple[MessageCall, ...] | None,
        Field(description="Calls that the assistant made", examples=["what an answer has as tool_calls"]),
    ] = None
    tool_call_id: Annotated[
        str | None, Field(description="Which call a message of role tool answers", examples=['"id of the call"'])
    ] = None

    refusal: Unset = None
    name: Unset = None
    audio: Unset = None
    annotations: Empty = None
    function_call: Unset = None
    reasoning_content: Unset = None

    @property
    def text(self) -> str:
        """What is said, as one text."""
        said = self.content or ""
        return said if isinstance(said, str) else "".join(part.text for part in said)

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls in it."""
        return tuple(Call(one.id, one.function.name, one.function.arguments) for one in self.tool_calls or ())

    @property
    def turn(self) -> CallTurn:
        """As the rest of the house knows it."""
        role = "system" if self.role == "developer" else self.role
        return CallTurn(role, self.text, self.calls, self.tool_call_id or "")


def check_messages(messages: Sequence[ChatMessage], tools: Mapping[str, Tool]) -> None:
    """ApiError 422 for the first message that cannot stand where it does.

    Each call is answered before somebody else speaks, each answer is to a call, and arguments are JSON of the schema
    of their tool, where it is among these.
    """
    open_calls: set[str] = set()
    for number, message in enumerate(messages):
        place = f"messages.{number}"
        if message.role == "tool":
            open_calls.discard(answered(message, open_calls, place))
            continue
        if open_calls:
            raise unanswered(open_calls, place)
        if message.tool_call_id is not None:
            raise only_for(f"{place}.tool_call_id", "tool")
        if message.tool_calls and message.role != "assistant":
            raise only_for(f"{place}.tool_calls", "assistant")
        if message.content is None and not message.tool_calls:
            raise missing(f"{place}.content")
        for at, call in enumerate(message.calls):
            if call.id in open_calls:
                raise wrong(UserError("two calls have the id {id!r}", fix="give each an id of its own", id=call.id), f"{place}.tool_calls.{at}.id")  # fmt: skip
            check_arguments(call, tools, f"{place}.tool_calls.{at}.function.arguments")
            open_calls.add(call.id)
    if open_calls:
        raise unanswered(open_calls, f"messages.{len(messages) - 1}")


def answered(message: ChatMessage, open_calls: set[str], place: str) -> str:
    """The id of the call that a tool answers.

    raises  ApiError 422 where there is none that waits for it
    """
    if message.tool_call_id is None:
        raise missing(f"{place}.tool_call_id")
    if message.content is None:
        raise missing(f"{place}.content")
    if message.tool_calls:
        raise only_for(f"{place}.tool_calls", "assistant")
    if message.tool_call_id not in open_calls:
        raise wrong(
            UserError(
                "no call before this message has the id {id!r}, or it is answered already",
                fix="put the assistant's message with the call before its answer",
                id=message.tool_call_id,
            ),
            f"{place}.tool_call_id",
        )
    return message.tool_call_id


def check_arguments(call: Call, tools: Mapping[str, Tool], param: str) -> None:
    """ApiError 422 for arguments that are no JSON object, or not of their tool's schema."""
    try:
        given = json.loads(call.arguments)
        if not isinstance(given, dict):
            raise ValueError
        json.dumps(given, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise wrong(
            UserError(
                "the arguments of the call {id!r} are no JSON object",
                fix="send them as they came, such as {example}",
                id=call.id,
                example='{"city": "北京"}',
            ),
            param,
        ) from None
    found = fault(given, tools[call.name].parameters) if call.name in tools else None
    if found is not None:
        raise wrong(
            UserError(
                "the arguments of the call {id!r} are not what {tool} takes: {reason}",
                fix="send them as they came; the server writes none that a tool does not take",
                id=call.id,
                tool=call.name,
                reason=found,
            ),
            param,
        )


def wrong(error: UserError, param: str) -> ApiError:
    """For a message that cannot stand where it does."""
    return ApiError(error, status=422, param=param)


def unanswered(ids: set[str], param: str) -> ApiError:
    """Calls that no tool answered before somebody else speaks."""
    return wrong(
        UserError(
            "the call {id!r} is not answered",
            fix="put a message of role tool with its id behind it, before anybody else speaks",
            id=min(ids),
        ),
        param,
    )


def missing(param: str) -> ApiError:
    """A field that this message needs."""
    return wrong(UserError("the field {field!r} is missing", fix="add {field!r} to the body", field=param), param)


def only_for(param: str, role: str) -> ApiError:
    """A field of messages of another role."""
    return wrong(
        UserError(
            "{field} belongs to messages of role {role}",
            fix="leave it out, or give the message that role",
            field=param,
            role=role,
        ),
        param,
    )
