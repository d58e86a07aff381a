"""Who may ask: Host, Origin, size and kind of a body."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from langwright.errors import UserError
from langwright.inference.fake import parrot
from langwright.serving.access.guards import Audience, audience, host_name
from langwright.serving.access.senders import Pace
from langwright.serving.app import build_app
from langwright.serving.settings import ServingSettings

ASK = {"model": "parrot", "prompt": "a"}


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LOCALHOST:1", "localhost.", "127.0.0.1", "127.0.0.1:8000", "[::1]:8000"]
)
def test_names_of_this_computer_are_served(client: TestClient, host: str) -> None:
    assert client.get("/v1/models", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.7", "0.0.0.0",
        "", "localhost:x", "localhost:8000:1", "a@localhost", "[::1", "localhost/", "localhost, evil.example", " localhost",
        "localhost:999999", "127.1", "2130706433",
    ],
)  # fmt: skip
def test_other_hosts_are_turned_away(client: TestClient, host: str) -> None:
    answer = client.get("/v1/models", headers={"Host": host})
    assert answer.status_code == 403 and answer.json()["error"]["type"] == "permission_error"
    assert client.post("/v1/completions", json=ASK, headers={"Host": host}).status_code == 403


def test_two_host_headers_are_turned_away(client: TestClient) -> None:
    headers = [("Host", "localhost"), ("Host", "evil.example")]
    assert client.request("GET", "/v1/models", headers=headers).status_code == 403


def test_no_host_at_all_is_turned_away() -> None:
    from starlette.datastructures import Headers

    from langwright.serving.access.guards import Guard

    assert Guard(build_app({"m": parrot()}), Audience(), Pace(20, 500)).refusal(Headers({}), "GET") is not None


def test_an_allowed_host_is_served() -> None:
    app = build_app({"parrot": parrot()}, audience=audience("127.0.0.1", hosts=("Lab.example",)))
    with TestClient(app, base_url="http://lab.example:8000") as client:
        assert client.get("/v1/models").status_code == 200
        assert client.get("/v1/models", headers={"Host": "10.0.0.7:8000"}).status_code == 403


def test_a_server_for_others_takes_addresses_but_no_strange_names() -> None:
    open_to_all = audience("0.0.0.0")
    assert open_to_all.addressed("10.0.0.7:8000") and open_to_all.addressed("[fe80::1]:8000")
    assert not open_to_all.addressed("evil.example")
    assert audience("lab.example").addressed("lab.example:8000")


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://localhost:3000", "https://localhost.evil.example", "file://", "http://["],
)
def test_pages_from_elsewhere_are_turned_away(client: TestClient, origin: str) -> None:
    answer = client.post("/v1/completions", json=ASK, headers={"Origin": origin})
    assert answer.status_code == 403 and answer.json()["error"]["params"]["origin"] == origin
    assert client.post("/generate", data={"text": "a"}, headers={"Origin": origin}).status_code == 403
    assert client.get("/v1/models", headers={"Origin": origin}).status_code == 403


def test_own_pages_may_ask(client: TestClient) -> None:
    answer = client.post("/v1/completions", json=ASK, headers={"Origin": "http://localhost:8000"})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_no_cors_unless_asked_for(client: TestClient) -> None:
    preflight = {"Origin": "http://localhost:8000", "Access-Control-Request-Method": "POST"}
    answer = client.options("/v1/completions", headers=preflight)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_form_of_an_old_browser_is_turned_away(client: TestClient) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert client.post("/generate", data={"text": "a"}, headers=headers).status_code == 403
    assert client.get("/docs", headers={**headers, "Sec-Fetch-Mode": "navigate"}).status_code == 200
    assert (
        client.post("/generate", data={"text": "a"}, headers={**headers, "Sec-Fetch-Mode": "navigate"}).status_code
        == 403
    )


@pytest.fixture
def notes() -> Iterator[TestClient]:
    app = build_app({"parrot": parrot()}, audience=audience("127.0.0.1", origins=("https://notes.example",)))
    with TestClient(app, base_url="http://localhost:8000") as client:
        yield client


def test_an_allowed_origin_may_ask_and_read(notes: TestClient) -> None:
    answer = notes.post("/v1/completions", json=ASK, headers={"Origin": "https://notes.example"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://notes.example"
    preflight = {
        "Origin": "https://notes.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    assert notes.options("/v1/completions", headers=preflight).status_code == 200
    assert notes.post("/v1/completions", json=ASK, headers={"Origin": "https://evil.example"}).status_code == 403


@pytest.mark.parametrize("name", ["http://lab", "lab:8000", "a b", ""])
def test_a_host_that_could_never_match_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="not the name of a host"):
        audience("127.0.0.1", hosts=(name,))


@pytest.mark.parametrize("origin", ["notes.example", "https://notes.example/", "*", "ftp://x", "https://"])
def test_an_origin_that_could_never_match_is_refused(origin: str) -> None:
    with pytest.raises(UserError, match="not a web origin"):
        audience("127.0.0.1", origins=(origin,))


def test_host_names() -> None:
    assert host_name("[::1]:8000") == "::1"
    assert host_name("Localhost.") == "localhost"
    assert host_name("a b") is None and host_name("") is None


# --- bodies --------------------------------------------------------------------------------------


def small(limit: int) -> TestClient:
    return TestClient(
        build_app({"parrot": parrot()}, settings=ServingSettings(max_body_bytes=limit)), "http://localhost"
    )


def test_a_body_too_large_is_413() -> None:
    with small(100) as client:
        answer = client.post("/v1/completions", json={**ASK, "prompt": "x" * 200})
        assert answer.status_code == 413 and answer.json()["error"]["params"] == {"limit": 100}
        assert client.post("/generate", data={"text": "x" * 200}).status_code == 413


def test_a_body_without_a_stated_length_is_counted() -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(50):
            yield b"x" * 10

    with small(100) as client:
        headers = {"Content-Type": "application/json"}
        assert client.post("/v1/completions", content=pieces(), headers=headers).status_code == 413


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "", "application/json; charset=gbk", "json", "text/json"],
)
def test_other_kinds_of_bodies_are_415(client: TestClient, kind: str) -> None:
    answer = client.post("/v1/completions", content=b'{"model":"parrot","prompt":"a"}', headers={"Content-Type": kind})
    assert answer.status_code == 415 and answer.json()["error"]["params"]["given"] == kind


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_json_however_it_is_written(client: TestClient, kind: str) -> None:
    answer = client.post("/v1/completions", content=b'{"model":"parrot","prompt":"a"}', headers={"Content-Type": kind})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"{", 400), (b"nonsense", 400), (b"\xff\xfe", 400), (b"\xef\xbb\xbf{}", 400),
        (b'{"model": "\\ud800"}', 400), (b"[" * 10_000, 400), (b"{}{}", 400), ("{'模': 1}".encode("gbk"), 400),
        (b"[]", 422), (b"null", 422), (b"3", 422), (b'"text"', 422),
        (b'{"model":"parrot","prompt":"a","temperature":1e999}', 422),
        (b'{"model":"parrot","prompt":"a","temperature":NaN}', 422),
        (b'{"model":"parrot","prompt":"a","seed":' + b"9" * 400 + b"}", 422),
    ],
)  # fmt: skip
def test_malformed_bodies_are_the_callers_fault(client: TestClient, body: bytes, status: int) -> None:
    for path in ("/v1/completions", "/v1/chat/completions", "/generate"):
        answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == status or (path != "/v1/completions" and 400 <= answer.status_code < 500)
        assert answer.json()["error"]["problem"]
