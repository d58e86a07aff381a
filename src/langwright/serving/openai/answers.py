"""The answers of OpenAI's interface, and how they are made from tokens."""

from __future__ import annotations

import codecs
import time
import uuid
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer

from langwright.inference.protocol import Token
from langwright.inference.texts.text import TextModel
from langwright.inference.texts.written import TextCompletion


def new_id(prefix: str) -> str:
    """A name for one answer."""
    return f"{prefix}-{uuid.uuid4().hex}"


def now() -> int:
    """Seconds since 1970."""
    return int(time.time())


FinishReason = Literal["stop", "length"]
ChatFinishReason = Literal["stop", "length", "tool_calls"]


class Sparse(BaseModel):
    """Leaves out what was not given, where OpenAI leaves it out rather than writing null."""

    @model_serializer(mode="wrap")
    def _only_given(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {
            name: value for name, value in write(self).items() if value is not None or name in self.model_fields_set
        }


class Usage(BaseModel):
    """Token counts of a request; a prompt counts once, however many answers it gets."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ModelCard(BaseModel):
    """One model. What stands below `owned_by` is not in OpenAI's interface."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["langwright"] = "langwright"
    context: int  # most tokens of prompt and answer together
    template_sha256: str | None  # of the chat template, to compare with the model's card
    watermark: str | None = None  # kind of the mark in what it writes
    tier: str = ""  # how its requests run together; empty where another server runs it
    tier_reason: str = ""  # why not in a better way


class ModelList(BaseModel):
    """GET /v1/models."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


class CompletionLogprobs(BaseModel):
    """Four lists of one length, one entry a token."""

    tokens: list[str]
    token_logprobs: list[float | None]  # nats, temperature 1; null for the first token of an echoed prompt
    top_logprobs: list[dict[str, float]] | None
    text_offset: list[int]  # characters from the beginning of the prompt


class CompletionChoice(BaseModel):
    """One continuation, or a piece of it. `seed` is not in OpenAI's interface."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None = None
    finish_reason: FinishReason | None
    seed: int | None = None


class Completion(Sparse):
    """The answer of /v1/completions, and each event of its stream."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage | None = None


class TopLogprob(BaseModel):
    """An alternative to a token."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(TopLogprob):
    """A token and its alternatives."""

    top_logprobs: list[TopLogprob]


class ChatLogprobs(BaseModel):
    """One entry a token."""

    content: list[TokenLogprob]
    refusal: None = None


class FunctionCall(BaseModel):
    """A function and its arguments, a JSON object as text."""

    name: str
    arguments: str


class ToolCall(BaseModel):
    """One call. Its arguments are of the schema of the tool, unless the answer was cut."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class AssistantMessage(Sparse):
    """What the assistant said and called; content is null where it only called."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: None
    tool_calls: list[ToolCall] | None = None


class ChatChoice(BaseModel):
    """One answer. `seed` is not in OpenAI's interface."""

    index: int
    message: AssistantMessage
    logprobs: ChatLogprobs | None
    finish_reason: ChatFinishReason
    seed: int


class ChatCompletion(BaseModel):
    """The answer of /v1/chat/completions."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage


class FunctionDelta(Sparse):
    """More of a call: its name at first, then its arguments, to be joined as they come."""

    name: str | None = None
    arguments: str


class ToolCallDelta(Sparse):
    """More of the call with this number; its id comes with its name."""

    index: int
    id: str | None = None
    type: Literal["function"] | None = None
    function: FunctionDelta


class Delta(Sparse):
    """What was said or called since the last event."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    tool_calls: list[ToolCallDelta] | None = None


class ChunkChoice(Sparse):
    """A piece of one answer; the seed comes with the last."""

    index: int
    delta: Delta
    logprobs: ChatLogprobs | None
    finish_reason: ChatFinishReason | None
    seed: int | None = None


class ChatChunk(Sparse):
    """One event of a streamed chat."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None


# --- from tokens ---------------------------------------------------------------------------------


def token_name(data: bytes) -> str:
    """A token's bytes as OpenAI writes them: the text, or `bytes:\\xe4\\xbd` where they are no whole characters.

    >>> token_name("你".encode()), token_name("你".encode()[:2])
    ('你', 'bytes:\\\\xe4\\\\xbd')
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)


def chat_logprobs(model: TextModel, tokens: Sequence[Token]) -> ChatLogprobs:
    """The entries of a chat answer's tokens."""

    def entry(id: int, logprob: float) -> TopLogprob:
        data = model.token_bytes(id)
        return TopLogprob(token=token_name(data), logprob=finite(logprob), bytes=list(data))

    return ChatLogprobs(
        content=[
            TokenLogprob(
                **entry(token.id, token.logprob).model_dump(),
                top_logprobs=[entry(id, logprob) for id, logprob in token.top],
            )
            for token in tokens
        ]
    )


class Offsets:
    """Where each token of one text begins, in characters; a token inside a character begins where that one does."""

    def __init__(self, start: int) -> None:
        self.place = start
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")

    def next(self, data: bytes) -> int:
        """The place of the token with these bytes."""
        here = self.place
        self.place += len(self._decoder.decode(data))
        return here


def completion_logprobs(
    model: TextModel,
    ids: Sequence[int],
    logprobs: Sequence[float | None],
    tops: Sequence[Sequence[tuple[int, float]]] | None,
    offsets: Offsets,
) -> CompletionLogprobs:
    """The lists of /v1/completions.

    tops     alternatives of each token; the token itself is always among what is reported, as at OpenAI
    offsets  how far the text has come
    """
    data = [model.token_bytes(id) for id in ids]
    names = [token_name(token) for token in data]
    found: list[dict[str, float]] | None = None
    if tops is not None:
        found = [
            {token_name(model.token_bytes(other)): finite(value) for other, value in top}
            | ({name: finite(logprob)} if logprob is not None else {})
            for name, logprob, top in zip(names, logprobs, tops, strict=True)
        ]
    return CompletionLogprobs(
        tokens=names,
        token_logprobs=[None if value is None else finite(value) for value in logprobs],
        top_logprobs=found,
        text_offset=[offsets.next(token) for token in data],
    )


def finite(logprob: float) -> float:
    """JSON has no minus infinity; OpenAI writes -9999 for it."""
    return max(logprob, -9999.0)


def usage(prompts: int, completions: Sequence[TextCompletion]) -> Usage:
    """Token counts: all prompts once, and every token made."""
    made = sum(len(completion.token_ids) for completion in completions)
    return Usage(prompt_tokens=prompts, completion_tokens=made, total_tokens=prompts + made)
