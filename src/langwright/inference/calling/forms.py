"""How a chat template writes calls of tools, found by having it write some, and conversations with calls as ids.

Templates differ in the marks around a call, and models were taught the marks of theirs. None is known here by name: the
template writes an answer of one call and an answer of two, and what stands around the names and the arguments is the
form. It must name tools that it is given, write arguments as JSON, and show what a tool answered; a template that does
not is given the tools in words, and calls in the tags of `TAGGED`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langwright.data.characters import CHARACTERS
from langwright.errors import UserError
from langwright.tokenizers.templates import BREAK, applied, disarm, text_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ID = 9  # letters and digits of a call's id; some templates refuse any other length
WILD = "\0"  # in a form, any letter or digit of an id


@dataclass(frozen=True)
class Tool:
    """What a model may call.

    parameters  JSON schema of the arguments, an object
    """

    name: str
    description: str
    parameters: dict[str, Any]

    def told(self) -> dict[str, Any]:
        """As templates are given it."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}


@dataclass(frozen=True)
class Call:
    """One call; `arguments` is the JSON text of an object."""

    id: str
    name: str
    arguments: str

    def told(self) -> dict[str, Any]:
        """As templates are given it."""
        function = {"name": self.name, "arguments": json.loads(self.arguments)}
        return {"id": self.id, "type": "function", "function": function}


@dataclass(frozen=True)
class CallTurn:
    """One message of a conversation with calls.

    calls  those of an assistant's turn
    about  in a tool's turn, the id of the call that it answers
    """

    role: str
    content: str = ""
    calls: tuple[Call, ...] = ()
    about: str = ""


@dataclass(frozen=True)
class CallForm:
    """opening NAME between ARGUMENTS (joint NAME between ARGUMENTS)* closing

    joint   None where an answer has one call at most
    native  whether the template itself writes tools, calls and answers
    """

    opening: str
    between: str
    joint: str | None
    closing: str
    native: bool

    @property
    def mark(self) -> str:
        """What a call begins with in the middle of a text; empty where only a whole answer can be calls."""
        return self.opening.partition("{")[0].rstrip()

    def written(self, calls: Sequence[Call]) -> str:
        """Calls in this form, which has no ids in it."""
        joint = self.joint if self.joint is not None else self.closing + self.opening
        said = joint.join(f"{call.name}{self.between}{call.arguments}" for call in calls)
        return f"{self.opening}{said}{self.closing}"


