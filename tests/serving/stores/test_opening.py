"""Opening: what is made, what is refused and how it is said."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from tests.serving.stores.postgres import Postgres

from langwright.errors import UserError
from langwright.serving.stores import opening
from langwright.serving.stores.complaints import StoreError
from langwright.serving.stores.keys import all_keys, create_key
from langwright.serving.stores.opening import Stores, alone, connect, default_url, in_memory, open_stores, serving
from langwright.serving.stores.tables import usage

Opened = Callable[..., Stores]


def test_an_empty_database_is_given_its_tables_and_opens_again(url: str, opened: Opened) -> None:
    made = create_key(opened(url), name="a", purpose="b", scopes=["ask"])
    assert all_keys(opened(url)) == [made.key]


def test_many_open_an_empty_database_at_once(url: str, opened: Opened) -> None:
    problems: list[BaseException] = []

    def go() -> None:
        try:
            opened(url)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems


def test_what_is_not_committed_is_not_there(stores: Stores) -> None:
    with pytest.raises(ZeroDivisionError), stores.writing() as connection:
        connection.execute(insert(usage).values(key="k", day="d", requests=1, tokens=1))
        print(1 / 0)
    with stores.reading() as connection:
        assert connection.execute(select(usage)).all() == []


def test_a_reader_sees_one_moment_and_does_not_wait(stores: Stores) -> None:
    with stores.reading() as reading:
        assert reading.execute(select(usage)).all() == []
        with stores.writing() as writing:
            writing.execute(insert(usage).values(key="k", day="d", requests=1, tokens=1))
        assert reading.execute(select(usage)).all() == []


def test_writers_wait_for_their_turn(stores: Stores) -> None:
    from langwright.serving.stores.quotas import reserve, used

    threads = [
        threading.Thread(target=lambda: [reserve(stores, "k", 1, None) for _ in range(20)]) for _ in range(6)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert used(stores, "k").tokens == 120


def test_another_programs_database_is_left_alone(url: str) -> None:
    stores = connect(url)
    with stores.writing() as connection:
        connection.execute(text("CREATE TABLE holiday (id INTEGER)"))
    stores.close()
    with pytest.raises(UserError, match="tables of another program: holiday"):
        open_stores(url)


def test_a_store_of_a_newer_version_is_refused(url: str, opened: Opened) -> None:
    with opened(url).writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UserError, match="written by a newer version: it is at 9999"):
        open_stores(url)


def test_a_store_of_an_older_version_is_refused(url: str) -> None:
    from langwright.serving.stores.copying import bring_to

    bring_to(url, "0001")
    with pytest.raises(UserError, match="langwright store migrate"):
        open_stores(url)


# --- SQLite ----------------------------------------------------------------------------------------


def test_sqlite_is_set_up_to_survive(tmp_path: Path) -> None:
    stores = open_stores(f"sqlite:///{tmp_path}/s.db")
    with stores.writing() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "secure_delete")]  # fmt: skip
    assert found == ["wal", 2, 1, 10_000, 1]
    with stores.writing(lasting=False) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
    stores.close()
    assert (tmp_path / "s.db").stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_text("once upon a time" * 100)
    with pytest.raises(StoreError, match="is not a database"):
        open_stores(f"sqlite:///{tmp_path}/s.db")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be opened"):
        open_stores(f"sqlite:///{tmp_path}/file/s.db")


def test_a_full_disk(tmp_path: Path) -> None:
    stores = open_stores(f"sqlite:///{tmp_path}/s.db")
    create_key(stores, name="kept", purpose="b", scopes=["ask"])
    with pytest.raises(StoreError, match="the disk is full"), stores.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")  # SQLite's own full disk
        for number in range(2000):
            connection.execute(insert(usage).values(key=f"{number:060}", day="d", requests=1, tokens=1))
    assert [key.name for key in all_keys(stores)] == ["kept"]
    stores.close()


def test_a_turn_that_never_comes_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "BUSY_S", 0.05)
    stores = open_stores(f"sqlite:///{tmp_path}/s.db")
    other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="is busy"):
        create_key(stores, name="a", purpose="b", scopes=["ask"])
    other.close()
    stores.close()


def test_stores_in_memory_take_many_threads() -> None:
    stores = in_memory()
    threads = [
        threading.Thread(target=create_key, args=(stores,), kwargs={"name": "a", "purpose": "b", "scopes": ["ask"]})
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(all_keys(stores)) == 20
    stores.close()


WRITER = """
import sys
from langwright.serving.stores.opening import open_stores
from langwright.serving.stores.quotas import reserve
from langwright.serving.stores.conversations import begin_conversation, add_turn
stores = open_stores(sys.argv[1])
one = begin_conversation(stores, "me")
print(one.id, flush=True)
number = 0
while True:
    add_turn(stores, "me", one.id, "user", str(number))
    reserve(stores, "k", 1, None)
    print(number, flush=True)
    number += 1
