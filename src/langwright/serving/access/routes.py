"""Keys, the audit log, and one's own data over HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from langwright.serving.access.bodies import AuditQuery, KeyRequest
from langwright.serving.access.scopes import needs
from langwright.serving.access.visits import Caller, caller, visiting
from langwright.serving.house import House, asked_of, documented, query
from langwright.serving.stores.audit import Record, records
from langwright.serving.stores.keys import Key, all_keys, create_key, revoke_key
from langwright.serving.stores.persons import Deleted, delete_person, export_person
from langwright.serving.stores.quotas import used
from langwright.serving.stores.times import DAY_S, now


class KeyShown(BaseModel):
    """A key without its secret."""

    id: str
    name: str
    purpose: str
    scopes: list[str]
    owner: str
    state: str
    made: float
    expires: float | None
    revoked: float | None
    requests_per_minute: int | None
    tokens_per_day: int | None
    tokens_today: int


class KeyMade(KeyShown):
    """A key with its secret, which is shown this once."""

    secret: str


class KeyList(BaseModel):
    """The answer of GET /v1/keys."""

    object: str = "list"
    data: list[KeyShown]


class AuditList(BaseModel):
    """The answer of GET /v1/audit, the newest first."""

    object: str = "list"
    data: list[dict[str, Any]]


class Me(BaseModel):
    """Who asks."""

    key: str
    owner: str
    name: str
    purpose: str
    scopes: list[str]
    requests_per_minute: int | None
    tokens_per_day: int | None
    tokens_today: int


def access_routes(house: House) -> APIRouter:
    """The routes, over the stores of a house."""
    router = APIRouter(tags=["Access"])
    add_key_routes(router, house)
    add_own_routes(router, house)

    @router.get("/v1/audit", dependencies=[needs("admin")], openapi_extra=asked_of(AuditQuery))
    async def audit(request: Request) -> AuditList:
        """Who asked which model, when, for what, and what was decided; without what was asked."""
        asked = query(request, AuditQuery)
        found = await asyncio.to_thread(partial(records, house.stores, **asked.model_dump()))
        return AuditList(data=[row_shown(one) for one in found])

    return router


def add_key_routes(router: APIRouter, house: House) -> None:
    """Making, listing and revoking keys."""

    @router.post("/v1/keys", status_code=201, dependencies=[needs("admin")], openapi_extra=documented(KeyRequest))
    async def make_key(request: Request) -> KeyMade:
        """Make a key; its secret is shown this once."""
        asked = await house.read(request, KeyRequest)
        expires = None if asked.days is None else now() + asked.days * DAY_S
        values = asked.model_dump(exclude={"days"})
        made = await asyncio.to_thread(partial(create_key, house.stores, **values, expires=expires))
        about(made.key.id)
        return KeyMade(**key_shown(made.key, 0), secret=made.secret)

    @router.get("/v1/keys", dependencies=[needs("admin")])
    async def list_keys() -> KeyList:
        """Every key ever made, without secrets."""

        def look() -> list[KeyShown]:
            return [KeyShown(**key_shown(key, used(house.stores, key.id).tokens)) for key in all_keys(house.stores)]

        return KeyList(data=await asyncio.to_thread(look))

    @router.delete("/v1/keys/{id}", dependencies=[needs("admin")])
    async def end_key(id: str) -> KeyShown:
        """Revoke a key, for good, from the next request on."""
        about(id)
        key = await asyncio.to_thread(revoke_key, house.stores, id)
        return KeyShown(**key_shown(key, (await asyncio.to_thread(used, house.stores, id)).tokens))


def add_own_routes(router: APIRouter, house: House) -> None:
    """What anyone may see and delete of themselves."""

    @router.get("/v1/me", dependencies=[needs("ask")])
    async def me() -> Me:
        """Who asks: the key, what it allows, and what it used today."""
        mine: Caller = caller()
        tokens = (await asyncio.to_thread(used, house.stores, mine.key)).tokens if mine.key else 0
        return Me(**{**asdict(mine), "scopes": sorted(mine.scopes)}, tokens_today=tokens)

    @router.get("/v1/me/data", response_model=dict[str, Any], dependencies=[needs("ask")])
    async def my_data() -> dict[str, Any]:
        """Everything that is kept of the caller."""
        return await asyncio.to_thread(export_person, house.stores, caller().owner)

    @router.delete("/v1/me/data", dependencies=[needs("ask")])
    async def forget_me() -> Deleted:
        """Delete what the caller said, liked and let be remembered; how many rows."""
        return await asyncio.to_thread(delete_person, house.stores, caller().owner)


def key_shown(key: Key, tokens: int) -> dict[str, Any]:
    """The fields of a key for a list."""
    return {**asdict(key), "scopes": list(key.scopes), "state": key.state(now()), "tokens_today": tokens}


def row_shown(record: Record) -> dict[str, Any]:
    """A row of the audit log; what was asked is for `langwright audit --prompts`."""
    return {name: value for name, value in asdict(record).items() if name != "prompt"}


def about(subject: str) -> None:
    """Let the audit log say what a request was about."""
    visit = visiting()
    if visit is not None:
        visit.subject = subject
