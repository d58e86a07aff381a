"""Backups, the way between databases, and the way between versions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from tests.serving.stores.test_rows import everything_of

from langwright.errors import UserError
from langwright.serving.stores.complaints import StoreError
from langwright.serving.stores.conversations import add_turn, begin_conversation, turns_of
from langwright.serving.stores.copying import backup, bring_to, kept_copy, restore
from langwright.serving.stores.keys import all_keys, create_key
from langwright.serving.stores.migrating import NOTHING, known, migrate, newest, version_of
from langwright.serving.stores.opening import Stores, connect, open_stores, serving
from langwright.serving.stores.persons import export_person
from langwright.serving.stores.quotas import reserve, used
from langwright.serving.stores.sealing import Seal
from langwright.serving.stores.tables import METADATA

Opened = Callable[..., Stores]


# --- backups -------------------------------------------------------------------------------------------


def test_a_backup_restores_into_the_same_kind(new_url: Callable[[], str], opened: Opened, tmp_path: Path) -> None:
    stores = opened(new_url())
    everything_of(stores, "me")
    before = export_person(stores, "me")
    assert backup(stores, tmp_path / "b.db").total == 6
    other = opened(new_url())
    assert restore(tmp_path / "b.db", other).total == 6
    assert export_person(other, "me") == before
    assert sorted(path.name for path in tmp_path.glob("b.db*")) == ["b.db"]
    one = begin_conversation(other, "me")  # the next numbers follow those copied
    assert one.number > before["conversations"][0]["number"]
    add_turn(other, "me", one.id, "user", "x")


def test_a_store_moves_between_databases(postgres: object, url: str, opened: Opened, tmp_path: Path) -> None:
    """From SQLite to PostgreSQL and from PostgreSQL to SQLite, sealed texts staying sealed."""
    seal = Seal((b"1" * 32,))
    stores = opened(url, seal)
    everything_of(stores, "me")
    backup(stores, tmp_path / "b.db")
    there = f"sqlite:///{tmp_path / 'there.db'}" if not stores.on_sqlite else postgres.fresh()  # type: ignore[attr-defined]
    restore(tmp_path / "b.db", opened(there, texts=False))
    with pytest.raises(UserError, match="sealed with another key"):
        open_stores(there)
    assert export_person(opened(there, seal), "me") == export_person(stores, "me")


def test_a_backup_made_while_others_write_is_of_one_moment(url: str, opened: Opened, tmp_path: Path) -> None:
    """Each turn is written together with a count: a copy in which they differ would be of two moments."""
    stores = opened(url)
    one = begin_conversation(stores, "me")
    stop, said = threading.Event(), [0]

    def talk() -> None:
        while not stop.is_set():
            with stores.writing() as connection:
                said[0] += 1
                connection.execute(text("UPDATE conversations SET model = :n"), {"n": str(said[0])})
                connection.execute(
                    text("INSERT INTO usage VALUES (:n, 'd', 0, 0)"), {"n": str(said[0])}
                )  # fmt: skip

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        for number in range(3):
            until = said[0] + 5
            while said[0] < until:
                stop.wait(0.001)
            backup(stores, tmp_path / f"{number}.db")
    finally:
        stop.set()
        thread.join()
    counts = []
    for number in range(3):
        copy = opened(f"sqlite:///{tmp_path}/{number}.db")
        with copy.reading() as connection:
            rows = connection.execute(text("SELECT count(*) FROM usage")).scalar_one()
            named = connection.execute(text("SELECT model FROM conversations")).scalar_one()
        assert rows == int(named)
        counts.append(rows)
    assert counts == sorted(set(counts)) and one.id


def test_nothing_is_overwritten(url: str, opened: Opened, tmp_path: Path) -> None:
    stores = opened(url)
    backup(stores, tmp_path / "empty.db")
    everything_of(stores, "me")
    with pytest.raises(UserError, match="already exists"):
        backup(stores, tmp_path / "empty.db")
    with pytest.raises(UserError, match="something in the store"):
        restore(tmp_path / "empty.db", stores)
    assert len(all_keys(stores)) == 1
    with serving(opened(url)), pytest.raises(StoreError, match="in use"):
        restore(tmp_path / "empty.db", stores, replace=True)
    restore(tmp_path / "empty.db", stores, replace=True)
    assert all_keys(stores) == []


def test_what_is_no_backup(stores: Stores, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no backup"):
        restore(tmp_path / "none.db", stores)
    (tmp_path / "text.db").write_text("x" * 5000)
    with pytest.raises(UserError, match="is not a database"):
        restore(tmp_path / "text.db", stores)
    bring_to(f"sqlite:///{tmp_path}/old.db", "0001")
    with pytest.raises(UserError, match="older version"):
        restore(tmp_path / "old.db", stores)


# --- versions --------------------------------------------------------------------------------------------


def test_versions_lead_to_the_tables_as_they_are_declared(stores: Stores) -> None:
    with stores.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "target_metadata": METADATA})
        assert compare_metadata(context, METADATA) == []
        assert version_of(connection) == newest() == known()[-1]
        if not stores.on_sqlite:
            return
        inside = {name: connection.exec_driver_sql(f"SELECT sql FROM sqlite_master WHERE name='{name}'").scalar_one() for name in ("audit", "turns")}  # fmt: skip
        assert all("AUTOINCREMENT" in one for one in inside.values())  # numbers are never given twice


def test_up_and_down_on_data(url: str, opened: Opened) -> None:
    """Each version down and up again: what the lower one can hold is as it was."""
    stores = opened(url)
    everything_of(stores, "me")
    reserve(stores, "k", 5, None)
    keys = all_keys(stores)
    stores.close()
    assert bring_to(url, "0001") == ("0002", "0001")
    lower = connect(url)
    with lower.reading() as connection:
        names = set(inspect(connection).get_table_names())
    assert "turns" not in names and all_keys(lower) == keys and used(lower, "k").tokens == 5
    lower.close()
    assert bring_to(url) == ("0001", "0002") and bring_to(url) == ("0002", "0002")
    again = opened(url)
    assert all_keys(again) == keys and used(again, "k").tokens == 5
    assert export_person(again, "me")["conversations"] == []
    one = begin_conversation(again, "me")
    add_turn(again, "me", one.id, "user", "new")
    assert len(turns_of(again, "me", one.id)) == 1
    if again.file is not None:
        old = opened(f"sqlite:///{kept_copy(again.file, '0002')}")
        assert "words of me" in str(export_person(old, "me"))
    again.close()
    assert bring_to(url, NOTHING) == ("0002", NOTHING)
    empty = connect(url)
    with empty.reading() as connection:
        assert set(inspect(connection).get_table_names()) == {"alembic_version"}
    empty.close()


def test_a_version_that_fails_half_way_changes_nothing(
    url: str, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import op

    bring_to(url, "0001")
    before = connect(url)
    create_key(before, name="a", purpose="b", scopes=["ask"])
    before.close()
    made = op.create_table

    def breaks(name: str, *columns: object, **more: object) -> object:
        if name == "profiles":
            raise ZeroDivisionError
        return made(name, *columns, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(op, "create_table", breaks)
    with pytest.raises(ZeroDivisionError):
        bring_to(url)
    monkeypatch.undo()
    stores = connect(url)
    with stores.reading() as connection:
        assert version_of(connection) == "0001" and "turns" not in inspect(connection).get_table_names()
    stores.close()
    bring_to(url)
    assert len(all_keys(opened(url))) == 1


def test_versions_that_are_not_there(url: str, opened: Opened) -> None:
    opened(url)
    with pytest.raises(UserError, match="no version called '0007'"):
        bring_to(url, "0007")
    with serving(opened(url)), pytest.raises(StoreError, match="in use"):
        bring_to(url, "0001")
    with opened(url).writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UserError, match="newer version"):
        bring_to(url)


def test_the_same_step_twice_does_nothing(stores: Stores) -> None:
    with stores.writing() as connection:
        migrate(connection, newest())
        assert version_of(connection) == newest()
