"""Prompts longer than the context, where their beginning may be dropped: the oldest tokens, or the oldest turns.

What is dropped is never a part of a turn, and never the system's: a conversation that is cut inside a turn is one
that no model was taught.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from langwright.data.schemas import Message

SHARE = 2  # a prompt is cut to leave what was asked for, but no more than 1/SHARE of the context


def room_wanted(context: int, max_new_tokens: int) -> int:
    """New tokens that a shortened prompt leaves room for.

    >>> room_wanted(100, 20), room_wanted(100, 400)
    (20, 50)
    """
    return max(1, min(max_new_tokens, context // SHARE))


def slid(ids: Sequence[int], context: int, max_new_tokens: int) -> list[int]:
    """A plain prompt without its oldest tokens, where it is too long.

    >>> slid([1, 2, 3, 4, 5], context=6, max_new_tokens=3)
    [3, 4, 5]
    >>> slid([1, 2, 3], context=6, max_new_tokens=3)
    [1, 2, 3]
    """
    most = context - room_wanted(context, max_new_tokens)
    return list(ids[max(0, len(ids) - most) :])


def slid_turns(
    messages: Sequence[Message], render: Callable[[Sequence[Message]], list[int]], context: int, max_new_tokens: int
) -> list[int]:
    """A conversation as ids, without its oldest turns where it is too long; the system's turn and the last one stay.

    A conversation whose last turn alone is too long is returned as it is: its length is the caller's to refuse.
    """
    most = context - room_wanted(context, max_new_tokens)
    opening = [turn for turn in messages[:1] if turn.role == "system"]
    turns = list(messages[len(opening) :])
    ids = render([*opening, *turns])
    while len(ids) > most and len(turns) > 1:
        turns.pop(0)
        while len(turns) > 1 and turns[0].role != "user":  # an answer without its question
            turns.pop(0)
        ids = render([*opening, *turns])
    return ids
