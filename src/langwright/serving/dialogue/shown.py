"""Conversations as callers see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from pydantic import BaseModel

from langwright.serving.stores.conversations import Conversation, Turn, path_to
from langwright.serving.stores.feedback import Feedback
from langwright.serving.stores.profiles import Profile
from langwright.tasks.dialogue.context import Context
from langwright.tasks.dialogue.feelings import Strategy
from langwright.tasks.dialogue.remembering import Remembered


class TurnShown(BaseModel):
    """One turn.

    details  of an answer: token counts, the seed, why it ended, what was done about a feeling
    """

    id: str
    parent: str | None
    role: str
    content: str
    model: str
    digest: str
    made: float
    details: dict[str, Any]


class ConversationShown(BaseModel):
    """A conversation without its turns."""

    object: Literal["conversation"] = "conversation"
    id: str
    number: int
    title: str
    model: str
    head: str | None
    state: dict[str, Any]
    made: float
    changed: float


class ConversationWhole(ConversationShown):
    """A conversation with every branch; `path` is the one in use."""

    turns: list[TurnShown]
    path: list[str]


class ConversationList(BaseModel):
    """The answer of GET /v1/conversations, the last begun first."""

    object: Literal["list"] = "list"
    data: list[ConversationShown]


class Reply(BaseModel):
    """What the model was given for an answer, and what was remembered.

    context   counts in tokens
    summary   what stood for older turns, and who made it
    strategy  the emotion that was found, how surely, and the instruction that follows from it
    profile   what it was told of the person
    """

    context: dict[str, int]
    summary: dict[str, Any] | None
    strategy: dict[str, Any] | None
    profile: dict[str, str]
    remembered: list[str]
    forgotten: list[str]
    note: str

    @classmethod
    def of(cls, context: Context, strategy: Strategy | None, facts: Mapping[str, str], remembered: Remembered) -> Reply:
        """From what was done."""
        return cls(
            context=asdict(context.counts),
            summary=None if context.summary is None else context.summary.facts(),
            strategy=None if strategy is None else strategy.facts(),
            profile=dict(facts),
            remembered=list(remembered.kept),
            forgotten=list(remembered.gone),
            note=remembered.note,
        )


class Answered(BaseModel):
    """The answer to a turn: what was asked, what was said, and what the model was given for it."""

    conversation: str
    asked: TurnShown
    turn: TurnShown
    told: Reply


class Piece(BaseModel):
    """One event of a streamed answer: the user's turn as it was kept, a piece of text, or the answer as it was kept."""

    kind: Literal["turn", "piece", "answer"]
    turn: TurnShown | None = None
    text: str | None = None
    answer: Answered | None = None


class ProfileShown(BaseModel):
    """What is remembered of the caller; `kept` says whether anything is."""

    kept: bool
    purpose: str = ""
    consented: float | None = None
    changed: float | None = None
    facts: dict[str, str] = {}


class FeedbackShown(BaseModel):
    """A judgement as it was kept."""

    id: str
    kind: str
    value: float | None
    conversation: str
    turn: str
    model: str
    digest: str
    prompt: str
    answer: str
    better: str
    comment: str
    made: float


class FeedbackList(BaseModel):
    """The answer of GET /v1/feedback, the oldest first."""

    object: Literal["list"] = "list"
    data: list[FeedbackShown]


def turn_shown(turn: Turn) -> TurnShown:
    """A turn for a caller."""
    values = {name: value for name, value in asdict(turn).items() if name not in ("number", "conversation")}
    return TurnShown(**values)


def shown(conversation: Conversation) -> ConversationShown:
    """A conversation for a list."""
    return ConversationShown(**{name: value for name, value in asdict(conversation).items() if name != "owner"})


def whole(conversation: Conversation, turns: Sequence[Turn]) -> ConversationWhole:
    """A conversation with its turns."""
    return ConversationWhole(
        **shown(conversation).model_dump(),
        turns=[turn_shown(turn) for turn in turns],
        path=[turn.id for turn in path_to(list(turns), conversation.head)],
    )


def profile_shown(kept: Profile | None) -> ProfileShown:
    """What is remembered of somebody."""
    if kept is None:
        return ProfileShown(kept=False)
    values = {name: value for name, value in asdict(kept).items() if name != "owner"}
    return ProfileShown(kept=True, **values)


def feedback_shown(given: Feedback) -> FeedbackShown:
    """A judgement for a caller."""
    values = {name: value for name, value in asdict(given).items() if name not in ("owner", "number")}
    return FeedbackShown(**values)


def as_markdown(conversation: Conversation, path: Sequence[Turn]) -> str:
    """The branch in use, to be read."""
    parts = [f"# {conversation.title or conversation.id}"]
    parts += [f"**{turn.role}**\n\n{turn.content}" for turn in path]
    return "\n\n".join(parts) + "\n"
