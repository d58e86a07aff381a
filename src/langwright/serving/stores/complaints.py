"""What a database says when it cannot go on, in words that a person can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from langwright.errors import UserError


class StoreError(UserError):
    """The store cannot be used just now; the server answers 503."""


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Turn what a person can put right about a database into a StoreError; everything else stays as it is."""
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.exc import TimeoutError as NoConnection

    try:
        yield
    except NoConnection:
        raise busy(place) from None
    except OverflowError as error:  # SQLite's, for whole numbers beyond 64 bits
        raise unfit(str(error)) from None
    except DBAPIError as error:
        found = explanation(str(error.orig), getattr(error.orig, "sqlstate", None) or "", place)
        if found is None and error.connection_invalidated:
            found = gone(place, str(error.orig))
        if found is None:
            raise
        raise found from (None if type(found) is UserError else error)


def explanation(said: str, state: str, place: str) -> UserError | None:
    """What SQLite (by its words) or PostgreSQL (by SQLSTATE) means; None for a mistake that is ours."""
    low = said.lower()
    if state == "53100" or "disk is full" in low or "no space left" in low:
        return StoreError(
            "the disk is full: the store {place} could not be written",
            fix="free some space; what was written before is kept",
            place=place,
        )
    if "file is not a database" in low or "malformed" in low:
        return StoreError(
            "{place} is not a database, or is damaged",
            fix="name another file, or put a backup back with `langwright store restore`",
            place=place,
        )
    if "database is locked" in low or state in ("55P03", "40001", "40P01", "53300"):
        return busy(place)
    if "readonly database" in low or "read-only" in low or "unable to open" in low or "disk i/o error" in low or state == "42501":  # fmt: skip
        return StoreError(
            "the store {place} cannot be read and written: {reason}",
            fix="see to its rights and its disk",
            place=place,
            reason=said.strip(),
        )
    if state[:2] == "22" or "cannot contain nul" in low:  # too long, too large, or a character that is none
        return unfit(said)
    if state[:2] in ("08", "57", "28", "3D") or "connection" in low:
        return gone(place, said)
    return None


def unfit(said: str) -> UserError:
    """A value that no row can hold."""
    return UserError(
        "a value does not fit the store: {reason}",
        fix="give a shorter or smaller one",
        reason=" ".join(said.split())[:200],
    )


def busy(place: str) -> StoreError:
    """Others were at work for longer than one waits."""
    return StoreError("the store {place} is busy", fix="ask again in a moment", place=place)


def gone(place: str, said: str) -> StoreError:
    """The database cannot be reached."""
    return StoreError(
        "the store {place} cannot be reached: {reason}",
        fix="see that the database runs and its address, name and password are right",
        place=place,
        reason=" ".join(said.split())[:300],
    )