TAGGED = CallForm(
    opening='<tool_call>\n{"name": "',
    between='", "arguments": ',
    joint='}\n</tool_call>\n<tool_call>\n{"name": "',
    closing="}\n</tool_call>",
    native=False,
)
TAGS = ("<tools>", "</tools>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
TOLD = {
    "en": (
        "You may call tools. Each line between <tools> and </tools> describes one:\n<tools>\n{tools}\n</tools>\n"
        "To call one, answer with its name and its arguments as JSON:\n"
        '<tool_call>\n{{"name": NAME, "arguments": ARGUMENTS}}\n</tool_call>'
    ),
    "zh": (
        "你可以调用工具。<tools> 与 </tools> 之间每一行描述一个：\n<tools>\n{tools}\n</tools>\n"
        "要调用时，用 JSON 写出它的名字与参数作为回答：\n"
        '<tool_call>\n{{"name": 名字, "arguments": 参数}}\n</tool_call>'
    ),
}
_CHINESE = re.compile(f"[{CHARACTERS}]")


def conversation_ids(
    tokenizer: PreTrainedTokenizerBase, turns: Sequence[CallTurn], tools: Sequence[Tool], form: CallForm
) -> list[int]:
    """A conversation with calls as ids, up to where the assistant begins to speak.

    raises  UserError when there is no template, or it refuses the conversation
    """
    text = native_text(tokenizer, turns, tools, form.mark) if form.native else told_text(tokenizer, turns, tools)
    return text_ids(tokenizer, text)


def native_text(
    tokenizer: PreTrainedTokenizerBase,
    turns: Sequence[CallTurn],
    tools: Sequence[Tool],
    mark: str = "",
    *,
    open_end: bool = True,
) -> str:
    """The conversation as a template writes it that knows tools.

    mark      what begins a call, which nobody may write as text
    open_end  up to where the assistant begins to speak
    """
    names = {call.id: call.name for turn in turns for call in turn.calls}

    def told(turn: CallTurn) -> dict[str, Any]:
        message: dict[str, Any] = {"role": turn.role, "content": broken(disarm(tokenizer, turn.content), (mark,))}
        if turn.calls:
            message["tool_calls"] = [call.told() for call in turn.calls]
        if turn.role == "tool":
            message |= {"tool_call_id": turn.about, "name": names.get(turn.about, "")}
        return message

    return applied(tokenizer, [told(turn) for turn in turns], open_end, [tool.told() for tool in tools] or None)


def told_text(tokenizer: PreTrainedTokenizerBase, turns: Sequence[CallTurn], tools: Sequence[Tool]) -> str:
    """The conversation as a template writes it that knows no tools: they are told in the system's words, calls stand in
    the assistant's, and what tools answer in the user's.
    """
    plain: list[dict[str, Any]] = []
    for turn in turns:
        said = broken(disarm(tokenizer, turn.content), TAGS)
        if turn.calls:
            said = "\n".join(part for part in (said, TAGGED.written(turn.calls)) if part)
        if turn.role != "tool":
            plain.append({"role": turn.role, "content": said})
            continue
        said = f"<tool_response>\n{said}\n</tool_response>"
        if plain and plain[-1]["role"] == "user" and plain[-1]["content"].startswith("<tool_response>"):
            plain[-1]["content"] += f"\n{said}"
        else:
            plain.append({"role": "user", "content": said})
    return applied(tokenizer, with_tools(tokenizer, plain, turns, tools), True)


def with_tools(
    tokenizer: PreTrainedTokenizerBase, plain: list[dict[str, Any]], turns: Sequence[CallTurn], tools: Sequence[Tool]
) -> list[dict[str, Any]]:
    """Messages with the tools described in the first: the system's, or the user's where the template has no system."""
    if not tools:
        return plain
    chinese = any(_CHINESE.search(turn.content) for turn in turns if turn.role == "user")
    lines = "\n".join(json.dumps(tool.told(), ensure_ascii=False) for tool in tools)
    told = disarm(tokenizer, TOLD["zh" if chinese else "en"].format(tools=lines))
    if plain[0]["role"] != "system" and takes_system(tokenizer):
        return [{"role": "system", "content": told}, *plain]
    first = {**plain[0], "content": f"{told}\n\n{plain[0]['content']}" if plain[0]["content"] else told}
    return [first, *plain[1:]]


def takes_system(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the template writes what a system says."""
    try:
        said = applied(tokenizer, [{"role": "system", "content": "¤"}, {"role": "user", "content": "a"}], True)
    except UserError:
        return False
    return "¤" in said


def broken(text: str, marks: Sequence[str]) -> str:
    """A text with the marks in it broken up, so that nobody writes a call, or what a tool said, but who may."""
    for mark in marks:
        if len(mark) > 1:
            text = text.replace(mark, mark[0] + BREAK + mark[1:])
    return text


# --- finding the form --------------------------------------------------------------------------------

_FIRST, _SECOND = Call("firstcal1", "probe_one", '{"probe": "x"}'), Call("secondca2", "probe_two", '{"probe": "y"}')
_TOOLS = [
    Tool(call.name, "?", {"type": "object", "properties": {"probe": {"type": "string"}}}) for call in (_FIRST, _SECOND)
]
_SAID, _ANSWER = "¤", "¥"


def form_of(tokenizer: PreTrainedTokenizerBase) -> CallForm:
    """How the tokenizer's template writes calls; `TAGGED` where it does not, or not as JSON."""
    asked = CallTurn("user", "a")
    try:
        before = native_text(tokenizer, [asked], _TOOLS)
        plain, one = (
            native_text(tokenizer, [asked, turn], _TOOLS, open_end=False)
            for turn in (CallTurn("assistant", _SAID), CallTurn("assistant", calls=(_FIRST,)))
        )
        answered = native_text(
            tokenizer, [asked, CallTurn("assistant", calls=(_FIRST,)), CallTurn("tool", _ANSWER, about=_FIRST.id)], _TOOLS
        )  # fmt: skip
    except UserError:
        return TAGGED
    if (
        _FIRST.name not in before
        or _ANSWER not in answered
        or not (plain.startswith(before) and one.startswith(before))
    ):
        return TAGGED
    said = between_turns(one[len(before) :], plain[len(before) :])
    parts = None if said is None else parted(said, _FIRST)
    if parts is None:
        return TAGGED
    opening, between, closing = parts
    return CallForm(opening, between, joint_of(tokenizer, before, plain, parts), closing, native=True)


def between_turns(said: str, plain: str) -> str | None:
    """What is said in a turn, without what the template writes around anything that is said; None if that differs."""
    at = plain.find(_SAID)
    lead, tail = plain[:at], plain[at + len(_SAID) :]
    if at < 0 or not said.endswith(tail):
        return None
    said = said.removeprefix(lead)
    return said[: len(said) - len(tail)]


def parted(said: str, call: Call) -> tuple[str, str, str] | None:
    """What stands before the name, between it and the arguments, and behind them; ids made wild."""
    begin = said.find(call.name)
    at = said.find(call.arguments, begin)
    if begin < 0 or at < 0:
        return None
    parts = said[:begin], said[begin + len(call.name) : at], said[at + len(call.arguments) :]
    opening, between, closing = (part.replace(call.id, WILD * ID) for part in parts)
    return opening, between, closing


def joint_of(tokenizer: PreTrainedTokenizerBase, before: str, plain: str, parts: tuple[str, str, str]) -> str | None:
    """What stands between two calls; None where the template does not write two as it writes one."""
    opening, between, closing = parts
    try:
        two = native_text(
            tokenizer, [CallTurn("user", "a"), CallTurn("assistant", calls=(_FIRST, _SECOND))], _TOOLS, open_end=False
        )
    except UserError:
        return None
    said = between_turns(two[len(before) :], plain[len(before) :]) or ""
    for call in (_FIRST, _SECOND):
        said = said.replace(call.id, WILD * ID)
    first = f"{opening}{_FIRST.name}{between}{_FIRST.arguments}"
    second = f"{_SECOND.name}{between}{_SECOND.arguments}{closing}"
    if not (two.startswith(before) and said.startswith(first) and said.endswith(second)):
        return None
    return said[len(first) : len(said) - len(second)]
