"""Conversations as trees: an edit or another try is a branch, and nothing that was said is overwritten.

A conversation's `head` is the turn it goes on from; the path from the first turn to it is what a model sees.
Everything is asked for by its owner: what belongs to another is not there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from langwright.errors import UserError
from langwright.serving.stores.opening import Stores
from langwright.serving.stores.sealing import Seal
from langwright.serving.stores.tables import conversations, turns
from langwright.serving.stores.times import new_id, now

Facts = Mapping[str, Any]  # what JSON can hold


@dataclass(frozen=True)
class Conversation:
    """One conversation without its turns.

    head   the turn it goes on from; None before the first
    state  what the dialogue remembers beside the turns, such as a summary
    """

    id: str
    owner: str
    title: str
    model: str
    head: str | None
    state: Facts
    made: float
    changed: float
    number: int = 0


@dataclass(frozen=True)
class Turn:
    """One thing said.

    parent   the turn it answers; None for the first
    digest   of the model that wrote it; "" for what a person wrote
    details  such as token counts, the seed, why it ended
    """

    id: str
    conversation: str
    parent: str | None
    role: str
    content: str
    details: Facts
    model: str
    digest: str
    made: float
    number: int = 0


def missing(id: str) -> UserError:
    """There is no such conversation for this owner."""
    return UserError("there is no conversation {id!r} of yours", fix="see yours at GET /v1/conversations", id=id)


# --- conversations ---------------------------------------------------------------------------------


def begin_conversation(
    stores: Stores, owner: str, *, title: str = "", model: str = "", state: Facts | None = None
) -> Conversation:
    """A new conversation without turns."""
    id, at = new_id("conv"), now()
    values = {
        "id": id, "owner": owner, "model": model, "head": None, "made": at, "changed": at,
        "title": stores.seal.close(title, f"conversations|{id}|title"),
        "state": stores.seal.close(json.dumps(state or {}), f"conversations|{id}|state"),
    }  # fmt: skip
    with stores.writing() as connection:
        number = connection.execute(insert(conversations).values(values)).inserted_primary_key
    return Conversation(id, owner, title, model, None, state or {}, at, at, number[0] if number else 0)


def conversation(stores: Stores, owner: str, id: str) -> Conversation:
    """One of an owner's; UserError when there is none."""
    with stores.reading() as connection:
        return conversation_of(row_of(connection, owner, id), stores.seal)


def row_of(connection: Connection, owner: str, id: str, *, for_change: bool = False) -> Row[Any]:
    """The row of a conversation, locked until the transaction ends when it is to be changed."""
    query = select(conversations).where(conversations.c.id == id, conversations.c.owner == owner)
    row = connection.execute(query.with_for_update() if for_change else query).one_or_none()
    if row is None:
        raise missing(id)
    return row


def conversation_of(row: Row[Any], seal: Seal) -> Conversation:
    """A row as a conversation."""
    values = dict(row._mapping)
    values["title"] = seal.open(row.title, f"conversations|{row.id}|title")
    values["state"] = json.loads(seal.open(row.state, f"conversations|{row.id}|state"))
    return Conversation(**values)


def conversations_of(
    stores: Stores, owner: str, *, before: int | None = None, limit: int | None = 100
) -> list[Conversation]:
    """An owner's conversations, the last begun first; `before` a conversation's number, to go on from it."""
    query = select(conversations).where(conversations.c.owner == owner).order_by(conversations.c.number.desc())
    if before is not None:
        query = query.where(conversations.c.number < before)
    with stores.reading() as connection:
        rows = connection.execute(query.limit(limit)).all()
    return [conversation_of(row, stores.seal) for row in rows]


def count_of(stores: Stores, owner: str) -> int:
    """How many conversations an owner has."""
    with stores.reading() as connection:
        found = connection.scalar(select(func.count()).where(conversations.c.owner == owner))
    return found or 0


