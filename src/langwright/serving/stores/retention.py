"""What is kept no longer than it was said to be."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete

from langwright.serving.stores.audit import forget_audit
from langwright.serving.stores.conversations import forget_conversations
from langwright.serving.stores.feedback import forget_feedback
from langwright.serving.stores.opening import Stores
from langwright.serving.stores.tables import usage
from langwright.serving.stores.times import DAY_S, day_of, now


@dataclass(frozen=True)
class Retention:
    """For how many days; None for ever. Conversations count from the last thing said in them."""

    audit: float | None = 365.0
    conversations: float | None = None
    feedback: float | None = None


@dataclass(frozen=True)
class Forgotten:
    """How many rows went."""

    audit: int = 0
    conversations: int = 0
    feedback: int = 0
    usage: int = 0


def forget_old(stores: Stores, keep: Retention) -> Forgotten:
    """Delete what is older than it may be; counts of use go with the audit log."""
    at = now()
    days = 0
    if keep.audit is not None:
        with stores.writing() as connection:
            old = usage.c.day < day_of(max(0.0, at - keep.audit * DAY_S))
            days = connection.execute(delete(usage).where(old)).rowcount
    return Forgotten(
        audit=forget_audit(stores, at - keep.audit * DAY_S) if keep.audit is not None else 0,
        conversations=forget_conversations(stores, at - keep.conversations * DAY_S)
        if keep.conversations is not None
        else 0,
        feedback=forget_feedback(stores, at - keep.feedback * DAY_S) if keep.feedback is not None else 0,
        usage=days,
    )
