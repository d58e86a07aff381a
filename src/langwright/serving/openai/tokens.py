"""/v1/tokenize and /v1/detokenize: a text or a conversation as the model reads it, and back.

Not in OpenAI's interface; the fields are those of vLLM's routes of these names.
"""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, model_validator

from langwright.errors import UserError
from langwright.inference.texts.text import TextModel
from langwright.serving.complaints import ApiError
from langwright.serving.house import House, documented
from langwright.serving.openai.answers import Sparse
from langwright.serving.openai.bodies import TokenId
from langwright.serving.openai.chat import ChatRequest
from langwright.serving.openai.chatting import prepared
from langwright.serving.openai.measure import json_response
from langwright.serving.openai.messages import ChatMessage
from langwright.serving.openai.tools import FunctionTool
from langwright.settings import Settings


class TokenizeRequest(Settings):
    """POST /v1/tokenize: what the model reads of a text, or of a conversation."""

    model: Annotated[
        str,
        Field(description="Name of the model, one of those in /v1/models", examples=['"chat" (a name in /v1/models)']),
    ]
    prompt: Annotated[str | None, Field(description="A text, as /v1/completions reads it", examples=['"你好"'])] = None
    messages: Annotated[
        tuple[ChatMessage, ...] | None,
        Field(
            min_length=1,
            description="A conversation, as /v1/chat/completions reads it",
            examples=['[{"role": "user", "content": "你好"}]'],
        ),
    ] = None
    tools: Annotated[
        tuple[FunctionTool, ...] | None,
        Field(
            description="The tools that are told with a conversation",
            examples=['[{"type": "function", "function": {"name": "weather"}}]'],
        ),
    ] = None
    add_special_tokens: Annotated[
        bool, Field(description="With the tokenizer's own marks around a text, such as its start token")
    ] = True
    return_token_strs: Annotated[bool, Field(description="Also what each token is called")] = False

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.prompt is None) == (self.messages is None):
            raise ApiError(
                UserError("a prompt or messages are needed, and not both", fix="give one of the two"),
                status=422,
                param="prompt",
            )
        if self.tools and self.messages is None:
            raise ApiError(
                UserError("tools are told with messages only", fix="leave tools out, or give messages"),
                status=422,
                param="tools",
            )
        return self


class Tokenized(Sparse):
    """The answer of POST /v1/tokenize."""

    count: int
    max_model_len: int  # most tokens of prompt and answer together
    tokens: list[int]
    token_strs: list[str] | None = None


class DetokenizeRequest(Settings):
    """POST /v1/detokenize: the text of tokens."""

    model: Annotated[
        str,
        Field(description="Name of the model, one of those in /v1/models", examples=['"chat" (a name in /v1/models)']),
    ]
    tokens: Annotated[tuple[TokenId, ...], Field(description="Ids of tokens", examples=["[72, 105]"])]


class Detokenized(BaseModel):
    """The answer of POST /v1/detokenize."""

    prompt: str  # with the names of special tokens; U+FFFD for bytes that are no whole character


def token_routes(house: House) -> APIRouter:
    """The routes, over the models of a house."""
    router = APIRouter(tags=["Tokens"])

    @router.post("/v1/tokenize", response_model=Tokenized, openapi_extra=documented(TokenizeRequest))
    async def tokenize(request: Request) -> Response:
        """What the model reads of a text, or of a conversation."""
        asked = await house.read(request, TokenizeRequest)
        model = house.model(asked.model)
        ids = await house.desk.aside(ids_of, model, asked)
        body = Tokenized(count=len(ids), max_model_len=model.context, tokens=ids)
        if asked.return_token_strs:
            body.token_strs = [str(name) for name in model.tokenizer.convert_ids_to_tokens(ids)]
        return json_response(body)

    @router.post("/v1/detokenize", response_model=Detokenized, openapi_extra=documented(DetokenizeRequest))
    async def detokenize(request: Request) -> Detokenized:
        """The text of tokens."""
        asked = await house.read(request, DetokenizeRequest)
        model = house.model(asked.model)
        return Detokenized(prompt=await house.desk.aside(text_of, model, asked.tokens))

    return router


def ids_of(model: TextModel, asked: TokenizeRequest) -> list[int]:
    """The ids of what is asked."""
    if asked.messages is not None:
        return prepared(model, ChatRequest(model=asked.model, messages=asked.messages, tools=asked.tools))[0]
    text = asked.prompt or ""
    if asked.add_special_tokens:
        return model.tokenize(text)
    return list(model.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def text_of(model: TextModel, ids: tuple[int, ...]) -> str:
    """The text of ids.

    raises  UserError for an id that the tokenizer does not have
    """
    known = len(model.tokenizer)
    strange = next((id for id in ids if id >= known), None)
    if strange is not None:
        raise ApiError(
            UserError("there is no token {id}", fix="give ids below {known}", id=strange, known=known), param="tokens"
        )
    return str(model.tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))
