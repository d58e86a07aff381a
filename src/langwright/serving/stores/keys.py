"""Keys of the interface: made once, shown once, kept as a hash.

A key is `lw-NAME-SECRET`. Its name finds its row; its secret holds 256 random bits, so one round of SHA-256 hides
it as well as a slow hash would hide a password.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, exists, insert, select, update

from langwright.errors import UserError, unknown
from langwright.serving.stores.opening import Stores
from langwright.serving.stores.tables import keys
from langwright.serving.stores.times import new_id, now
from langwright.wording import Term

START = "lw-"
LONGEST, LONGEST_OWNER = 200, 64  # characters of a name or purpose, and of an owner


@dataclass(frozen=True)
class Key:
    """One key without its secret.

    owner                to whom conversations, feedback and the profile belong; the key itself unless named
    expires, revoked     seconds since 1970
    requests_per_minute  None for as many as come
    tokens_per_day       read and written, in UTC days; None for as many as come
    """

    id: str
    owner: str
    name: str
    purpose: str
    scopes: tuple[str, ...]
    made: float
    expires: float | None = None
    revoked: float | None = None
    requests_per_minute: int | None = None
    tokens_per_day: int | None = None

    def state(self, at: float) -> str:
        """`good`, `revoked` or `expired`."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= at else "good"


@dataclass(frozen=True)
class NewKey:
    """A key and the one copy of its secret."""

    key: Key
    secret: str = field(repr=False)


def create_key(
    stores: Stores,
    *,
    name: str,
    purpose: str,
    scopes: Iterable[str],
    owner: str | None = None,
    expires: float | None = None,
    requests_per_minute: int | None = None,
    tokens_per_day: int | None = None,
) -> NewKey:
    """Make a key.

    raises  UserError for a name or purpose that is empty, too long or holds control characters
    """
    id = new_id("key").removeprefix("key_")
    key = Key(
        id, checked(owner, Term("owner"), LONGEST_OWNER) if owner is not None else id, checked(name, Term("name")),
        checked(purpose, Term("purpose")),
        tuple(sorted(set(scopes))), now(), expires, None, requests_per_minute, tokens_per_day,
    )  # fmt: skip
    secret = f"{START}{id}-{secrets.token_urlsafe(32)}"
    row = {**vars(key), "scopes": " ".join(key.scopes), "hash": hash_of(secret)}
    with stores.writing() as connection:
        connection.execute(insert(keys).values(row))
    return NewKey(key, secret)


def checked(text: str, what: Term, longest: int = LONGEST) -> str:
    """A short text of a person; UserError for one that no store should hold."""
    text = text.strip()
    if not text or len(text) > longest or not text.isprintable():
        raise UserError(
            "{what} {text!r} is not allowed",
            fix="give 1 to {longest} printable characters",
            what=what,
            text=text[:longest],
            longest=longest,
        )
    return text


def hash_of(secret: str) -> bytes:
    """What is kept of a secret."""
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()


def find_key(stores: Stores, secret: str) -> Key | None:
    """The key of a secret, whatever its state; None for one that was never given out.

    The hashes are compared in constant time, and a name that is not there costs as much as one that is.
    """
    start, _, rest = secret.partition("-")
    id = rest.partition("-")[0]
    if start + "-" != START or not id.isascii() or not id.isalnum():
        return None
    with stores.reading() as connection:
        row = connection.execute(select(keys).where(keys.c.id == id)).one_or_none()
    kept = row.hash if row is not None else bytes(32)
    same = hmac.compare_digest(kept, hash_of(secret))
    return key_of(row) if row is not None and same else None


def key_of(row: Row[Any]) -> Key:
    """A row as a key."""
    values = {name: value for name, value in row._mapping.items() if name != "hash"}
    return Key(**{**values, "scopes": tuple(row.scopes.split())})


def all_keys(stores: Stores) -> list[Key]:
    """Every key ever made, the oldest first."""
    with stores.reading() as connection:
        return [key_of(row) for row in connection.execute(select(keys).order_by(keys.c.made, keys.c.id))]


def any_key(stores: Stores) -> bool:
    """Whether a key was ever made; a revoked one counts, or revoking the last would open the server."""
    with stores.reading() as connection:
        return bool(connection.scalar(select(exists(select(keys.c.id)))))


def get_key(stores: Stores, id: str) -> Key:
    """A key by its name; UserError with the nearest when there is none."""
    with stores.reading() as connection:
        row = connection.execute(select(keys).where(keys.c.id == id)).one_or_none()
        known = list(connection.scalars(select(keys.c.id).limit(1000))) if row is None else []
    if row is None:
        raise unknown("key", id, known)
    return key_of(row)


def revoke_key(stores: Stores, id: str) -> Key:
    """Revoke a key from now on, for good; the first time counts.

    raises  UserError when there is none of this name
    """
    with stores.writing() as connection:
        connection.execute(update(keys).where(keys.c.id == id, keys.c.revoked.is_(None)).values(revoked=now()))
    return get_key(stores, id)
