"""`langwright store key|backup|restore|migrate|reseal`: the database of the server; and opening it for other commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from langwright.cli.screen import screen_of
from langwright.cli.teaching import Command
from langwright.wording import say
from langwright.workspace import Workspace

if TYPE_CHECKING:
    from langwright.serving.stores.opening import Stores

SECTION = "Look after the server"
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="The store: sqlite:////FOLDER/state.db or postgresql://USER@HOST/DATABASE; else LANGWRIGHT_STORE, else .langwright/state.db",
    ),
]
SealKey = Annotated[
    str | None,
    typer.Option(
        "--seal-key",
        metavar="FILE",
        help="The file with the keys that texts of people are sealed with, the newest first; else LANGWRIGHT_STORE_KEY",
    ),
]


def url_of(store: str | None) -> str:
    """The URL that is meant."""
    from langwright.serving.stores.opening import default_url

    return store or default_url(Workspace().folder)


@contextmanager
def opened(store: str | None, seal_key: str | None = None, *, texts: bool = False) -> Iterator[Stores]:
    """The stores, closed at the end.

    texts  whether texts of people will be read or written, for which the keys are needed
    """
    from langwright.serving.stores.opening import open_stores
    from langwright.serving.stores.sealing import read_seal

    seal = read_seal(None if seal_key is None else Path(seal_key)) if texts else None
    stores = open_stores(url_of(store), seal, texts=texts)
    try:
        yield stores
    finally:
        stores.close()


def store_key(
    ctx: typer.Context, file: Annotated[str, typer.Argument(metavar="FILE", help="The file to write")]
) -> None:
    """Write a new key."""
    from langwright.serving.stores.sealing import write_key

    screen = screen_of(ctx)
    mark = write_key(Path(file))
    screen.line(say("{file} holds a new key ({fingerprint}); keep a copy: without it texts are lost", file=file, fingerprint=mark))  # fmt: skip
    screen.answer({"file": file, "fingerprint": mark}, next=f"langwright serve MODEL --seal-key {file}")


def store_backup(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file to write")],
    store: StoreUrl = None,
) -> None:
    """Write all of one moment into a file."""
    from langwright.serving.stores.copying import backup

    screen = screen_of(ctx)
    with opened(store) as stores:
        copied = backup(stores, Path(file))
    screen.line(say("{rows} rows are in {file}", rows=f"{copied.total:,}", file=file))
    screen.answer({"file": file, "rows": copied.rows}, next=f"langwright store restore {file}")


def store_restore(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="What `langwright store backup` wrote")],
    store: StoreUrl = None,
    replace: Annotated[bool, typer.Option("--replace", help="Let go what is in the store")] = False,
) -> None:
    """Put a backup into a store."""
    from langwright.serving.stores.copying import restore

    screen = screen_of(ctx)
    with opened(store) as stores:
        copied = restore(Path(file), stores, replace=replace)
        place = stores.place
    screen.line(say("{rows} rows are in {file}", rows=f"{copied.total:,}", file=place))
    screen.answer({"store": place, "rows": copied.rows}, next="langwright serve MODEL")


def store_migrate(
    ctx: typer.Context,
    store: StoreUrl = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="The version; this program's when left out")
    ] = None,
) -> None:
    """Bring a store to a version."""
    from langwright.serving.stores.copying import bring_to, kept_copy
    from langwright.serving.stores.opening import connect

    screen = screen_of(ctx)
    before, after = bring_to(url_of(store), to)
    stores = connect(url_of(store))
    copy = kept_copy(stores.file, before) if stores.file is not None else None
    kept = str(copy) if copy is not None and before != after and copy.exists() else None
    stores.close()
    screen.line(
        say("the store is at version {after} already", after=after)
        if before == after
        else say("the store is at version {after}, it was at {before}", after=after, before=before)
    )
    if kept is not None:
        screen.line(say("as it was before, it lies in {file}", file=kept))
    screen.answer({"before": before, "after": after, "kept": kept}, next="langwright serve MODEL")


def store_reseal(ctx: typer.Context, store: StoreUrl = None, seal_key: SealKey = None) -> None:
    """Seal every text with the newest key."""
    from langwright.serving.stores.copying import reseal

    screen = screen_of(ctx)
    with opened(store, seal_key, texts=True) as stores:
        count, mark = reseal(stores), stores.seal.current
    screen.line(say("{count} texts were sealed anew; the key {fingerprint} opens all of them", count=f"{count:,}", fingerprint=mark or "-"))  # fmt: skip
    screen.answer({"sealed": count, "fingerprint": mark}, next="langwright serve MODEL")


Owner = Annotated[str, typer.Argument(metavar="OWNER", help="Whose data: an owner or a key's name; see `langwright person list`")]  # fmt: skip


def person_list(ctx: typer.Context, store: StoreUrl = None) -> None:
    """One line a person."""
    from langwright.serving.stores.persons import owners

    screen = screen_of(ctx)
    with opened(store) as stores:
        found = owners(stores)
    for owner in found:
        screen.line(owner)
    if not found:
        screen.line(say("nothing is kept of anybody"))
    screen.answer({"owners": found}, next=f"langwright person export {found[0] if found else 'OWNER'} FILE")


def person_export(
    ctx: typer.Context,
    owner: Owner,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file to write")],
    store: StoreUrl = None,
    seal_key: SealKey = None,
) -> None:
    """Write all that is kept of someone into a file."""
    import json

    from langwright.errors import UserError
    from langwright.files import write_whole
    from langwright.serving.stores.persons import export_person

    screen = screen_of(ctx)
    with opened(store, seal_key, texts=True) as stores:
        known(stores, owner)
        found = export_person(stores, owner)
    if Path(file).exists():
        raise UserError("{path} already exists", fix="name another file", path=file)
    write_whole(Path(file), json.dumps(found, ensure_ascii=False, indent=1).encode())
    counts = {name: len(found[name]) for name in ("keys", "conversations", "feedback", "audit")}
    screen.line(say("all that is kept of {owner} is in {file}", owner=owner, file=file))
    screen.answer({"owner": owner, "file": file, **counts}, next=f"langwright person delete {owner} --yes")


def person_delete(
    ctx: typer.Context,
    owner: Owner,
    store: StoreUrl = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete it; without this only its extent is shown")] = False,
) -> None:
    """Delete what is kept of someone."""
    from langwright.serving.stores.conversations import count_of
    from langwright.serving.stores.persons import delete_person

    screen = screen_of(ctx)
    with opened(store) as stores:
        known(stores, owner)
        if not yes:
            kept = count_of(stores, owner)
            screen.line(say("{count} conversations of {owner} and all else of theirs would be deleted", count=kept, owner=owner))  # fmt: skip
            screen.answer({"owner": owner, "deleted": None}, next=f"langwright person delete {owner} --yes")
            return
        gone = delete_person(stores, owner)
    screen.line(
        say(
            "deleted of {owner}: {conversations} conversations, {feedback} judgements; keys and the audit log stay",
            owner=owner,
            conversations=gone.conversations,
            feedback=gone.feedback,
        )
    )
    screen.answer({"owner": owner, "deleted": asdict(gone)}, next="langwright person list")


def known(stores: Stores, owner: str) -> None:
    """UserError with the nearest when nothing is kept of someone."""
    from langwright.errors import unknown
    from langwright.serving.stores.persons import owners

    found = owners(stores)
    if owner not in found:
        raise unknown("owner", owner, found)


STORES = (
    Command("store key", SECTION, "Make a key that texts of people are sealed with", ("langwright store key store.key",), store_key),
    Command("store backup", SECTION, "Copy the store into a file, while the server runs", ("langwright store backup monday.db",), store_backup),
    Command("store restore", SECTION, "Put a backup into a store, of the same kind or another", ("langwright store restore monday.db", "langwright store restore monday.db --store postgresql://me@db/langwright"), store_restore),
    Command("store migrate", SECTION, "Bring the tables of a store to this program's version, or to another", ("langwright store migrate", "langwright store migrate --to 0001"), store_migrate),
    Command("store reseal", SECTION, "Seal every text with the newest key, so that the old ones can go", ("langwright store reseal --seal-key store.key",), store_reseal),
    Command("person list", SECTION, "Show of whom anything is kept", ("langwright person list",), person_list),
    Command("person export", SECTION, "Write all that is kept of someone into a file", ("langwright person export ann ann.json",), person_export),
    Command("person delete", SECTION, "Delete what is kept of someone", ("langwright person delete ann --yes",), person_delete),
)  # fmt: skip
