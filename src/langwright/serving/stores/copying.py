"""Backups, and the way from one database to another: all rows of one state, copied table by table.

A backup is a SQLite store, whatever it was made of, so that it can be looked into, served from, or put into
PostgreSQL. Texts stay sealed in it as they are: its key is needed to read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, insert, select, text

from langwright.errors import UserError
from langwright.files import sync_folder
from langwright.serving.stores.migrating import NOTHING, known, migrate, newest, version_of
from langwright.serving.stores.opening import Stores, alone, check_version, connect, open_stores, refuse_strangers
from langwright.serving.stores.tables import METADATA, NAMED_BY, SEALED, seals

ROWS = 500


@dataclass(frozen=True)
class Copied:
    """How many rows each table had."""

    rows: dict[str, int]

    @property
    def total(self) -> int:
        """Of all tables."""
        return sum(self.rows.values())


def backup(stores: Stores, file: Path) -> Copied:
    """Write all of one moment into a new SQLite file, while others go on writing; whole or not there.

    raises  UserError when the file exists or cannot be written
    """
    if file.exists():
        raise UserError("{path} already exists", fix="name another file", path=file)
    scratch = file.with_name(file.name + ".partial")
    scratch.unlink(missing_ok=True)
    try:
        target = open_stores(f"sqlite:///{scratch.absolute()}")
        try:
            copied = copy(stores, target)
            with target.engine.connect() as connection:  # one file, with nothing beside it
                raw = connection.connection.driver_connection
                assert raw is not None
                raw.execute("PRAGMA journal_mode = DELETE").close()
        finally:
            target.close()
        scratch.rename(file)
        sync_folder(file.absolute().parent)
    finally:
        scratch.unlink(missing_ok=True)
    return copied


def restore(file: Path, stores: Stores, *, replace: bool = False) -> Copied:
    """Put a backup into a store, in one transaction.

    replace  whether what is in the store may go
    raises   UserError when there is no such backup, it is of another version, a server is at work on the store,
             or there is something in it that may not go
    """
    if not file.is_file():
        raise UserError("there is no backup {path}", fix="make one with `langwright store backup FILE`", path=file)
    source = connect(f"sqlite:///{file.absolute()}")
    try:
        with source.reading() as connection:
            check_version(version_of(connection), str(file))
        with alone(stores):
            return copy(source, stores, replace=replace)
    finally:
        source.close()


def copy(source: Stores, target: Stores, *, replace: bool = False) -> Copied:
    """All rows of one state of a store into another of the same version; all or none."""
    rows: dict[str, int] = {}
    with source.reading() as reading, target.writing() as writing:
        check_version(version_of(reading), source.place)
        held = [
            table.name for table in METADATA.sorted_tables if writing.scalar(select(func.count()).select_from(table))
        ]
        if held and not replace:
            raise UserError(
                "there is something in the store {place} already: {tables}",
                fix="name an empty store, or let it go with --replace",
                place=target.place,
                tables=", ".join(held),
            )
        for table in reversed(METADATA.sorted_tables):
            writing.execute(table.delete())
        for table in METADATA.sorted_tables:
            rows[table.name] = 0
            found = reading.execution_options(yield_per=ROWS).execute(select(table))
            for part in found.mappings().partitions(ROWS):
                writing.execute(insert(table), [dict(row) for row in part])
                rows[table.name] += len(part)
        go_on_counting(writing)
    return Copied(rows)


def go_on_counting(connection: Connection) -> None:
    """Let PostgreSQL give the next rows numbers beyond those copied; SQLite does by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in METADATA.sorted_tables:
        if "number" in table.c:
            last = connection.scalar(select(func.max(table.c.number)))
            if last is not None:
                connection.execute(
                    text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'number'), {int(last)})")
                )


# --- other versions --------------------------------------------------------------------------------


def bring_to(url: str, to: str | None = None) -> tuple[str, str]:
    """Bring a store to a version, this program's unless another is given: (from, to).

    Before a step down, and before any step on SQLite, a copy of the file is kept beside it; see `kept_copy`.
    raises  UserError for a version that does not exist, a server at work, or a store of a newer program
    """
    from langwright.errors import unknown

    goal = to or newest()
    if goal not in known():
        raise unknown("version", goal, known())
    stores = connect(url)
    try:
        with alone(stores):
            with stores.reading() as connection:
                found = version_of(connection)
            if found not in known():
                check_version(found, stores.place)
            if found == goal:
                return found, goal
            if stores.file is not None and found != NOTHING:
                keep_copy(stores, found)
            with stores.writing() as connection:
                if found == NOTHING:
                    refuse_strangers(connection, stores.place)
                migrate(connection, goal)
            return found, goal
    finally:
        stores.close()


def kept_copy(file: Path, version: str) -> Path:
    """Where the copy of a store of some version is kept."""
    return file.with_name(f"{file.name}.at-{version}")


def keep_copy(stores: Stores, version: str) -> None:
    """Copy SQLite's file as it is."""
    import sqlite3
    from contextlib import closing

    assert stores.file is not None
    with closing(sqlite3.connect(stores.file)) as source, closing(sqlite3.connect(kept_copy(stores.file, version))) as target:  # fmt: skip
        source.backup(target)


# --- another key -----------------------------------------------------------------------------------


def reseal(stores: Stores) -> int:
    """Seal every text with the seal's first key, and forget the others; how many were not.

    raises  UserError when a server is at work, or a key that is needed was not given
    """
    count = 0
    with alone(stores), stores.writing() as connection:
        for table, columns in SEALED.items():
            (pk,) = table.primary_key.columns
            named, last = NAMED_BY[table], None
            while True:
                query = select(pk, named.label("named_by"), *columns).order_by(pk).limit(ROWS)
                rows = connection.execute(query.where(pk > last) if last is not None else query).all()
                if not rows:
                    break
                for row in rows:
                    changed = resealed(
                        stores, table.name, row.named_by, {c.name: getattr(row, c.name) for c in columns}
                    )
                    if changed:
                        connection.execute(table.update().where(pk == row[0]).values(changed))
                        count += len(changed)
                last = rows[-1][0]
        connection.execute(seals.delete().where(seals.c.fingerprint != (stores.seal.current or "")))
    return count


def resealed(stores: Stores, table: str, row: str, texts: dict[str, bytes | None]) -> dict[str, bytes]:
    """The columns of a row that are not as the seal would store them now."""
    return {
        column: stores.seal.close(stores.seal.open(stored, place), place)
        for column, stored in texts.items()
        if stored is not None and not stores.seal.is_current(stored)
        for place in (f"{table}|{row}|{column}",)
    }
