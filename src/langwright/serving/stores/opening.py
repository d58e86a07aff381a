"""From a URL to stores that can be read and written: SQLite in a file or in memory, or PostgreSQL.

SQLite stands in write-ahead mode, so that readers never wait, one writer at a time waits for its turn, and what
was written is whole after a crash. An empty database is given its tables; one of another version is refused.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from langwright.errors import UserError
from langwright.serving.stores.complaints import StoreError, explained
from langwright.serving.stores.sealing import Seal, not_given

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

VARIABLE = "LANGWRIGHT_STORE"
MEMORY = "sqlite://"
BUSY_S = 10.0  # for another writer's turn to end
PLACES = 8  # connections at once
SERVING, MAKING = 0x6C77_7372, 0x6C77_6D6B  # numbers of PostgreSQL's advisory locks: "lwsr", "lwmk"
DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


@dataclass(frozen=True)
class Stores:
    """An open database.

    place  how it is called in messages, without a password
    file   of SQLite; None in memory and on PostgreSQL
    """

    engine: Engine
    place: str
    file: Path | None = None
    seal: Seal = field(default_factory=Seal)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state and changes nothing."""
        options = {"begin": "DEFERRED"} if self.on_sqlite else {"isolation_level": "REPEATABLE READ"}
        with explained(self.place), self.engine.connect() as plain:
            connection = plain.execution_options(**options)
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self, *, lasting: bool = True) -> Iterator[Connection]:
        """A transaction that changes something, whole or not at all; at its end it is on the disk.

        lasting  False: SQLite may lose it when the power fails (not when the server is killed), and is faster
        """
        with explained(self.place), self.engine.connect() as plain:
            connection = plain.execution_options(begin="IMMEDIATE", lasting=lasting)
            with connection.begin():
                yield connection

    @property
    def on_sqlite(self) -> bool:
        """Whether it is SQLite."""
        return self.engine.dialect.name == "sqlite"

    def close(self) -> None:
        """Close its connections."""
        self.engine.dispose()


def default_url(folder: Path) -> str:
    """Where the stores lie when nobody says: the variable LANGWRIGHT_STORE, or in the workspace."""
    return os.environ.get(VARIABLE) or f"sqlite:///{(folder / '.langwright' / 'state.db').absolute()}"


def in_memory() -> Stores:
    """Stores that end with the process."""
    return open_stores(MEMORY)


def open_stores(url: str, seal: Seal | None = None, *, texts: bool = True) -> Stores:
    """Open stores, making the tables of an empty database.

    url     such as sqlite:////srv/state.db or postgresql://me@host/langwright
    seal    the keys for texts of people
    texts   False for work that touches no such text: the store's key need not be given
    raises  UserError when it cannot be opened, is of another version, or is sealed with another key
    """
    from langwright.serving.stores.migrating import NOTHING, version_of

    stores = connect(url, seal)
    try:
        with stores.reading() as connection:
            found = version_of(connection)
        if found == NOTHING:
            make_tables(stores)
        else:
            check_version(found, stores.place)
        if texts:
            check_seal(stores)
    except BaseException:
        stores.close()
        raise
    return stores


def connect(url: str, seal: Seal | None = None) -> Stores:
    """Stores whose tables nobody has looked at yet.

    raises  UserError for a URL that leads nowhere, or a driver that is not installed
    """
    parsed = parse_url(url)
    file = None
    if parsed.drivername == "sqlite+pysqlite" and parsed.database:
        file = Path(parsed.database).absolute()
        prepare(file)
    engine = engine_for(parsed)
    return Stores(engine, str(file) if file else parsed.render_as_string(hide_password=True), file, seal or Seal())


def parse_url(url: str) -> URL:
    """The URL with its driver; UserError for one that leads to no store."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    fix = "give sqlite:////FOLDER/state.db or postgresql://USER@HOST/DATABASE"
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UserError("{url!r} is no URL of a store", fix=fix, url=url.partition("@")[2] or url) from None
    kind, _, driver = parsed.drivername.partition("+")
    if kind not in DRIVERS or (
        driver and f"{'sqlite' if kind == 'sqlite' else 'postgresql'}+{driver}" != DRIVERS[kind]
    ):
        raise UserError("{url!r} is no URL of a store", fix=fix, url=parsed.render_as_string(hide_password=True))
    return parsed.set(drivername=DRIVERS[kind])


def prepare(file: Path) -> None:
    """Make the folder and a file that nobody else may read; SQLite keeps those rights for what lies beside it."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise UserError(
            "the store {path} cannot be opened: {reason}",
            fix="name a file in a folder where you may write",
            path=file,
            reason=error.strerror or error,
        ) from None


def engine_for(url: URL) -> Engine:
    """SQLAlchemy's engine, set up so that a crash, a second writer or a restart of the database does no harm."""
    from sqlalchemy import create_engine, event

    if url.drivername != DRIVERS["sqlite"]:
        try:
            return create_engine(url, pool_size=PLACES, pool_pre_ping=True, connect_args={"connect_timeout": 10})
        except ModuleNotFoundError as error:
            raise UserError(
                "PostgreSQL needs the package {package}, which is not installed",
                fix="install it with `pip install 'langwright[postgres]'`",
                package=error.name or "psycopg",
            ) from None
    from sqlalchemy.pool import QueuePool

    engine = create_engine(
        url, poolclass=QueuePool, pool_size=PLACES if url.database else 1, max_overflow=10 if url.database else 0,
        connect_args={"timeout": BUSY_S, "check_same_thread": False},
    )  # fmt: skip
    event.listen(engine, "connect", set_up_sqlite)
    event.listen(engine, "begin", begin_sqlite)
    return engine


