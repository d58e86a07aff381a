"""All that is kept of one owner: handed out as one object, or deleted."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, text, union, update

from langwright.serving.stores.audit import records
from langwright.serving.stores.conversations import conversations_of, turns_of
from langwright.serving.stores.feedback import all_feedback
from langwright.serving.stores.keys import all_keys
from langwright.serving.stores.opening import Stores
from langwright.serving.stores.profiles import profile
from langwright.serving.stores.quotas import used_by
from langwright.serving.stores.tables import audit, conversations, feedback, keys, profiles, turns


@dataclass(frozen=True)
class Deleted:
    """How many rows are gone. Of the audit log the rows stay, without what was asked."""

    conversations: int
    turns: int
    feedback: int
    profiles: int
    prompts: int


def owners(stores: Stores) -> list[str]:
    """Everyone of whom anything is kept."""
    columns = (keys.c.owner, conversations.c.owner, feedback.c.owner, profiles.c.owner, audit.c.owner)
    with stores.reading() as connection:
        found = connection.scalars(union(*(select(column) for column in columns)))
        return sorted(owner for owner in found if owner)


def export_person(stores: Stores, owner: str) -> dict[str, Any]:
    """Everything that is kept of an owner, opened, as JSON can hold it; nothing of the secrets of keys."""
    mine = [key for key in all_keys(stores) if key.owner == owner]
    said = conversations_of(stores, owner, limit=None)
    kept = profile(stores, owner)
    return {
        "format": 1,
        "owner": owner,
        "keys": [asdict(key) for key in mine],
        "usage": [asdict(one) for one in used_by(stores, [key.id for key in mine] or [owner])],
        "profile": None if kept is None else json.loads(json.dumps(asdict(kept))),
        "conversations": [
            {**asdict(one), "turns": [asdict(turn) for turn in turns_of(stores, owner, one.id)]} for one in said
        ],
        "feedback": [asdict(one) for one in all_feedback(stores, owner=owner)],
        "audit": [asdict(one) for one in records(stores, owner=owner, limit=1_000_000, prompts=True)],
    }


def delete_person(stores: Stores, owner: str) -> Deleted:
    """Delete what an owner said, liked and let be remembered, and wipe it from the files.

    Keys, counts and the rows of the audit log stay, since others answer for those; what was asked leaves the log.
    Copies made before still hold it.
    """
    with stores.writing() as connection:
        theirs = select(conversations.c.id).where(conversations.c.owner == owner)
        gone = Deleted(
            turns=connection.execute(delete(turns).where(turns.c.conversation.in_(theirs))).rowcount,
            conversations=connection.execute(delete(conversations).where(conversations.c.owner == owner)).rowcount,
            feedback=connection.execute(delete(feedback).where(feedback.c.owner == owner)).rowcount,
            profiles=connection.execute(delete(profiles).where(profiles.c.owner == owner)).rowcount,
            prompts=connection.execute(
                update(audit).where(audit.c.owner == owner, audit.c.prompt.is_not(None)).values(prompt=None)
            ).rowcount,
        )
    wipe(stores)
    return gone


def wipe(stores: Stores) -> None:
    """Have the database overwrite what was deleted, as far as it can while others are at work."""
    with stores.engine.connect() as plain:
        connection = plain.execution_options(isolation_level="AUTOCOMMIT") if not stores.on_sqlite else plain
        if stores.on_sqlite:
            checkpoint(connection)
        else:
            for table in (turns, conversations, feedback, profiles, audit):
                connection.execute(text(f"VACUUM {table.name}"))


def checkpoint(connection: Connection) -> None:
    """Move SQLite's write-ahead log into the file and empty it."""
    raw = connection.connection.driver_connection
    assert raw is not None
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
