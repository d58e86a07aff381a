"""What a person hands to a model that writes: a text, or the turns of a conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from langwright.data.schemas import Message
from langwright.errors import UserError

Turn = Message | Mapping[str, str]
Conversation = str | Sequence[Turn]


def as_prompt(conversation: Conversation) -> str | list[Message]:
    """A plain prompt as it is; turns given as tables become messages.

    raises  UserError for a turn without a role and a content
    """
    if isinstance(conversation, str):
        return conversation
    turns: list[Message] = []
    for turn in conversation:
        if isinstance(turn, Message):
            turns.append(turn)
            continue
        try:
            turns.append(Message.model_validate(dict(turn)))
        except ValueError:
            raise UserError(
                "{turn} is not a turn of a conversation",
                fix='write it as {{"role": "user", "content": "..."}}; roles are system, user and assistant',
                turn=dict(turn),
            ) from None
    if not turns:
        raise UserError("the conversation has no turns", fix="give at least one with role and content")
    return turns
