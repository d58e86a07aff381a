"""What a person let the server remember about them, and for what; without consent there is no row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from langwright.errors import UserError
from langwright.serving.stores.opening import Stores
from langwright.serving.stores.tables import profiles
from langwright.serving.stores.times import now


@dataclass(frozen=True)
class Profile:
    """One person's.

    purpose    what they agreed to
    consented  when
    facts      name -> what is remembered, such as a preference
    """

    owner: str
    purpose: str
    consented: float
    facts: Mapping[str, str]
    changed: float


def consent(stores: Stores, owner: str, purpose: str) -> Profile:
    """Note that a person agrees to be remembered for a purpose; what is known already stays."""
    at = now()
    with stores.writing() as connection:
        mine = profiles.c.owner == owner
        if connection.execute(update(profiles).where(mine).values(purpose=purpose, consented=at)).rowcount == 0:
            empty = stores.seal.close("{}", place(owner))
            connection.execute(
                insert(profiles).values(owner=owner, purpose=purpose, consented=at, text=empty, changed=at)
            )
    found = profile(stores, owner)
    assert found is not None
    return found


def profile(stores: Stores, owner: str) -> Profile | None:
    """A person's profile; None for one who has not agreed, or has taken it back."""
    with stores.reading() as connection:
        row = connection.execute(select(profiles).where(profiles.c.owner == owner)).one_or_none()
    if row is None:
        return None
    facts = json.loads(stores.seal.open(row.text, place(owner)))
    return Profile(owner, row.purpose, row.consented, facts, row.changed)


def remember(stores: Stores, owner: str, facts: Mapping[str, str]) -> Profile:
    """Keep these facts in place of those before; UserError without consent."""
    sealed = stores.seal.close(json.dumps(dict(facts), ensure_ascii=False), place(owner))
    with stores.writing() as connection:
        done = connection.execute(
            update(profiles).where(profiles.c.owner == owner).values(text=sealed, changed=now())
        )  # fmt: skip
        if done.rowcount == 0:
            raise UserError("nothing may be remembered without consent", fix="ask for it first, and note it")
    found = profile(stores, owner)
    assert found is not None
    return found


def withdraw(stores: Stores, owner: str) -> bool:
    """Take consent back: the profile is deleted; whether there was one."""
    with stores.writing() as connection:
        return connection.execute(delete(profiles).where(profiles.c.owner == owner)).rowcount > 0


def place(owner: str) -> str:
    """Where the facts stand."""
    return f"profiles|{owner}|text"