def change_conversation(
    stores: Stores,
    owner: str,
    id: str,
    *,
    title: str | None = None,
    model: str | None = None,
    head: str | None = None,
    state: Facts | None = None,
) -> Conversation:
    """Change what is given; a head must be a turn of this conversation."""
    with stores.writing() as connection:
        row_of(connection, owner, id, for_change=True)
        values: dict[str, Any] = {"changed": now()}
        if title is not None:
            values["title"] = stores.seal.close(title, f"conversations|{id}|title")
        if model is not None:
            values["model"] = model
        if head is not None:
            check_turn(connection, id, head)
            values["head"] = head
        if state is not None:
            values["state"] = stores.seal.close(json.dumps(state), f"conversations|{id}|state")
        connection.execute(update(conversations).where(conversations.c.id == id).values(values))
        return conversation_of(row_of(connection, owner, id), stores.seal)


def delete_conversation(stores: Stores, owner: str, id: str) -> None:
    """Delete a conversation with its turns; UserError when there is none."""
    with stores.writing() as connection:
        row_of(connection, owner, id)
        connection.execute(delete(conversations).where(conversations.c.id == id))


def forget_conversations(stores: Stores, before: float) -> int:
    """Delete conversations in which nothing was said since a time; how many."""
    with stores.writing() as connection:
        return connection.execute(delete(conversations).where(conversations.c.changed < before)).rowcount


# --- turns -----------------------------------------------------------------------------------------


def add_turn(
    stores: Stores,
    owner: str,
    id: str,
    role: str,
    content: str,
    *,
    parent: str | None = None,
    model: str = "",
    digest: str = "",
    details: Facts | None = None,
    state: Facts | None = None,
) -> Turn:
    """Say something in a conversation, which goes on from there; it is on the disk when this returns.

    parent  the turn it follows: the head's, when left out; another one begins a branch; "" the first turn anew
    state   the dialogue's new state, changed together with the turn
    raises  UserError when the conversation or the parent is not there
    """
    with stores.writing() as connection:
        row = row_of(connection, owner, id, for_change=True)
        before = row.head if parent is None else parent or None
        if before is not None:
            check_turn(connection, id, before)
        turn_id, at = new_id("turn"), now()
        values = {
            "id": turn_id, "conversation": id, "parent": before, "role": role, "model": model, "digest": digest,
            "content": stores.seal.close(content, f"turns|{turn_id}|content"),
            "details": stores.seal.close(json.dumps(details or {}), f"turns|{turn_id}|details"), "made": at,
        }  # fmt: skip
        number = connection.execute(insert(turns).values(values)).inserted_primary_key
        change: dict[str, Any] = {"head": turn_id, "changed": at}
        if state is not None:
            change["state"] = stores.seal.close(json.dumps(state), f"conversations|{id}|state")
        connection.execute(update(conversations).where(conversations.c.id == id).values(change))
    return Turn(turn_id, id, before, role, content, details or {}, model, digest, at, number[0] if number else 0)


def check_turn(connection: Connection, conversation: str, turn: str) -> None:
    """UserError when a turn is not of this conversation."""
    here = select(func.count()).where(turns.c.id == turn, turns.c.conversation == conversation)
    if not connection.scalar(here):
        raise UserError(
            "there is no turn {turn!r} in the conversation {id!r}",
            fix="see its turns at GET /v1/conversations/{id}",
            turn=turn,
            id=conversation,
        )


def turns_of(stores: Stores, owner: str, id: str) -> list[Turn]:
    """Every turn of a conversation, in the order in which they were said."""
    with stores.reading() as connection:
        row_of(connection, owner, id)
        rows = connection.execute(select(turns).where(turns.c.conversation == id).order_by(turns.c.number)).all()
    return [turn_of(row, stores.seal) for row in rows]


def turn_of(row: Row[Any], seal: Seal) -> Turn:
    """A row as a turn."""
    values = dict(row._mapping)
    values["content"] = seal.open(row.content, f"turns|{row.id}|content")
    values["details"] = json.loads(seal.open(row.details, f"turns|{row.id}|details"))
    return Turn(**values)


def path_to(said: list[Turn], head: str | None) -> list[Turn]:
    """The turns from the first to a head: what a model is shown."""
    by_id = {turn.id: turn for turn in said}
    path: list[Turn] = []
    while head is not None:
        path.append(by_id[head])
        head = by_id[head].parent
    return path[::-1]
