"""What may be asked of the routes for keys and for the audit log."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from langwright.serving.access.scopes import Scope
from langwright.settings import Settings


class KeyRequest(Settings):
    """POST /v1/keys: make a key."""

    name: Annotated[str, Field(description="What it is called in lists", examples=['"notes"'])]
    purpose: Annotated[str, Field(description="What it is for; whoever uses it is held to that", examples=['"drafts"'])]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, description="What it allows")] = ("ask",)
    owner: Annotated[
        str | None, Field(description="Whose conversations and feedback it reaches; its own when left out")
    ] = None
    days: Annotated[float | None, Field(gt=0, le=36_500, description="Days until it expires; never when left out")] = (
        None
    )
    requests_per_minute: Annotated[int | None, Field(ge=1, le=1_000_000, description="Most requests a minute")] = None
    tokens_per_day: Annotated[
        int | None, Field(ge=1, le=10**15, description="Most tokens a day (UTC), read and written")
    ] = None


class AuditQuery(Settings):
    """GET /v1/audit: which rows."""

    key: Annotated[str | None, Field(description="Only of this key")] = None
    owner: Annotated[str | None, Field(description="Only of this owner")] = None
    model: Annotated[str | None, Field(description="Only of this model")] = None
    decision: Annotated[str | None, Field(description="Only with this decision")] = None
    before: Annotated[
        int | None, Field(ge=1, le=2**62, description="Only with a smaller number, to go on from there")
    ] = None
    limit: Annotated[int, Field(ge=1, le=1000, description="How many rows")] = 100
