"""Conversations and what people thought of answers as rows of data sets, of those who agreed to it and of nobody else.

chat         the branch in use up to its last answer; an answer that was corrected stands corrected, and a branch ends
             before an answer that was judged bad
preference   the turns before an answer, and two answers: the corrected one over the one given, the one that was
             preferred over the other, or one that was judged good over one that was judged bad

A row names its conversation, the model and its digest as the source, and never its owner. What people said stands as
they said it, names and numbers included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from langwright.data.schemas import ChatRow, Message, PreferenceRow
from langwright.serving.dialogue.bodies import DialogueState, state_of
from langwright.serving.stores.conversations import Conversation, Turn, conversations_of, path_to, turns_of
from langwright.serving.stores.feedback import Feedback, all_feedback
from langwright.serving.stores.opening import Stores
from langwright.serving.stores.persons import owners
from langwright.tasks.solving.languages import language_of

LogSchema = Literal["chat", "preference"]


@dataclass
class Counted:
    """How many conversations there are, and why how many gave nothing."""

    conversations: int = 0
    refused: int = 0  # nobody agreed
    empty: int = 0  # nothing in them that makes a row
    rows: int = 0


@dataclass(frozen=True)
class Log:
    """One conversation whose owner agreed, with its judgements by turn."""

    conversation: Conversation
    state: DialogueState
    turns: Sequence[Turn]
    judged: Mapping[str, Sequence[Feedback]]

    def value(self, turn: Turn) -> float:
        """What an answer was judged: the last rating; 0 for none."""
        ratings = [one.value for one in self.judged.get(turn.id, ()) if one.kind == "rating" and one.value is not None]
        return ratings[-1] if ratings else 0.0

    def corrected(self, turn: Turn) -> str:
        """What an answer should have been; "" where nobody said."""
        found = [one.better for one in self.judged.get(turn.id, ()) if one.kind == "correction"]
        return found[-1] if found else ""

    def messages(self, path: Sequence[Turn]) -> tuple[Message, ...]:
        """Turns behind the system's text, answers as corrected."""
        opening = [Message(role="system", content=self.state.system)] if self.state.system else []
        said = [
            Message.model_validate({"role": one.role, "content": self.corrected(one) or one.content}) for one in path
        ]
        return (*opening, *said)

    def source(self, model: str, digest: str) -> str:
        """Where a row comes from."""
        return f"{self.conversation.id} {model} {digest[:12]}".strip()


def rows(stores: Stores, schema: LogSchema, licence: str, counted: Counted) -> Iterator[ChatRow | PreferenceRow]:
    """The rows of every conversation whose owner agreed.

    licence  under which they may be used
    counted  is told how many there were, and why some gave nothing
    """
    for owner in owners(stores):
        for conversation in conversations_of(stores, owner, limit=None)[::-1]:
            counted.conversations += 1
            state = state_of(conversation)
            if not state.learn:
                counted.refused += 1
                continue
            log = Log(
                conversation, state, turns_of(stores, owner, conversation.id), by_turn(stores, owner, conversation)
            )
            found: list[ChatRow] | list[PreferenceRow]
            found = [*chat_rows(log, licence)] if schema == "chat" else [*preference_rows(log, licence)]
            counted.empty += not found
            counted.rows += len(found)
            yield from found


def by_turn(stores: Stores, owner: str, conversation: Conversation) -> dict[str, list[Feedback]]:
    """The judgements of a conversation by what they are about."""
    found: dict[str, list[Feedback]] = defaultdict(list)
    for one in all_feedback(stores, owner=owner):
        if one.conversation == conversation.id:
            found[one.turn].append(one)
    return found


def chat_rows(log: Log, licence: str) -> Iterator[ChatRow]:
    """The branch in use, where it has an answer that may be learned."""
    path: list[Turn] = []
    for turn in path_to(list(log.turns), log.conversation.head):
        if turn.role == "assistant" and log.value(turn) < 0 and not log.corrected(turn):
            break
        path.append(turn)
    while path and path[-1].role != "assistant":
        path.pop()
    if path:
        last = path[-1]
        yield ChatRow(
            id=f"{log.conversation.id}/{last.id}", source=log.source(last.model, last.digest), licence=licence,
            language=language_of(path[0].content), messages=log.messages(path),
        )  # fmt: skip


def preference_rows(log: Log, licence: str) -> Iterator[PreferenceRow]:
    """A pair for every judgement that makes one, each pair once."""
    by_id = {turn.id: turn for turn in log.turns}
    seen: set[tuple[str | None, str, str]] = set()
    for turn, chosen, rejected in pairs(log, by_id):
        if chosen == rejected or turn.parent is None or (turn.parent, chosen, rejected) in seen:
            continue
        seen.add((turn.parent, chosen, rejected))
        before = path_to(list(log.turns), turn.parent)
        yield PreferenceRow(
            id=f"{log.conversation.id}/{turn.id}/{len(seen)}", source=log.source(turn.model, turn.digest),
            licence=licence, language=language_of(before[-1].content), prompt=log.messages(before), chosen=chosen,
            rejected=rejected,
        )  # fmt: skip


def pairs(log: Log, by_id: Mapping[str, Turn]) -> Iterator[tuple[Turn, str, str]]:
    """(the answer that lost, the better text, its text)."""
    for name, judgements in log.judged.items():
        turn = by_id.get(name)
        if turn is not None:
            yield from ((turn, one.better, turn.content) for one in judgements if one.kind != "rating" and one.better)
    answers = [turn for turn in log.turns if turn.role == "assistant"]
    for bad in answers:
        if log.value(bad) < 0:
            same = [one for one in answers if one.parent == bad.parent and log.value(one) > 0]
            yield from ((bad, one.content, bad.content) for one in same)