"""


@pytest.mark.spec("DM10", "what was acknowledged is there after the process is killed, on SQLite and PostgreSQL")
def test_nothing_acknowledged_is_lost_when_killed(url: str, opened: Opened) -> None:
    from langwright.serving.stores.conversations import turns_of
    from langwright.serving.stores.quotas import used

    stores, total = opened(url), 0
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            id = process.stdout.readline().strip()
            for _ in range(5):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
            said = process.stdout.read().split()
        said_to_be_there = 5 + len(said)
        kept = [turn.content for turn in turns_of(stores, "me", id)]
        assert kept == [str(number) for number in range(len(kept))]
        assert said_to_be_there <= len(kept) <= said_to_be_there + 1
        total += said_to_be_there
    assert used(stores, "k").tokens >= total


def test_a_second_server_on_a_sqlite_store_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    one, other = open_stores(url), open_stores(url)
    with serving(one):
        with pytest.raises(StoreError, match=f"in use by a server .process {os.getpid()}"), serving(other):
            raise AssertionError("two servers")
        create_key(other, name="a", purpose="b", scopes=["ask"])  # the command line goes on
    with serving(other):
        assert len(all_keys(other)) == 1
    one.close()
    other.close()


def test_several_servers_share_postgresql_but_not_with_work_that_is_alone(postgres: Postgres) -> None:
    url = postgres.fresh()
    one, other = open_stores(url), open_stores(url)
    with serving(one), serving(other):
        third = open_stores(url)
        with pytest.raises(StoreError, match="in use"), alone(third):
            raise AssertionError("not alone")
        third.close()
    with alone(one), pytest.raises(StoreError, match="in use"), serving(other):
        raise AssertionError("not alone")
    one.close()
    other.close()


# --- PostgreSQL ------------------------------------------------------------------------------------


def test_postgresql_that_restarts_is_found_again(postgres: Postgres) -> None:
    stores = open_stores(postgres.fresh())
    create_key(stores, name="before", purpose="b", scopes=["ask"])
    try:
        with pytest.raises(StoreError, match="cannot be reached"), stores.writing() as connection:
            connection.execute(insert(usage).values(key="k", day="d", requests=1, tokens=1))
            postgres.stop()
            connection.execute(insert(usage).values(key="l", day="d", requests=1, tokens=1))
        with pytest.raises(StoreError, match="cannot be reached"):
            all_keys(stores)
    finally:
        postgres.start()
    assert [key.name for key in all_keys(stores)] == ["before"]
    with stores.reading() as connection:
        assert connection.execute(select(usage)).all() == []
    stores.close()


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError, match="cannot be reached"):
        open_stores(f"postgresql://me:secret@/none?host={tmp_path}")


def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UserError, match="needs the package psycopg"):
        open_stores("postgresql://me@localhost/none")


@pytest.mark.parametrize("url", ["", "state.db", "mysql://me:secret@host/db", "sqlite+aiosqlite:///x", "postgresql+asyncpg://h/d", "x:y"])  # fmt: skip
def test_urls_that_lead_to_no_store(url: str) -> None:
    with pytest.raises(UserError, match="is no URL of a store") as caught:
        open_stores(url)
    assert "secret" not in str(caught.value)


def test_where_the_stores_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANGWRIGHT_STORE", raising=False)
    assert default_url(tmp_path) == f"sqlite:///{tmp_path}/.langwright/state.db"
    monkeypatch.setenv("LANGWRIGHT_STORE", "postgresql://h/d")
    assert default_url(tmp_path) == "postgresql://h/d"


def test_the_stores_load_nothing_heavy() -> None:
    code = "import sys, langwright.serving.stores.opening, langwright.serving.stores.keys, langwright.serving.stores.copying\nprint([n for n in ('torch', 'transformers', 'fastapi') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
