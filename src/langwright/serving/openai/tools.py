"""Tools as OpenAI's interface has them: what may be called, whether it must be, and what holds the model to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from langwright.errors import UserError
from langwright.inference.calling.forms import CallForm, Tool
from langwright.inference.calling.grammar import Allowed, grammar_of
from langwright.inference.calling.reading import CallReader, Part, Spoken
from langwright.inference.control.checking import check_text
from langwright.inference.control.forms import grammar_of as schema_grammar
from langwright.inference.control.settings import Control
from langwright.inference.protocol import FinishReason
from langwright.inference.texts.text import TextModel
from langwright.inference.texts.written import TextPiece
from langwright.serving.complaints import NOT_DONE, ApiError, not_done
from langwright.serving.openai.bodies import Unset
from langwright.serving.openai.messages import FunctionName
from langwright.settings import Settings

Mode = Literal["none", "auto", "required"]
NOTHING: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


class Function(Settings):
    """A function that may be called."""

    name: Annotated[FunctionName, Field(description="Letters, digits, _ and -, 64 at most", examples=['"weather"'])]
    description: Annotated[str | None, Field(description="What it is for, told to the model")] = None
    parameters: Annotated[
        dict[str, JsonValue] | None, Field(description="JSON Schema of its arguments, an object; none when left out")
    ] = None
    strict: Annotated[bool | None, Field(description="Whether arguments are held to the schema; they always are")] = (
        None
    )

    @property
    def tool(self) -> Tool:
        """As the rest of the house knows it."""
        given = NOTHING if self.parameters is None else {"type": "object", **self.parameters}
        return Tool(self.name, self.description or "", given)


class FunctionTool(Settings):
    """One tool."""

    type: Annotated[Literal["function"], NOT_DONE]
    function: Annotated[Function, Field(description="The function")]
    custom: Unset = None


class Named(Settings):
    """A function by its name."""

    name: Annotated[FunctionName, Field(description="The name of a tool")]


class NamedChoice(Settings):
    """This function is to be called."""

    type: Literal["function"]
    function: Named


class Subset(Settings):
    """Some of the tools."""

    mode: Annotated[Literal["auto", "required"], Field(description="Whether one of them must be called")]
    tools: Annotated[tuple[NamedChoice, ...], Field(min_length=1, description="The tools, by their names")]


class SubsetChoice(Settings):
    """Some of the tools may be called."""

    type: Literal["allowed_tools"]
    allowed_tools: Subset


class CustomChoice(Settings):
    """A tool that is no function; known, and not done."""

    type: Literal["custom"]
    custom: Annotated[dict[str, JsonValue] | None, NOT_DONE] = None


Choice = Mode | NamedChoice | SubsetChoice | CustomChoice


def check_tools(tools: Sequence[FunctionTool]) -> dict[str, Tool]:
    """The tools by their names.

    raises  ApiError for two of one name, and for parameters that are no JSON schema of an object
    """
    found: dict[str, Tool] = {}
    for number, one in enumerate(tools):
        tool, place = one.function.tool, f"tools.{number}.function"
        if tool.name in found:
            raise ApiError(
                UserError("two tools are called {name!r}", fix="give each a name of its own", name=tool.name),
                status=422,
                param=f"{place}.name",
            )
        if tool.parameters["type"] != "object":
            raise ApiError(
                UserError(
                    "the arguments of {name} are no object: type is {type}",
                    fix="give a schema of type object, with an entry in properties for each argument",
                    name=tool.name,
                    type=str(tool.parameters["type"]),
                ),
                status=422,
                param=f"{place}.parameters.type",
            )
        try:
            schema_grammar(Control(json_schema=tool.parameters))
        except UserError as error:
            raise ApiError(error, param=f"{place}.parameters") from None
        found[tool.name] = tool
    return found


def allowed_by(
    tools: dict[str, Tool], choice: Choice | None, several: bool, answer: dict[str, Any] | bool | None
) -> Allowed | None:
    """What an answer may be; None where nothing may be called.

    raises  ApiError 422 for a choice of a tool that is not there
    """
    if isinstance(choice, CustomChoice):
        raise not_done("tool_choice.type")
    if not tools or choice == "none":
        return None
    if isinstance(choice, NamedChoice):
        return Allowed((chosen(tools, choice, "tool_choice.function.name"),), must=True, several=False)
    if isinstance(choice, SubsetChoice):
        subset = choice.allowed_tools
        place = "tool_choice.allowed_tools.tools"
        some = {one.function.name: chosen(tools, one, place) for one in subset.tools}
        return Allowed(tuple(some.values()), subset.mode == "required", several, answer)
    return Allowed(tuple(tools.values()), choice == "required", several, answer)


def chosen(tools: dict[str, Tool], choice: NamedChoice, param: str) -> Tool:
    """The tool of a choice."""
    name = choice.function.name
    if name not in tools:
        raise ApiError(
            UserError(
                "tool_choice names {name!r}, which is not among the tools",
                fix="name one of: {tools}",
                name=name,
                tools=", ".join(tools),
            ),
            status=422,
            param=param,
        )
    return tools[name]


@dataclass(frozen=True)
class Calling:
    """What one request asks of calls.

    special  special tokens that stand in the form, with their ids
    """

    form: CallForm
    allowed: Allowed
    special: dict[str, int]

    @property
    def control(self) -> Control:
        """What holds the model to it."""
        return Control(grammar=grammar_of(self.form, self.allowed, self.special))

    def reader(self) -> Said:
        """What reads one answer."""
        return Said(self)

    def check(self, reader: CallReader, reason: FinishReason) -> None:
        """A last look at an answer that ended by itself, whatever wrote it; UserError for one that was not asked for."""
        if reason != "stop":
            return
        tools = {tool.name: tool for tool in self.allowed.tools}
        strange = [call.name for call in reader.calls if call.name not in tools]
        if strange or not reader.whole or (self.allowed.must and not reader.calls):
            raise UserError(
                "what was written is no call of a tool that may be called",
                fix="report it with the tools; this model's engine does not keep to forms",
            )
        for call in reader.calls:
            check_text(call.arguments, tools[call.name].parameters)
        if self.allowed.answer is not None and not reader.calls:
            check_text(reader.text, self.allowed.answer)


def special_in(model: TextModel, form: CallForm) -> dict[str, int]:
    """The special tokens of a model that stand in a form, with their ids."""
    parts = (form.opening, form.between, form.joint or "", form.closing)
    known = model.tokenizer.added_tokens_decoder
    return {
        token.content: id
        for id, token in known.items()
        if token.special and token.content and any(token.content in part for part in parts)
    }


class Said:
    """One answer as it is written: what is said, and what is called where there are tools."""

    def __init__(self, calling: Calling | None) -> None:
        self.calling = calling
        self.reader = CallReader(calling.form) if calling is not None else None
        self._names = {id: name for name, id in calling.special.items()} if calling is not None else {}

    def push(self, piece: TextPiece) -> list[Part]:
        """What becomes clear with a piece. Special tokens have no text; those before it are put back as they are read."""
        if self.reader is None:
            return [Spoken(piece.text)]
        marks = "".join(self._names.get(token.id, "") for token in piece.tokens)
        return self.reader.push(marks + piece.text)

    def end(self, reason: FinishReason) -> list[Part]:
        """What is clear at the end.

        raises  UserError for an answer that was not asked for
        """
        if self.reader is None or self.calling is None:
            return []
        rest = self.reader.end()
        self.calling.check(self.reader, reason)
        return rest