def set_up_sqlite(connection: object, record: object) -> None:
    """Before a connection of SQLite is used; transactions are begun by `begin_sqlite`."""
    import sqlite3

    assert isinstance(connection, sqlite3.Connection)
    connection.isolation_level = None
    for pragma in (
        "journal_mode = WAL",
        "foreign_keys = ON",
        "secure_delete = ON",
        f"busy_timeout = {int(BUSY_S * 1000)}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def begin_sqlite(connection: Connection) -> None:
    """Begin a transaction: a writer takes its turn at once, so that it cannot fail half way."""
    options = connection.get_execution_options()
    connection.exec_driver_sql(f"PRAGMA synchronous = {'FULL' if options.get('lasting', True) else 'NORMAL'}")
    connection.exec_driver_sql(f"BEGIN {options.get('begin', 'IMMEDIATE')}")


def make_tables(stores: Stores) -> None:
    """Give an empty database its tables, unless somebody else just did."""
    from sqlalchemy import text

    from langwright.serving.stores.migrating import NOTHING, migrate, newest, version_of

    with stores.writing() as connection:
        if not stores.on_sqlite:  # two transactions could make the same table there
            connection.execute(text(f"SELECT pg_advisory_xact_lock({MAKING})"))
        if version_of(connection) == NOTHING:
            refuse_strangers(connection, stores.place)
            migrate(connection, newest())


# --- what is refused -------------------------------------------------------------------------------


def refuse_strangers(connection: Connection, place: str) -> None:
    """UserError for a database that holds tables of another program."""
    from sqlalchemy import inspect

    names = sorted(set(inspect(connection).get_table_names()) - {"alembic_version"})
    if names:
        raise UserError(
            "the database {place} holds tables of another program: {names}",
            fix="name an empty database",
            place=place,
            names=", ".join(names[:5]),
        )


def check_version(found: str, place: str) -> None:
    """UserError for a store that this program is too old or too new for."""
    from langwright.serving.stores.migrating import known, newest

    if found not in known():
        raise UserError(
            "the store {place} was written by a newer version: it is at {found}, this program knows {newest}",
            fix="use that version of langwright, and there `langwright store migrate --to {newest}` to come back",
            place=place,
            found=found,
            newest=newest(),
        )
    if found != newest():
        raise UserError(
            "the store {place} is of an older version: {found}, this program needs {newest}",
            fix="bring it up with `langwright store migrate`",
            place=place,
            found=found,
            newest=newest(),
        )


def check_seal(stores: Stores) -> None:
    """Note the key that seals from now on; UserError when another one that is needed was not given."""
    from sqlalchemy import insert, select

    from langwright.serving.stores.tables import seals
    from langwright.serving.stores.times import now

    with stores.reading() as connection:
        needed = set(connection.scalars(select(seals.c.fingerprint)))
    if missing := needed - stores.seal.known:
        raise not_given(sorted(missing))
    current = stores.seal.current
    if current is not None and current not in needed:
        with stores.writing() as connection:
            if connection.scalar(select(seals.c.fingerprint).where(seals.c.fingerprint == current)) is None:
                connection.execute(insert(seals).values(fingerprint=current, made=now()))


# --- one server at a time --------------------------------------------------------------------------


@contextmanager
def serving(stores: Stores) -> Iterator[None]:
    """Hold the store as a server. On SQLite there is one at a time; on PostgreSQL several may share one.

    raises  UserError when another server holds it, or work that must be alone
    """
    with ExitStack() as stack:
        hold(stores, stack, shared=not stores.on_sqlite)
        yield


@contextmanager
def alone(stores: Stores) -> Iterator[None]:
    """Hold the store for work that no server may disturb; UserError when one is at work."""
    with ExitStack() as stack:
        hold(stores, stack, shared=False)
        yield


def hold(stores: Stores, stack: ExitStack, *, shared: bool) -> None:
    """Take the lock until the stack ends."""
    if stores.file is not None:
        lock = stores.file.with_name(stores.file.name + ".lock")
        stream = stack.enter_context(lock.open("a+"))
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            raise in_use(stores.place, stream.read().strip() or "?") from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
    elif not stores.on_sqlite:
        from sqlalchemy import text

        connection = stack.enter_context(stores.engine.connect())
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        kind = "_shared" if shared else ""
        if not connection.scalar(text(f"SELECT pg_try_advisory_lock{kind}({SERVING})")):
            raise in_use(stores.place, "?")
        stack.callback(let_go, connection, kind)


def let_go(connection: Connection, kind: str) -> None:
    """Give PostgreSQL's lock back; a session that was cut off holds none."""
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    try:
        connection.execute(text(f"SELECT pg_advisory_unlock{kind}({SERVING})"))
    except DBAPIError:
        connection.invalidate()


def in_use(place: str, pid: str) -> StoreError:
    """What the second one is told."""
    return StoreError(
        "the store {place} is in use by a server (process {pid})",
        fix="stop that server, or name another store with --store URL",
        place=place,
        pid=pid,
    )
