"""`keys`, `audit`, `store` and `person`: the server's stores from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.serving.stores.test_rows import everything_of

from langwright.serving.stores.copying import bring_to
from langwright.serving.stores.keys import find_key
from langwright.serving.stores.opening import open_stores, serving
from langwright.serving.stores.sealing import read_seal

URL = "sqlite:///.langwright/state.db"


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANGWRIGHT_STORE", raising=False)
    monkeypatch.delenv("LANGWRIGHT_STORE_KEY", raising=False)


@pytest.mark.spec(
    "S5", "keys with a purpose are made, listed and revoked on the command line, and each step is on record"
)
def test_keys_are_made_listed_and_revoked(run: Run) -> None:
    assert "no keys yet" in run("keys", "list").out
    made = run(
        "keys",
        "create",
        "notes",
        "--purpose",
        "写信",
        "--scope",
        "ask",
        "--scope",
        "read",
        "--days",
        "2",
        "--tokens-per-day",
        "100",
    )
    secret = made.out.splitlines()[0]
    assert made.code == 0 and secret.startswith("lw-") and "revoke" in made.err
    stores = open_stores(URL)
    key = find_key(stores, secret)
    assert key is not None and key.purpose == "写信" and key.scopes == ("ask", "read") and key.tokens_per_day == 100
    assert key.expires is not None and 172_000 < key.expires - key.made <= 172_800
    stores.close()
    listed = run("keys", "list")
    assert key.id in listed.out and "写信" in listed.out and "0/100" in listed.out and secret not in listed.out
    assert run("keys", "list", "--json").json["keys"][0]["id"] == key.id
    assert run("keys", "revoke", key.id).code == 0
    assert "revoked" in run("keys", "list").out and "已吊销" in run("keys", "list", "--lang", "zh").out
    rows = run("audit", "--json").json["rows"]
    assert [(row["route"], row["subject"]) for row in rows] == [("keys revoke", key.id), ("keys create", key.id)]
    assert "keys revoke" in run("audit").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "n"), "lacks|--purpose"), (("create", "n", "--purpose", "p", "--scope", "aks"), "did you mean 'ask'"),
        (("create", "n", "--purpose", "p", "--days", "0"), "days"), (("create", "n", "--purpose", " "), "not allowed"),
        (("create", "n", "--purpose", "p", "--requests-per-minute", "x"), "requests_per_minute"),
        (("revoke", "nobody"), "no key called"), (("list", "--store", "nonsense"), "is no URL"),
    ],
)  # fmt: skip
def test_mistakes_are_said(run: Run, words: tuple[str, ...], said: str) -> None:
    import re

    done = run("keys", *words)
    assert done.code == 2 and re.search(said, done.err)


def test_a_store_is_backed_up_and_restored(run: Run) -> None:
    stores = open_stores(URL)
    everything_of(stores, "ann")
    with serving(stores):  # a server may be running
        assert run("store", "backup", "monday.db", "--json").json["rows"]["turns"] == 1
    stores.close()
    assert run("store", "backup", "monday.db").code == 2
    assert "something in the store" in run("store", "restore", "monday.db").err
    assert run("store", "restore", "monday.db", "--replace").code == 0
    there = f"sqlite:///{Path('there.db').absolute()}"
    assert run("store", "restore", "monday.db", "--store", there, "--json").json["rows"]["turns"] == 1


def test_a_store_is_migrated(run: Run) -> None:
    bring_to(f"sqlite:///{Path('.langwright/state.db').absolute()}", "0001")
    assert "langwright store migrate" in run("keys", "list").err
    done = run("store", "migrate", "--json").json
    assert (done["before"], done["after"]) == ("0001", "0002") and Path(done["kept"]).is_file()
    assert "already" in run("store", "migrate").out
    assert run("store", "migrate", "--to", "7").code == 2
    assert run("keys", "list").code == 0


@pytest.mark.spec("PR5", "a key for texts is made, given, and replaced on the command line")
def test_texts_are_sealed_anew(run: Run) -> None:
    first = run("store", "key", "one.key", "--json").json
    assert first["fingerprint"] == read_seal(Path("one.key")).current
    stores = open_stores(URL, read_seal(Path("one.key")))
    everything_of(stores, "ann")
    stores.close()
    run("store", "key", "two.key")
    Path("both.key").write_text(Path("two.key").read_text() + Path("one.key").read_text())
    assert "sealed with another key" in run("store", "reseal", "--seal-key", "two.key").err
    assert run("store", "reseal", "--seal-key", "both.key", "--json").json["sealed"] == 7
    assert run("person", "export", "ann", "ann.json").code == 2
    assert run("person", "export", "ann", "ann.json", "--seal-key", "two.key").code == 0
    assert "words of ann" in Path("ann.json").read_text()
    shown = run("audit", "--prompts", "--seal-key", "two.key")
    assert "prompt of ann" in shown.out and "prompt of ann" not in run("audit").out


@pytest.mark.spec("PR7", "a person's data are exported and deleted on the command line")
def test_a_persons_data(run: Run) -> None:
    assert "nothing is kept" in run("person", "list").out
    stores = open_stores(URL)
    everything_of(stores, "ann")
    stores.close()
    assert run("person", "list", "--json").json["owners"] == ["ann"]
    assert "did you mean 'ann'" in run("person", "export", "anne", "x.json").err
    assert run("person", "export", "ann", "ann.json").code == 0
    assert json.loads(Path("ann.json").read_text())["conversations"][0]["turns"][0]["content"] == "words of ann"
    assert run("person", "export", "ann", "ann.json").code == 2
    assert run("person", "delete", "ann", "--json").json["deleted"] is None
    assert run("person", "delete", "ann", "--yes", "--json").json["deleted"]["turns"] == 1
    run("person", "export", "ann", "after.json")
    assert "words of ann" not in Path("after.json").read_text()
