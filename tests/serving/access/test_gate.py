"""Who is let in, how often, for how much, and what goes on record."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import APIRouter
from sqlalchemy import insert
from starlette.testclient import TestClient

from langwright.inference.fake import parrot
from langwright.serving.access.guards import audience
from langwright.serving.access.limits import Buckets
from langwright.serving.access.scopes import OPEN
from langwright.serving.app import ROUTES, build_app
from langwright.serving.settings import ServingSettings
from langwright.serving.stores import audit as audit_store
from langwright.serving.stores.audit import Record, records
from langwright.serving.stores.conversations import begin_conversation
from langwright.serving.stores.keys import create_key, revoke_key
from langwright.serving.stores.opening import Stores, in_memory, open_stores
from langwright.serving.stores.quotas import used
from langwright.serving.stores.sealing import Seal

ASK = {"model": "parrot", "prompt": "你好", "max_tokens": 4, "temperature": 0}
CHAT = {"model": "parrot", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4, "stream": True}


@dataclass
class Served:
    """A server over a parrot, and its stores."""

    client: TestClient
    stores: Stores

    def key(self, *scopes: str, **more: Any) -> dict[str, str]:
        """The header of a new key."""
        made = create_key(self.stores, name="n", purpose="p", scopes=scopes or ("ask",), **more)
        return {"Authorization": f"Bearer {made.secret}"}

    def ask(self, headers: dict[str, str] | None = None, **more: Any) -> Any:
        return self.client.post("/v1/completions", json={**ASK, **more}, headers=headers)

    @property
    def last(self) -> Record:
        return records(self.stores)[0]


@pytest.fixture
def served(tmp_path: Any) -> Iterator[Callable[..., Served]]:
    """`served(host, stores=…, …settings)`."""
    started: list[tuple[TestClient, Stores]] = []

    def start(host: str = "127.0.0.1", stores: Stores | None = None, **settings: Any) -> Served:
        stores = stores or in_memory()
        app = build_app(
            {"parrot": parrot()},
            audience=audience(host),
            settings=ServingSettings.model_validate(settings),
            stores=stores,
        )
        client = TestClient(app, base_url="http://localhost:8000", raise_server_exceptions=False)
        client.__enter__()
        started.append((client, stores))
        return Served(client, stores)

    yield start
    for client, stores in started:
        client.__exit__(None, None, None)
        stores.close()


# --- keys ------------------------------------------------------------------------------------------


@pytest.mark.spec("S5", "on this computer no key is needed until the first one is made; from then on one is, at once")
def test_the_first_key_closes_the_door(served: Callable[..., Served]) -> None:
    server = served()
    assert server.ask().status_code == 200
    assert server.ask({"Authorization": "Bearer none"}).status_code == 200  # as OpenAI's clients send
    headers = server.key()
    assert server.ask(headers).status_code == 200
    for wrong in (
        {},
        {"Authorization": "Bearer none"},
        {"Authorization": headers["Authorization"][:-1]},
        {"Authorization": "Basic eDp5"},
    ):
        answer = server.ask(wrong)
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["type"] == "authentication_error"
    revoke_key(server.stores, headers["Authorization"].split("-")[1])
    assert server.ask(headers).status_code == 401 and server.ask().status_code == 401


@pytest.mark.spec("PR7", "off this computer a key is needed from the beginning, for all but health and documentation")
def test_off_loopback_a_key_is_needed(served: Callable[..., Served]) -> None:
    server = served("0.0.0.0")
    for path in ("/health/live", "/health/ready", "/docs", "/", "/openapi.json"):
        assert server.client.get(path).status_code == 200, path
    paths = [path for path in server.client.get("/openapi.json").json()["paths"] if not path.startswith("/health")]
    assert len(paths) > 8
    for path in [*paths, "/v1/nothing", "/static/../v1/models", "//v1/models", "/health/live/", "/docs/../v1/models"]:
        answer = server.client.get(path.replace("{", "").replace("}", ""))
        assert answer.status_code == 401, path
    assert server.ask(server.key()).status_code == 200


def test_keys_in_other_shapes(served: Callable[..., Served]) -> None:
    server = served()
    secret = server.key()["Authorization"].removeprefix("Bearer ")
    assert server.ask({"authorization": f"bearer {secret}"}).status_code == 200
    assert server.ask({"Authorization": f"BEARER   {secret} "}).status_code == 200
    twice = [("Authorization", f"Bearer {secret}"), ("Authorization", f"Bearer {secret}")]
    assert server.client.request("GET", "/v1/models", headers=twice).status_code == 401
    assert server.client.get(f"/v1/models?api_key={secret}").status_code == 401
    assert server.ask({"Authorization": "Bearer " + "x" * 5000}).status_code == 401


@pytest.mark.parametrize(("more", "said"), [({"expires": 1.0}, "has expired"), ({}, "was revoked")])
def test_keys_that_have_ended(served: Callable[..., Served], more: dict[str, Any], said: str) -> None:
    server = served()
    headers = server.key(**more)
    key = headers["Authorization"].split("-")[1]
    if not more:
        revoke_key(server.stores, key)
    answer = server.ask(headers)
    assert answer.status_code == 401 and said in answer.json()["error"]["problem"]
    assert server.last.decision == "refused" and server.last.subject == key and server.last.key == ""
    chinese = server.client.get("/v1/models", headers={**headers, "Accept-Language": "zh"}).json()
    assert "密钥" in chinese["error"]["problem"]


def test_a_revoked_key_is_refused_from_the_next_request_on(served: Callable[..., Served]) -> None:
    """Many ask while the key is revoked: whoever begins after the revocation returned is refused."""
    server = served()
    headers = server.key()
    late: list[int] = []
    done = threading.Event()

    def ask() -> None:
        while True:
            after = done.is_set()
            status = server.client.get("/v1/models", headers=headers).status_code
            if after:
                late.append(status)
                return

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    revoke_key(server.stores, headers["Authorization"].split("-")[1])
    done.set()
    for thread in threads:
        thread.join()
    assert late == [401] * 6


# --- scopes ----------------------------------------------------------------------------------------


@pytest.mark.spec("S5", "a key allows what its scopes say and nothing else")
def test_scopes(served: Callable[..., Served]) -> None:
    server = served()
    ask, read, admin = server.key("ask"), server.key("read"), server.key("admin")
    assert server.ask(ask).status_code == 200 and server.ask(admin).status_code == 200
    answer = server.ask(read)
    assert answer.status_code == 403 and answer.json()["error"]["params"]["scope"] == "ask"
    for method, path in (("GET", "/v1/keys"), ("POST", "/v1/keys"), ("DELETE", "/v1/keys/x"), ("GET", "/v1/audit")):
        assert server.client.request(method, path, headers=ask).status_code == 403, path
        assert server.client.request(method, path, headers=admin).status_code != 403, path
    nearest = server.client.get("/v1/modls", headers=ask)
    assert nearest.status_code == 404 and "/v1/models" in nearest.json()["error"]["fix"]


def test_a_key_for_nothing_opens_nothing(served: Callable[..., Served]) -> None:
    """Every path of the interface, asked with a key whose scope no route has."""
    server = served()
    headers = server.key("none")
    paths = server.client.get("/openapi.json").json()["paths"]
    asked = [(method, path) for path, methods in paths.items() for method in methods if path not in OPEN]
    assert len(asked) > 8
    for method, path in asked:
        answer = server.client.request(method.upper(), path.replace("{", "").replace("}", ""), headers=headers)
        assert answer.status_code == 403, path


def test_a_route_without_a_scope_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(house: object) -> APIRouter:
        router = APIRouter()

        @router.get("/v1/careless")
        async def answer() -> int:
            return 1

        return router

    monkeypatch.setattr("langwright.serving.app.ROUTES", ((careless, None), *ROUTES))
    with pytest.raises(AssertionError, match="/v1/careless"):
        build_app({"parrot": parrot()})


def test_keys_over_http(served: Callable[..., Served]) -> None:
    server = served()
    body = {"name": "notes", "purpose": "drafts", "scopes": ["ask", "admin"], "days": 1, "tokens_per_day": 50}
    made = server.client.post("/v1/keys", json=body)
    assert made.status_code == 201 and made.json()["state"] == "good"
    assert 86_000 < made.json()["expires"] - made.json()["made"] <= 86_400
    headers = {"Authorization": f"Bearer {made.json()['secret']}"}
    assert server.ask(headers).status_code == 200
    (shown,) = server.client.get("/v1/keys", headers=headers).json()["data"]
    assert shown["tokens_today"] > 0 and "secret" not in shown and "hash" not in shown
    me = server.client.get("/v1/me", headers=headers).json()
    assert me["key"] == shown["id"] and me["tokens_today"] == shown["tokens_today"] and me["scopes"] == ["admin", "ask"]
    ended = server.client.delete(f"/v1/keys/{shown['id']}", headers=headers)
    assert ended.json()["state"] == "revoked"
    assert server.client.get("/v1/me", headers=headers).status_code == 401
    made_row, ended_row = [one for one in reversed(records(server.stores)) if one.subject == shown["id"]][:2]
    assert (made_row.route, ended_row.route) == ("/v1/keys", "/v1/keys/{id}")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": "n"}, "purpose"), ({"name": "n", "purpose": "p", "scopes": ["root"]}, "scopes"),
        ({"name": "n", "purpose": "p", "scopes": []}, "scopes"), ({"name": "n", "purpose": "p", "days": 0}, "days"),
        ({"name": "n", "purpose": "p", "tokens_per_day": -1}, "tokens_per_day"), ({"name": "n", "purpose": "p", "x": 1}, "x"),
        ({"name": "n", "purpose": "p", "requests_per_minute": 10**30}, "requests"), ({"name": "n", "purpose": "p", "owner": "x" * 65}, None),
        ({"name": "a\nb", "purpose": "p"}, None), ({"name": "n", "purpose": ""}, None),
    ],
)  # fmt: skip
def test_keys_that_cannot_be_made(served: Callable[..., Served], body: dict[str, Any], param: str | None) -> None:
    server = served()
    answer = server.client.post("/v1/keys", json=body)
    assert answer.status_code in (400, 422)
    assert param is None or answer.json()["error"]["param"].startswith(param)
    assert server.client.get("/v1/keys").json()["data"] == []


# --- limits ----------------------------------------------------------------------------------------


def test_a_bucket_by_hand() -> None:
    at = [0.0]
    buckets = Buckets(lambda: at[0])
    first = [buckets.take("k", 3) for _ in range(4)]
    assert [one.granted for one in first] == [True, True, True, False]
    assert [one.left for one in first] == [2, 1, 0, 0]
    assert first[3].wait_s == pytest.approx(20.0) and first[3].full_s == pytest.approx(60.0)
    assert first[3].headers()["Retry-After"] == "20" and "Retry-After" not in first[0].headers()
    at[0] = 19.9
    assert not buckets.take("k", 3).granted
    assert buckets.take("other", 3).granted
    at[0] = 20.0
    assert buckets.take("k", 3).granted and not buckets.take("k", 3).granted
    at[0] = 1e6
    assert [buckets.take("k", 3).granted for _ in range(4)] == [True, True, True, False]


def test_buckets_do_not_grow_without_end() -> None:
    at = [0.0]
    buckets = Buckets(lambda: at[0])
    for number in range(25_000):
        at[0] += 0.1
        buckets.take(str(number), 1)
    assert len(buckets._held) <= 10_000


@pytest.mark.spec("S5", "a key's requests a minute are bounded: 429 with Retry-After, whatever the clock is set to")
def test_requests_a_minute(served: Callable[..., Served], monkeypatch: pytest.MonkeyPatch) -> None:
    server = served()
    headers, other = server.key(requests_per_minute=2), server.key()
    first, second, third = (server.ask(headers) for _ in range(3))
    assert [first.status_code, second.status_code, third.status_code] == [200, 200, 429]
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert [one.headers["x-ratelimit-remaining-requests"] for one in (first, second, third)] == ["1", "0", "0"]
    assert 1 <= int(third.headers["retry-after"]) <= 30 and third.json()["error"]["type"] == "rate_limit_error"
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert server.ask(headers).status_code == 429 and server.ask(other).status_code == 200


def test_a_limit_for_keys_that_say_nothing(served: Callable[..., Served]) -> None:
    server = served(requests_per_minute=1, tokens_per_day=1000)
    headers, own = server.key(), server.key(requests_per_minute=50)
    assert server.ask(headers).headers["x-ratelimit-limit-tokens"] == "1000"
    assert server.ask(headers).status_code == 429
    assert [server.ask(own).status_code for _ in range(3)] == [200] * 3


@pytest.mark.spec("S5", "a key's tokens a day are bounded, and what was not used is given back")
def test_tokens_a_day(served: Callable[..., Served]) -> None:
    server = served()
    headers = server.key(tokens_per_day=20)
    key = headers["Authorization"].split("-")[1]
    answer = server.ask(headers)
    spent = answer.json()["usage"]["total_tokens"]
    assert answer.headers["x-ratelimit-remaining-tokens"] == "20"
    assert used(server.stores, key).tokens == spent == server.last.tokens_in + server.last.tokens_out
    too_many = server.ask(headers, max_tokens=20)
    assert too_many.status_code == 429 and too_many.json()["error"]["params"]["left"] == 20 - spent
    assert 0 < int(too_many.headers["retry-after"]) <= 86_401
    assert used(server.stores, key).tokens == spent and used(server.stores, key).requests == 2
    while used(server.stores, key).tokens < 20:
        left = 20 - used(server.stores, key).tokens
        prompt = "a" * min(left - 1, 4) if left > 1 else "a"
        if server.ask(headers, prompt=prompt, max_tokens=max(1, left - len(prompt))).status_code != 200:
            break
    assert used(server.stores, key).tokens <= 20


def test_what_was_set_aside_and_not_used_is_given_back(served: Callable[..., Served]) -> None:
    server = served()
    headers = server.key(tokens_per_day=1000)
    answer = server.ask(headers, prompt="abc", max_tokens=500, stop="b")
    assert answer.json()["choices"][0]["finish_reason"] == "stop"
    spent = answer.json()["usage"]["total_tokens"]
    assert spent < 20 and used(server.stores, server.last.key).tokens == spent


def test_a_stream_is_counted_as_far_as_it_was_read(served: Callable[..., Served]) -> None:
    server = served()
    headers = server.key(tokens_per_day=1000)
    with server.client.stream("POST", "/v1/chat/completions", json=CHAT, headers=headers) as stream:
        assert "[DONE]" in stream.read().decode()
    assert server.last.tokens_out == 4 and server.last.bytes_out > 100 and server.last.decision == "answered"
    assert used(server.stores, server.last.key).tokens == server.last.tokens_in + 4


# --- the record --------------------------------------------------------------------------------------


@pytest.mark.spec("S15", "each request leaves a row with key, model, route, decision and sizes, and not what was asked")
def test_each_request_leaves_a_row(served: Callable[..., Served]) -> None:
    server = served()
    answer = server.ask()
    row = server.last
    assert row.request == answer.headers["x-request-id"]
    assert (row.owner, row.key, row.method, row.route, row.model) == ("local", "", "POST", "/v1/completions", "parrot")
    assert (row.decision, row.status, row.code) == ("answered", 200, "")
    assert row.bytes_out == len(answer.content) and row.bytes_in == len(answer.request.content)
    assert (row.tokens_in, row.tokens_out) == (
        answer.json()["usage"]["prompt_tokens"],
        answer.json()["usage"]["completion_tokens"],
    )
    assert row.seconds > 0 and row.prompt is None
    refused = server.ask(model="parot")
    assert (server.last.decision, server.last.status, server.last.code) == (
        "refused",
        404,
        refused.json()["error"]["code"],
    )
    for path in ("/health/live", "/docs"):
        server.client.get(path)
    assert len(records(server.stores)) == 2


@pytest.mark.spec("S15", "the row names the model's files by their digest")
def test_the_row_has_the_digest_of_the_models_files(
    served: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    from langwright.tasks.front.model import Model

    model = Model("small", SimpleNamespace(digest="d" * 64), text=parrot())  # type: ignore[arg-type]
    stores = in_memory()
    with TestClient(build_app({"small": model}, stores=stores), base_url="http://localhost") as client:
        assert client.post("/v1/completions", json={**ASK, "model": "small"}).status_code == 200
    assert records(stores)[0].digest == "d" * 64
    stores.close()


@pytest.mark.spec("PR5", "what was asked is kept only where the server was told to, and sealed")
def test_prompts_are_kept_only_when_asked_for(served: Callable[..., Served], tmp_path: Any) -> None:
    stores = open_stores(f"sqlite:///{tmp_path}/s.db", Seal((b"1" * 32,)))
    server = served(stores=stores, audit_prompts=True)
    server.ask(prompt="a secret plan")
    assert "a secret plan" in str(records(stores, prompts=True)[0].prompt)
    assert b"secret plan" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert "secret plan" not in server.client.get("/v1/audit").text


def test_the_log_over_http(served: Callable[..., Served]) -> None:
    server = served()
    for model in ("parrot", "parot", "parrot"):
        server.ask(model=model)
    found = server.client.get("/v1/audit?limit=2&decision=answered").json()["data"]
    assert [row["model"] for row in found] == ["parrot", "parrot"] and "prompt" not in found[0]
    older = server.client.get(f"/v1/audit?before={found[1]['number']}").json()["data"]
    assert older == []
    assert len(server.client.get(f"/v1/audit?before={found[0]['number']}").json()["data"]) == 2
    for wrong in ("limit=0", "limit=x", "nothing=1", "limit=1&limit=2"):
        assert server.client.get(f"/v1/audit?{wrong}").status_code == 422, wrong


def test_nothing_a_caller_sends_changes_the_shape_of_the_log(served: Callable[..., Served]) -> None:
    server = served()
    nasty = "\r\nanswered 2026-01-01 admin\x1b[2J"
    server.client.get(f"/v1/models/{quote(nasty)}")
    server.ask(model=nasty, headers={"X-Request-Id": "mine"})
    server.client.request("EVIL\x7f"[:4], "/v1/models")
    rows = records(server.stores)
    assert [row.route for row in rows] == ["/v1/models", "/v1/completions", ""]
    assert all("answered" not in row.model and row.request.startswith("req_") for row in rows)


def test_a_flood_without_a_key_does_not_fill_the_log(served: Callable[..., Served]) -> None:
    server = served("0.0.0.0")
    for _ in range(100):
        assert server.client.get("/v1/models").status_code == 401
    assert len(records(server.stores, limit=1000)) <= 61


def test_an_answer_that_cannot_be_recorded_is_not_given(served: Callable[..., Served], tmp_path: Any) -> None:
    """The store is full: the caller hears 503 and not the answer, of a stream not its end, and it goes on with room."""
    stores = open_stores(f"sqlite:///{tmp_path}/s.db")
    server = served(stores=stores)
    assert server.ask().status_code == 200
    note = audit_store.note

    def full(into: Stores, *values: Any) -> None:
        with into.writing() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            for number in range(2000):
                connection.execute(insert(audit_store.audit).values({**row, "request": f"{number:060}"}))

    row = {
        name: value
        for name, value in vars(Record("r", "k", "o", "GET", "/", "answered", time=1.0)).items()
        if name != "number"
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("langwright.serving.access.gate.note", full)
        answer = server.ask()
        stream = server.client.post("/v1/chat/completions", json=CHAT)
    assert answer.status_code == 503 and "disk is full" in answer.json()["error"]["problem"]
    assert answer.headers["retry-after"] == "1" and note is audit_store.note
    assert "disk is full" in stream.text.split("data: ")[-1] and "[DONE]" not in stream.text
    with stores.writing() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert server.ask().status_code == 200


def test_a_mistake_of_ours_is_on_record(served: Callable[..., Served], monkeypatch: pytest.MonkeyPatch) -> None:
    server = served()
    monkeypatch.setattr("langwright.serving.openai.completing.room_for", lambda *a, **k: 1 / 0)
    assert server.ask().status_code == 500
    assert (server.last.decision, server.last.status) == ("failed", 500)


# --- one's own data ------------------------------------------------------------------------------------


@pytest.mark.spec("PR7", "a caller sees and deletes their own data over HTTP, and nobody else's")
def test_ones_own_data(served: Callable[..., Served]) -> None:
    server = served()
    ann, bob = server.key(owner="ann"), server.key(owner="bob")
    for owner in ("ann", "bob"):
        begin_conversation(server.stores, owner, title=f"of {owner}")
    assert server.ask(ann).status_code == 200
    found = server.client.get("/v1/me/data", headers=ann).json()
    assert [one["title"] for one in found["conversations"]] == ["of ann"] and len(found["audit"]) == 1
    assert server.client.delete("/v1/me/data", headers=ann).json()["conversations"] == 1
    assert server.client.get("/v1/me/data", headers=ann).json()["conversations"] == []
    assert len(server.client.get("/v1/me/data", headers=bob).json()["conversations"]) == 1
