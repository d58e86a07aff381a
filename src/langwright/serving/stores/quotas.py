"""What each key used on each day: counted in the database, so that it holds over restarts and several servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from langwright.serving.stores.opening import Stores
from langwright.serving.stores.tables import usage
from langwright.serving.stores.times import day_of, now


@dataclass(frozen=True)
class Used:
    """What one key used on one day (UTC)."""

    key: str
    day: str
    requests: int
    tokens: int


def reserve(stores: Stores, key: str, tokens: int, limit: int | None) -> bool:
    """Count tokens before they are made, unless they would go beyond the day's limit; whether they were counted.

    Of many at once, those that fit together pass and no more.
    """
    day = day_of(now())
    fits = usage.c.tokens + tokens <= limit if limit is not None else usage.c.tokens >= 0
    with stores.writing(lasting=False) as connection:
        begin_day(connection, key, day)
        done = connection.execute(
            update(usage).where(usage.c.key == key, usage.c.day == day, fits).values(tokens=usage.c.tokens + tokens)
        )
        return done.rowcount == 1


def count(connection: Connection, one: Used) -> None:
    """Add to what a key used on a day; tokens may be negative, to give back what was reserved."""
    begin_day(connection, one.key, one.day)
    connection.execute(
        update(usage)
        .where(usage.c.key == one.key, usage.c.day == one.day)
        .values(tokens=usage.c.tokens + one.tokens, requests=usage.c.requests + one.requests)
    )


def begin_day(connection: Connection, key: str, day: str) -> None:
    """A row of nothing used, unless there is one."""
    values: dict[str, Any] = {"key": key, "day": day, "requests": 0, "tokens": 0}
    if connection.dialect.name == "sqlite":
        connection.execute(sqlite.insert(usage).values(values).on_conflict_do_nothing())
    else:
        connection.execute(postgresql.insert(usage).values(values).on_conflict_do_nothing())


def used(stores: Stores, key: str, day: str | None = None) -> Used:
    """What a key used on a day, today when left out."""
    day = day or day_of(now())
    with stores.reading() as connection:
        row = connection.execute(select(usage).where(usage.c.key == key, usage.c.day == day)).one_or_none()
    return Used(key, day, row.requests, row.tokens) if row is not None else Used(key, day, 0, 0)


def used_by(stores: Stores, keys: list[str]) -> list[Used]:
    """All that some keys used, by day."""
    with stores.reading() as connection:
        rows = connection.execute(select(usage).where(usage.c.key.in_(keys)).order_by(usage.c.day, usage.c.key))
        return [Used(row.key, row.day, row.requests, row.tokens) for row in rows]
