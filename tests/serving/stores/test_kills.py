"""A server that is killed in the midst of its work, again and again: what it acknowledged is there."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from tests.serving.stores.postgres import Postgres

from langwright.serving.stores.audit import records
from langwright.serving.stores.keys import all_keys, create_key, find_key
from langwright.serving.stores.opening import Stores

SERVER = """
import sys
from langwright.inference.fake import parrot
from langwright.serving.running import serve
from langwright.serving.stores.opening import open_stores, serving
stores = open_stores(sys.argv[1])
with serving(stores):
    serve({"parrot": parrot(token_s=0.001)}, port=0, stores=stores)
"""
ASK = {"model": "parrot", "prompt": "hello", "max_tokens": 8}
CALLERS = 4


@dataclass
class Told:
    """What callers were told is so."""

    requests: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


@contextmanager
def running(url: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own, and where it is."""
    with subprocess.Popen([sys.executable, "-c", SERVER, url], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", lines)
        try:
            assert found is not None, lines + process.stderr.read()
            yield process, found[0]
        finally:
            process.kill()


def load(url: str, secret: str, told: Told, enough: threading.Event) -> None:
    """One caller: asks, and now and then makes a key, until the server is gone."""
    headers = {"Authorization": f"Bearer {secret}"}
    with httpx.Client(base_url=url, headers=headers, timeout=20, trust_env=False) as client:
        try:
            for number in range(100_000):
                if number % 4 == 3:
                    answer = client.post("/v1/keys", json={"name": "n", "purpose": "p"})
                    assert answer.status_code == 201, answer.text
                    told.keys.append(answer.json()["secret"])
                else:
                    answer = client.post("/v1/completions", json=ASK)
                    assert answer.status_code == 200, answer.text
                told.requests.append(answer.headers["x-request-id"])
                if len(told.requests) > 30:
                    enough.set()
        except httpx.TransportError:
            enough.set()


def kill_under_load(url: str, stores: Stores, kills: int) -> int:
    """Start, load and kill a server so often; how many acknowledged things were checked."""
    secret = create_key(stores, name="load", purpose="to be killed", scopes=["admin"]).secret
    checked = 0
    for _ in range(kills):
        told, enough = Told(), threading.Event()
        with running(url) as (process, where):
            threads = [threading.Thread(target=load, args=(where, secret, told, enough)) for _ in range(CALLERS)]
            for thread in threads:
                thread.start()
            assert enough.wait(60)
            process.send_signal(signal.SIGKILL)
            for thread in threads:
                thread.join(30)
        on_record = {one.request for one in records(stores, limit=1_000_000)}
        assert set(told.requests) <= on_record
        assert all(find_key(stores, one) is not None for one in told.keys)
        checked += len(told.requests) + len(told.keys)
    return checked


@pytest.mark.spec(
    "S15", "no row of the audit log is lost that belongs to an answer, when the server is killed under load"
)
@pytest.mark.spec("DM10", "a server that is killed under load is there again with all that it acknowledged")
def test_two_kills(url: str, opened: Callable[..., Stores]) -> None:
    stores = opened(url)
    assert kill_under_load(url, stores, 2) > 60
    assert len({key.id for key in all_keys(stores)}) == len(all_keys(stores))


@pytest.mark.heavy
@pytest.mark.spec("S15", "20 kills under load on SQLite and on PostgreSQL: nothing acknowledged is lost")
def test_twenty_kills(url: str, opened: Callable[..., Stores]) -> None:
    assert kill_under_load(url, opened(url), 20) > 600


def test_a_second_server_says_who_has_the_store(tmp_path: object) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    with running(url) as (process, _):
        done = subprocess.run([sys.executable, "-c", SERVER, url], capture_output=True, text=True, check=False)
        assert done.returncode != 0 and f"in use by a server (process {process.pid})" in done.stderr


@pytest.mark.spec("PR7", "while the database is away nothing is answered unrecorded, and afterwards the server goes on")
def test_postgresql_restarts_under_a_server(postgres: Postgres) -> None:
    url = postgres.fresh()
    with running(url) as (_, where), httpx.Client(base_url=where, timeout=30, trust_env=False) as client:
        assert client.post("/v1/completions", json=ASK).status_code == 200
        try:
            postgres.stop()
            away = client.post("/v1/completions", json=ASK)
            assert away.status_code == 503 and away.headers["retry-after"] == "1"
            assert "cannot be reached" in away.json()["error"]["problem"]
            assert client.get("/health/live").status_code == 200
        finally:
            postgres.start()
        assert client.post("/v1/completions", json=ASK).status_code == 200
