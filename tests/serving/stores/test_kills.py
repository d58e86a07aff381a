"""A server that is killed in the midst of its work, again and again: what it acknowledged is there."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving.stores.postgres import Postgres

from langwright.serving.stores.audit import records
from langwright.serving.stores.conversations import turns_of
from langwright.serving.stores.feedback import all_feedback
from langwright.serving.stores.keys import all_keys, create_key, find_key
from langwright.serving.stores.opening import Stores

SERVER = """
import sys
from langwright.inference.fake import parrot
from langwright.serving.running import serve
from langwright.serving.stores.opening import open_stores, serving
stores = open_stores(sys.argv[1])
with serving(stores):
    serve({"parrot": parrot(token_s=float(sys.argv[2]))}, port=0, stores=stores)
"""
ASK = {"model": "parrot", "prompt": "hello", "max_tokens": 8}
CALLERS = 4


@dataclass
class Told:
    """What callers were told is so."""

    requests: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    conversations: list[str] = field(default_factory=list)
    turns: dict[str, str] = field(default_factory=dict)  # id -> what was said
    feedback: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(map(len, (self.requests, self.keys, self.conversations, self.turns, self.feedback)))


@contextmanager
def running(url: str, token_s: float = 0.001) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own, and where it is."""
    words = [sys.executable, "-c", SERVER, url, str(token_s)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", lines)
        try:
            assert found is not None, lines + process.stderr.read()
            yield process, found[0]
        finally:
            process.kill()


def posted(client: httpx.Client, told: Told, path: str, body: dict[str, Any], status: int = 201) -> Any:
    """What a server answers that is still there."""
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    told.requests.append(answer.headers["x-request-id"])
    return answer.json()


def load(url: str, secret: str, told: Told, enough: threading.Event) -> None:
    """One caller: asks, makes a key, talks and judges what is answered, until the server is gone."""
    headers = {"Authorization": f"Bearer {secret}"}
    with httpx.Client(base_url=url, headers=headers, timeout=20, trust_env=False) as client:
        try:
            for number in range(100_000):
                posted(client, told, "/v1/completions", ASK, 200)
                told.keys.append(posted(client, told, "/v1/keys", {"name": "n", "purpose": "p"})["secret"])
                if number % 3 == 0:
                    talk = posted(client, told, "/v1/conversations", {"model": "parrot"})["id"]
                    told.conversations.append(talk)
                said = {"content": f"第{number}句", "sampling": {"max_new_tokens": 8}}
                both = posted(client, told, f"/v1/conversations/{talk}/turns", said)
                told.turns |= {both[one]["id"]: both[one]["content"] for one in ("asked", "turn")}
                rated = {"conversation": talk, "turn": both["turn"]["id"], "value": 1}
                told.feedback.append(posted(client, told, "/v1/feedback", rated)["id"])
                if len(told.requests) > 30:
                    enough.set()
        except httpx.TransportError:
            enough.set()


def check(told: Told, stores: Stores, owner: str) -> None:
    """All that callers were told is there, to the letter."""
    assert set(told.requests) <= {one.request for one in records(stores, limit=1_000_000)}
    assert all(find_key(stores, one) is not None for one in told.keys)
    kept = {turn.id: turn.content for one in told.conversations for turn in turns_of(stores, owner, one)}
    assert told.turns.items() <= kept.items()
    assert set(told.feedback) <= {one.id for one in all_feedback(stores, owner=owner)}


def kill_under_load(url: str, stores: Stores, kills: int) -> int:
    """Start, load and kill a server so often; how many acknowledged things were checked."""
    key = create_key(stores, name="load", purpose="to be killed", scopes=["admin"])
    checked = 0
    for _ in range(kills):
        told, enough = Told(), threading.Event()
        with running(url) as (process, where):
            threads = [threading.Thread(target=load, args=(where, key.secret, told, enough)) for _ in range(CALLERS)]
            for thread in threads:
                thread.start()
            assert enough.wait(60)
            process.send_signal(signal.SIGKILL)
            for thread in threads:
                thread.join(30)
        assert told.conversations and told.feedback and told.keys
        check(told, stores, key.key.owner)
        checked += told.count
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
@pytest.mark.timeout(1800)
@pytest.mark.spec("S15", "20 kills under load on SQLite and on PostgreSQL: nothing acknowledged is lost")
@pytest.mark.spec(
    "DM10", "20 kills under load: every conversation, turn, judgement and key that was acknowledged is there"
)
def test_twenty_kills(url: str, opened: Callable[..., Stores]) -> None:
    assert kill_under_load(url, opened(url), 20) > 600


def test_a_second_server_says_who_has_the_store(tmp_path: object) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    with running(url) as (process, _):
        done = subprocess.run([sys.executable, "-c", SERVER, url, "0"], capture_output=True, text=True, check=False)
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


@pytest.mark.heavy
@pytest.mark.spec(
    "S15", "a database that restarts in the middle of requests: each is on record, or its caller hears 503"
)
def test_postgresql_restarts_in_the_middle_of_requests(postgres: Postgres, opened: Callable[..., Stores]) -> None:
    url = postgres.fresh()
    met: list[httpx.Response] = []
    with running(url, token_s=0.05) as (_, where), httpx.Client(base_url=where, timeout=60, trust_env=False) as client:
        talk = client.post("/v1/conversations", json={"model": "parrot"}).json()["id"]

        def ask(length: int) -> None:
            if length % 2:
                body = {"content": "x" * length, "sampling": {"max_new_tokens": length}}
                met.append(client.post(f"/v1/conversations/{talk}/turns", json=body))
            else:
                met.append(client.post("/v1/completions", json={**ASK, "prompt": "x" * length, "max_tokens": length}))

        threads = [threading.Thread(target=ask, args=(length,)) for length in range(8, 64, 5)]  # 0.4 to 3.2 s
        for thread in threads:
            thread.start()
        try:
            time.sleep(0.6)
            postgres.stop()
        finally:
            postgres.start()
        for thread in threads:
            thread.join(60)
        assert len(met) == len(threads)
        for one in met:
            assert one.status_code in (200, 201) or (one.status_code, one.headers["retry-after"]) == (503, "1"), (
                one.text
            )
        assert client.post("/v1/completions", json=ASK).status_code == 200
    stores = opened(url)
    kept = [one for one in met if one.status_code < 300]
    assert kept and {one.headers["x-request-id"] for one in kept} <= {
        one.request for one in records(stores, limit=1000)
    }
    turns = {turn.id for turn in turns_of(stores, "local", talk)}
    assert {one.json()["turn"]["id"] for one in kept if one.status_code == 201} <= turns


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.spec(
    "S15", "on a disk that is full for real nothing is answered unrecorded, and with room the server goes on"
)
def test_a_disk_that_is_full_for_real(small_disk: Path, opened: Callable[..., Stores]) -> None:
    url = f"sqlite:///{small_disk}/s.db"
    told: list[str] = []
    with running(url) as (_, where), httpx.Client(base_url=where, timeout=60, trust_env=False) as client:

        def ask() -> httpx.Response:
            answer = client.post("/v1/completions", json=ASK)
            if answer.status_code == 200:
                told.append(answer.headers["x-request-id"])
            return answer

        assert ask().status_code == 200
        with suppress(OSError), (small_disk / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(b"x" * 4096)
        for _ in range(500):
            if (refused := ask()).status_code != 200:
                break
        assert refused.status_code == 503 and refused.headers["retry-after"] == "1", refused.text
        assert "disk is full" in refused.json()["error"]["problem"]
        assert ask().status_code == 503 and client.get("/health/live").status_code == 200
        (small_disk / "ballast").unlink()
        assert ask().status_code == 200
    assert set(told) <= {one.request for one in records(opened(url), limit=10_000)} and len(told) >= 2
