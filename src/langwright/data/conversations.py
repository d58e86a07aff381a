"""Conversations in the shapes other projects publish, as messages with roles.

{"messages": [{"role": "user", "content": "…"}, …]}                  OpenAI, transformers
{"conversations": [{"from": "human", "value": "…"}, …]}              ShareGPT
{"instruction": "…", "input": "…", "output": "…", "history": [[…]]}  Alpaca
{"prompt": "…", "response": "…"}                                     and "completion" for "response"
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langwright.data.encoding import clean_text
from langwright.data.schemas import Message

ROLES = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user",
    "assistant": "assistant", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant",
}  # fmt: skip
CHAT_COLUMNS = frozenset(
    {"messages", "conversations", "instruction", "input", "output", "history", "prompt", "response", "completion"}
    | {"system", "expect"}
)
NO_CONVERSATION = "it has none of messages, conversations, instruction and output, prompt and response"
NOT_MESSAGES = "its messages are not a list of objects with a role and a text"
NO_ROLE = "a message has a role that is not known"
NO_REPLY = "no assistant says anything in it"


class NotConversation(Exception):
    """Why a record is no conversation: a template and a detail."""

    def __init__(self, problem: str, detail: str = "") -> None:
        super().__init__(problem, detail)
        self.problem, self.detail = problem, detail


def messages_of(record: Mapping[str, Any]) -> tuple[Message, ...]:
    """The messages of a record in any accepted shape; NotConversation when it has none."""
    if record.get("messages") is not None:
        messages = spoken(record["messages"], "role", "content")
    elif record.get("conversations") is not None:
        messages = spoken(record["conversations"], "from", "value")
    elif record.get("instruction") is not None and record.get("output") is not None:
        messages = instructed(record)
    elif record.get("prompt") is not None and (record.get("response") or record.get("completion")) is not None:
        messages = [turn("user", record["prompt"]), turn("assistant", record.get("response") or record["completion"])]
    else:
        raise NotConversation(NO_CONVERSATION)
    if record.get("system") and messages[0].role != "system":
        messages.insert(0, turn("system", record["system"]))
    answered = any(message.role == "assistant" and message.content.strip() for message in messages)
    if not answered and not record.get("expect"):  # a question that a model is measured by needs no reply
        raise NotConversation(NO_REPLY)
    return tuple(messages)


def spoken(turns: object, role: str, content: str) -> list[Message]:
    """A list of turns, each with who speaks and what is said."""
    if not isinstance(turns, list) or not turns:
        raise NotConversation(NOT_MESSAGES)
    found = []
    for said in turns:
        if not isinstance(said, dict):
            raise NotConversation(NOT_MESSAGES)
        speaker = said.get(role, said.get("role"))
        if not isinstance(speaker, str) or speaker.lower() not in ROLES:
            raise NotConversation(NO_ROLE, str(speaker))
        found.append(turn(ROLES[speaker.lower()], said.get(content, said.get("content"))))
    return found


def instructed(record: Mapping[str, Any]) -> list[Message]:
    """An instruction with its input, after the questions and answers that came before."""
    found = []
    for pair in record.get("history") or []:
        if not isinstance(pair, list) or len(pair) != 2:
            raise NotConversation(NOT_MESSAGES)
        found += [turn("user", pair[0]), turn("assistant", pair[1])]
    asked = [record["instruction"], record["input"]] if record.get("input") else [record["instruction"]]
    if not all(isinstance(part, str) for part in asked):
        raise NotConversation(NOT_MESSAGES)
    return [*found, turn("user", "\n".join(asked)), turn("assistant", record["output"])]


def turn(role: str, content: object) -> Message:
    """One message, its text cleaned."""
    if not isinstance(content, str):
        raise NotConversation(NOT_MESSAGES)
    return Message(role=role, content=clean_text(content))
