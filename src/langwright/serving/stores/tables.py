"""The tables of the stores, as they are now; migrations/ holds the way here.

Texts of people (`Sealed`) are bytes that sealing.py made of them. Times are seconds since 1970. Rows that have an
order carry a `number`, since a clock may jump.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)
Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only in INTEGER
Sealed = LargeBinary
Id = String(64)
Name = String(200)

seals = Table(
    "seals", METADATA,
    Column("fingerprint", String(16), primary_key=True),
    Column("made", Double, nullable=False),
)  # fmt: skip

keys = Table(
    "keys", METADATA,
    Column("id", Id, primary_key=True),
    Column("hash", LargeBinary(32), nullable=False),
    Column("owner", Id, nullable=False, index=True),
    Column("name", Name, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("made", Double, nullable=False),
    Column("expires", Double),
    Column("revoked", Double),
    Column("requests_per_minute", Integer),
    Column("tokens_per_day", BigInteger),
)  # fmt: skip

usage = Table(
    "usage", METADATA,
    Column("key", Id, primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
)  # fmt: skip

audit = Table(
    "audit", METADATA,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("time", Double, nullable=False),
    Column("request", Id, nullable=False),
    Column("key", Id, nullable=False),
    Column("owner", Id, nullable=False),
    Column("method", String(16), nullable=False),
    Column("route", Name, nullable=False),
    Column("subject", Name, nullable=False),
    Column("model", Name, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("decision", String(32), nullable=False),
    Column("code", Name, nullable=False),
    Column("status", Integer, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("bytes_in", BigInteger, nullable=False),
    Column("bytes_out", BigInteger, nullable=False),
    Column("tokens_in", BigInteger, nullable=False),
    Column("tokens_out", BigInteger, nullable=False),
    Column("prompt", Sealed),
    Index("ix_audit_time", "time"),
    Index("ix_audit_owner_number", "owner", "number"),
    sqlite_autoincrement=True,
)  # fmt: skip

conversations = Table(
    "conversations", METADATA,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", Id, nullable=False, unique=True),
    Column("owner", Id, nullable=False),
    Column("model", Name, nullable=False),
    Column("head", Id),
    Column("title", Sealed, nullable=False),
    Column("state", Sealed, nullable=False),
    Column("made", Double, nullable=False),
    Column("changed", Double, nullable=False),
    Index("ix_conversations_owner_number", "owner", "number"),
    Index("ix_conversations_changed", "changed"),
    sqlite_autoincrement=True,
)  # fmt: skip

turns = Table(
    "turns", METADATA,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", Id, nullable=False, unique=True),
    Column("conversation", Id, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("parent", Id),
    Column("role", String(32), nullable=False),
    Column("content", Sealed, nullable=False),
    Column("details", Sealed, nullable=False),
    Column("model", Name, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("made", Double, nullable=False),
    Index("ix_turns_conversation_number", "conversation", "number"),
    sqlite_autoincrement=True,
)  # fmt: skip

feedback = Table(
    "feedback", METADATA,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", Id, nullable=False, unique=True),
    Column("owner", Id, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("value", Double),
    Column("model", Name, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("conversation", Id, nullable=False),
    Column("turn", Id, nullable=False),
    Column("text", Sealed, nullable=False),
    Column("made", Double, nullable=False),
    Index("ix_feedback_owner_number", "owner", "number"),
    Index("ix_feedback_made", "made"),
    sqlite_autoincrement=True,
)  # fmt: skip

profiles = Table(
    "profiles", METADATA,
    Column("owner", Id, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("consented", Double, nullable=False),
    Column("text", Sealed, nullable=False),
    Column("changed", Double, nullable=False),
)  # fmt: skip

SEALED: dict[Table, tuple[Column[bytes], ...]] = {
    audit: (audit.c.prompt,),
    conversations: (conversations.c.title, conversations.c.state),
    turns: (turns.c.content, turns.c.details),
    feedback: (feedback.c.text,),
    profiles: (profiles.c.text,),
}
NAMED_BY: dict[Table, Column[str]] = {
    audit: audit.c.request, conversations: conversations.c.id, turns: turns.c.id, feedback: feedback.c.id,
    profiles: profiles.c.owner,
}  # fmt: skip
