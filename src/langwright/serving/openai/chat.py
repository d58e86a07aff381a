"""The body of /v1/chat/completions."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from langwright.errors import UserError
from langwright.inference.calling.forms import CallTurn
from langwright.inference.calling.grammar import Allowed
from langwright.inference.control.settings import Control
from langwright.serving.complaints import NOT_DONE, ApiError
from langwright.serving.openai.bodies import Asked, Empty, EmptyTable, Unset, needs
from langwright.serving.openai.messages import ChatMessage, check_messages
from langwright.serving.openai.tools import Choice, FunctionTool, allowed_by, check_tools
from langwright.settings import Settings


class PlainText(Settings):
    """The response format that asks for nothing."""

    type: Literal["text"]


class JsonObject(Settings):
    """The response format of any JSON object."""

    type: Literal["json_object"]

    @property
    def json_form(self) -> dict[str, JsonValue] | bool:
        """The schema it stands for."""
        return {"type": "object"}


class NamedSchema(Settings):
    """A schema with the name and description that OpenAI's clients give it."""

    name: Annotated[str, Field(min_length=1, max_length=64, description="What the schema is called")]
    description: Annotated[str | None, Field(description="What it is for; not shown to the model")] = None
    wanted: Annotated[dict[str, JsonValue] | bool, Field(alias="schema", description="JSON Schema, draft 2020-12")]
    strict: Annotated[bool | None, Field(description="Whether the answer is held to the schema; it always is")] = None


class JsonOfSchema(Settings):
    """The response format of JSON that fulfils a schema."""

    type: Literal["json_schema"]
    json_schema: Annotated[NamedSchema, Field(description="The schema")]

    @property
    def json_form(self) -> dict[str, JsonValue] | bool:
        """The schema."""
        return self.json_schema.wanted


class ChatRequest(Asked):
    """POST /v1/chat/completions: the assistant's next turn."""

    messages: Annotated[
        tuple[ChatMessage, ...],
        Field(min_length=1, description="The conversation so far", examples=['[{"role": "user", "content": "你好"}]']),
    ]
    max_completion_tokens: Annotated[
        int | None,
        Field(ge=1, description="Most new tokens; default what the context has room for, up to the server's limit"),
    ] = None
    max_tokens: Annotated[int | None, Field(ge=1, description="The old name of max_completion_tokens")] = None
    response_format: Annotated[
        PlainText | JsonObject | JsonOfSchema | None,
        Field(
            discriminator="type",
            description="The form of the answer: text, any JSON object, or JSON of a schema",
            examples=['{"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}'],
        ),
    ] = None
    logprobs: Annotated[bool | None, Field(description="Log-probabilities of the tokens in nats; default false")] = (
        False
    )
    top_logprobs: Annotated[
        int | None,
        Field(ge=0, le=20, description="How many alternatives to report with each token; only with logprobs"),
    ] = None

    tools: Annotated[
        tuple[FunctionTool, ...] | None,
        Field(
            max_length=128,
            description="Functions that the model may call",
            examples=['[{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]'],
        ),
    ] = None
    tool_choice: Annotated[
        Choice | None,
        Field(
            description="none, auto (a call or a text; the default), required, or the name of one function",
            examples=['"auto" or {"type": "function", "function": {"name": "weather"}}'],
        ),
    ] = None
    parallel_tool_calls: Annotated[
        bool | None,
        Field(description="Whether an answer may have several calls, where the model's template can; default true"),
    ] = None

    audio: Unset = None
    function_call: Unset = None
    functions: Empty = None
    metadata: EmptyTable = None
    modalities: Annotated[tuple[Literal["text"]] | None, NOT_DONE] = None
    moderation: Unset = None
    prediction: Unset = None
    prompt_cache_key: Unset = None
    prompt_cache_options: Unset = None
    prompt_cache_retention: Unset = None
    reasoning_effort: Unset = None
    safety_identifier: Unset = None
    service_tier: Annotated[Literal["auto", "default"] | None, NOT_DONE] = None
    store: Annotated[Literal[False] | None, NOT_DONE] = None
    verbosity: Unset = None
    web_search_options: Unset = None

    @model_validator(mode="after")
    def _what_goes_together(self) -> Self:
        if self.top_logprobs is not None and not self.logprobs:
            raise needs("top_logprobs", "logprobs")
        limits = {self.max_tokens, self.max_completion_tokens} - {None}
        if len(limits) > 1:
            raise ApiError(
                UserError(
                    "max_tokens = {old} and max_completion_tokens = {new} contradict each other",
                    fix="give one of them; they mean the same",
                    old=self.max_tokens,
                    new=self.max_completion_tokens,
                ),
                status=422,
                param="max_tokens",
            )
        return self

    @model_validator(mode="after")
    def _calls_go_together(self) -> Self:
        tools = check_tools(self.tools or ())
        if not tools and self.tool_choice not in (None, "none"):
            raise needs("tool_choice", "tools")
        if not tools and self.parallel_tool_calls is not None:
            raise needs("parallel_tool_calls", "tools")
        check_messages(self.messages, tools)
        if self.allowed is not None:
            for name in ("stop", "control"):
                if getattr(self, name) is not None:
                    raise ApiError(
                        UserError(
                            "tools and {name} do not go together: it could cut or bend a call",
                            fix="leave {name} out, or give tool_choice none",
                            name=name,
                        ),
                        param=name,
                    )
        return self

    @property
    def allowed(self) -> Allowed | None:
        """What the answer may be; None where nothing may be called."""
        tools = {one.function.name: one.function.tool for one in self.tools or ()}
        return allowed_by(tools, self.tool_choice, self.parallel_tool_calls is not False, self.json_form)

    @property
    def turns(self) -> list[CallTurn]:
        """The conversation as the rest of the house knows it."""
        return [message.turn for message in self.messages]

    @property
    def calls(self) -> bool:
        """Whether there are calls in the conversation, or may be in the answer."""
        return self.allowed is not None or any(message.tool_calls for message in self.messages)

    @property
    def json_form(self) -> dict[str, Any] | bool | None:
        """The schema of the response format; None where it asks for none."""
        return None if isinstance(self.response_format, PlainText | None) else self.response_format.json_form

    @property
    def wanted(self) -> Control | None:
        """What the answer must be like, said in either way.

        raises  UserError where both name a form
        """
        if self.json_form is None:
            return self.control
        own = self.control.model_dump(exclude_defaults=True) if self.control else {}
        if self.control is not None and self.control.form is not None:
            raise UserError(
                "response_format and control.{form} contradict each other",
                fix="give one of them, and leave the other out",
                form=self.control.form,
            )
        return Control(**own, json_schema=self.json_form)

    @property
    def most(self) -> int | None:
        """Most new tokens, by either name."""
        return self.max_completion_tokens or self.max_tokens
