"""`langwright keys create|list|revoke` and `langwright audit`: who may ask the server, and who asked."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from pydantic import Field

from langwright.cli.screen import screen_of
from langwright.cli.stores import SECTION, SealKey, StoreUrl, opened
from langwright.cli.teaching import Command
from langwright.errors import unknown
from langwright.settings import Settings, parse_value, read_settings
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.serving.stores.keys import Key


class KeyLimits(Settings):
    """What a new key is held to."""

    days: Annotated[float | None, Field(gt=0, le=36_500, description="Days until it expires; never when left out")] = (
        None
    )
    requests_per_minute: Annotated[int | None, Field(ge=1, le=1_000_000, description="Most requests a minute")] = None
    tokens_per_day: Annotated[
        int | None, Field(ge=1, le=10**15, description="Most tokens a day (UTC), read and written")
    ] = None


def keys_create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called in lists")],
    purpose: Annotated[
        str, typer.Option("--purpose", metavar="TEXT", help="What it is for; whoever uses it is held to that")
    ],
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="What it allows: ask, read, data, train, manage or admin; may be given again; ask when left out",
        ),
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option(
            "--owner", metavar="NAME", help="Whose conversations and feedback it reaches; its own when left out"
        ),
    ] = None,
    days: Annotated[
        str | None, typer.Option("--days", metavar="N", help="Days until it expires; never when left out")
    ] = None,
    requests_per_minute: Annotated[
        str | None, typer.Option("--requests-per-minute", metavar="N", help="Most requests a minute")
    ] = None,
    tokens_per_day: Annotated[
        str | None, typer.Option("--tokens-per-day", metavar="N", help="Most tokens a day (UTC), read and written")
    ] = None,
    store: StoreUrl = None,
) -> None:
    """Make a key and show it once."""
    from langwright.serving.access.scopes import Scope
    from langwright.serving.stores.audit import Record, note
    from langwright.serving.stores.keys import create_key
    from langwright.serving.stores.times import DAY_S, new_id, now

    screen = screen_of(ctx)
    given = {"days": days, "requests_per_minute": requests_per_minute, "tokens_per_day": tokens_per_day}
    limits = read_settings(KeyLimits, given={n: None if v is None else parse_value(v) for n, v in given.items()})
    wanted = scopes or ["ask"]
    for scope in wanted:
        if scope not in get_args(Scope):
            raise unknown("scope", scope, get_args(Scope))
    with opened(store) as stores:
        made = create_key(
            stores, name=name, purpose=purpose, scopes=wanted, owner=owner,
            expires=None if limits.days is None else now() + limits.days * DAY_S,
            requests_per_minute=limits.requests_per_minute, tokens_per_day=limits.tokens_per_day,
        )  # fmt: skip
        note(stores, [Record(new_id("req"), "", "", "cli", "keys create", "answered", subject=made.key.id)])
    screen.line(made.secret)
    screen.note(say("this key is shown this once; `langwright keys revoke {id}` ends it", id=made.key.id))
    screen.answer(
        {**shown(made.key), "secret": made.secret},
        next=f"curl http://127.0.0.1:8000/v1/models -H 'Authorization: Bearer {made.secret}'",
    )


def keys_list(ctx: typer.Context, store: StoreUrl = None) -> None:
    """One line a key."""
    from langwright.serving.stores.keys import all_keys
    from langwright.serving.stores.quotas import used
    from langwright.serving.stores.times import now

    screen = screen_of(ctx)
    with opened(store) as stores:
        keys = all_keys(stores)
        tokens = {key.id: used(stores, key.id).tokens for key in keys}
    if keys:
        heads = [
            say(word) for word in ("key", "name", "purpose", "allows", "status", "made", "expires", "tokens today")
        ]
        rows = [
            [key.id, key.name, key.purpose, " ".join(key.scopes), say(key.state(now())), day(key.made),
             day(key.expires), limited(tokens[key.id], key.tokens_per_day)] for key in keys
        ]  # fmt: skip
        screen.table([heads, *rows])
    else:
        screen.line(say("there are no keys yet: on this computer none is needed"))
    after = "langwright keys create NAME --purpose TEXT"
    screen.answer({"keys": [{**shown(key), "tokens_today": tokens[key.id]} for key in keys]}, next=after)


def keys_revoke(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key's name, as `langwright keys list` shows it")],
    store: StoreUrl = None,
) -> None:
    """End a key."""
    from langwright.serving.stores.audit import Record, note
    from langwright.serving.stores.keys import revoke_key
    from langwright.serving.stores.times import new_id

    screen = screen_of(ctx)
    with opened(store) as stores:
        ended = revoke_key(stores, key)
        note(stores, [Record(new_id("req"), "", "", "cli", "keys revoke", "answered", subject=key)])
    screen.line(say("the key {key} is revoked, from the next request on", key=key))
    screen.answer(shown(ended), next="langwright keys list")


def audit(
    ctx: typer.Context,
    key: Annotated[str | None, typer.Option("--key", metavar="KEY", help="Only of this key")] = None,
    owner: Annotated[str | None, typer.Option("--owner", metavar="NAME", help="Only of this owner")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME", help="Only of this model")] = None,
    limit: Annotated[str, typer.Option("--limit", metavar="N", help="How many rows")] = "50",
    prompts: Annotated[bool, typer.Option("--prompts", help="Show what was asked, where it was kept")] = False,
    store: StoreUrl = None,
    seal_key: SealKey = None,
) -> None:
    """Show the newest rows of the audit log."""
    from langwright.serving.stores.audit import records

    screen = screen_of(ctx)
    rows = read_settings(Rows, given={"limit": parse_value(limit)}).limit
    with opened(store, seal_key, texts=prompts) as stores:
        found = records(stores, key=key, owner=owner, model=model, limit=rows, prompts=prompts)
    if found:
        heads = [say(word) for word in ("when", "key", "what", "model", "digest", "decided", "tokens")]
        lines = [
            [datetime.fromtimestamp(one.time, UTC).strftime("%Y-%m-%d %H:%M:%S"), one.key or one.owner or "-",
             f"{one.method} {one.route}", one.model or "-", one.digest[:12] or "-",
             f"{say(one.decision)} {one.code}".strip(), f"{one.tokens_in}+{one.tokens_out}"] for one in found
        ]  # fmt: skip
        screen.table([heads, *lines])
        for one in found:
            if one.prompt is not None:
                screen.line(f"{one.request}: {one.prompt!r}")
    else:
        screen.line(say("nothing is on record"))
    screen.answer({"rows": [asdict(one) for one in found]}, next="langwright keys list")


class Rows(Settings):
    """How much is shown."""

    limit: Annotated[int, Field(ge=1, le=1_000_000, description="How many rows")] = 50


def shown(key: Key) -> dict[str, object]:
    """A key as an object."""
    return {**asdict(key), "scopes": list(key.scopes)}


def day(seconds: float | None) -> str:
    """A day in UTC, or a dash."""
    return "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).date().isoformat()


def limited(count: int, limit: int | None) -> str:
    """A count beside its limit."""
    return f"{count:,}" if limit is None else f"{count:,}/{limit:,}"


KEYS = (
    Command(
        "keys create", SECTION, "Make a key for the server, and show it this once",
        ("langwright keys create notes --purpose 'drafts of letters'",
         "langwright keys create lab --purpose 'nightly evaluation' --scope ask --scope read --days 30 --tokens-per-day 100000"),
        keys_create,
    ),
    Command("keys list", SECTION, "Show the keys, what they allow and what they used", ("langwright keys list",), keys_list),
    Command("keys revoke", SECTION, "End a key for good", ("langwright keys revoke k3jx2m4n5p6q7r2s",), keys_revoke),
    Command("audit", SECTION, "Show who asked which model, when, and what was decided", ("langwright audit", "langwright audit --key k3jx2m4n5p6q7r2s"), audit),
)  # fmt: skip
