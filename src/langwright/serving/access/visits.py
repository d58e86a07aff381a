"""Who asks, and what came of it: one visit for each request, which the audit log tells of when it ends."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field

from langwright.errors import UserError
from langwright.serving.complaints import ApiError
from langwright.serving.stores.opening import Stores
from langwright.serving.stores.times import DAY_S, day_of, now

LOCAL = "local"


@dataclass(frozen=True)
class Caller:
    """Who asks.

    key     its name; "" for a caller on this computer who needs none
    owner   to whom conversations, feedback and the profile belong
    """

    key: str = ""
    owner: str = LOCAL
    name: str = ""
    purpose: str = ""
    scopes: frozenset[str] = frozenset({"admin"})
    requests_per_minute: int | None = None
    tokens_per_day: int | None = None


@dataclass
class Visit:
    """One request, as far as it has come."""

    id: str
    stores: Stores = field(repr=False)
    caller: Caller
    method: str
    began: float  # by the monotonic clock
    day: str = field(default_factory=lambda: day_of(now()))
    model: str = ""
    subject: str = ""
    decision: str = ""
    code: str = ""
    status: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    reserved: int = 0

    async def claim(self, tokens: int) -> None:
        """Set tokens of the day aside before they are made; what is not used is given back when the request ends.

        raises  ApiError 429 when the day has not so many left
        """
        limit = self.caller.tokens_per_day
        if limit is None:
            return
        from langwright.serving.stores.quotas import reserve, used

        if not await asyncio.to_thread(reserve, self.stores, self.caller.key, tokens, limit):
            left = limit - (await asyncio.to_thread(used, self.stores, self.caller.key)).tokens
            raise used_up(tokens, max(0, left), limit)
        self.reserved += tokens


_visit: ContextVar[Visit | None] = ContextVar("visit", default=None)


def visiting() -> Visit | None:
    """The request that is being answered; None outside of one."""
    return _visit.get()


def arrive(visit: Visit) -> None:
    """From here on, this request is being answered."""
    _visit.set(visit)


def caller() -> Caller:
    """Who asks: the key of the request that is being answered, else a person at this computer."""
    visit = _visit.get()
    return visit.caller if visit is not None else Caller()


def read(tokens: int) -> None:
    """Count what was read for the request that is being answered."""
    visit = _visit.get()
    if visit is not None:
        visit.tokens_in += tokens


def written(tokens: int) -> None:
    """Count what was written for it."""
    visit = _visit.get()
    if visit is not None:
        visit.tokens_out += tokens


def used_up(asked: int, left: int, limit: int) -> ApiError:
    """The day's tokens do not suffice."""
    return ApiError(
        UserError(
            "{asked} tokens are more than the {left} that this key has left today, of {limit}",
            fix="ask for fewer new tokens, or again after midnight UTC",
            asked=asked,
            left=left,
            limit=limit,
        ),
        status=429,
        headers={"Retry-After": str(until_midnight())},
    )


def until_midnight() -> int:
    """Whole seconds until the next day in UTC begins."""
    return max(1, int(DAY_S - now() % DAY_S) + 1)
