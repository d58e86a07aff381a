"""Callers who send slowly or never end, on real connections: they are told or let go, and nobody waits for them."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from langwright.inference.fake import parrot

QUICK = {"sender_s": 0.4, "sender_bytes_s": 1000}
ASK = json.dumps({"model": "parrot", "prompt": "ab", "max_tokens": 2}).encode()


def head(body: bytes, path: str = "/v1/completions", method: str = "POST", more: str = "") -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{more}"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()


def connect(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def trickled(one: socket.socket, first: bytes, rest: bytes, every_s: float = 0.02) -> bytes:
    """What a caller reads who sends the rest byte by byte until the connection is closed."""
    ended = threading.Event()

    def send() -> None:
        with suppress(OSError):
            one.sendall(first)
            for byte in rest:
                if ended.wait(every_s):
                    return
                one.sendall(bytes([byte]))
            ended.wait(20)

    sender = threading.Thread(target=send)
    sender.start()
    read = b""
    try:
        with suppress(ConnectionError):
            while more := one.recv(65536):
                read += more
    finally:
        ended.set()
        sender.join(20)
        one.close()
    return read


def told(read: bytes) -> Any:
    """The refusal in an answer."""
    top, _, body = read.partition(b"\r\n\r\n")
    assert top.startswith(b"HTTP/1.1 408 ") and b"connection: close" in top.lower(), read
    return json.loads(body)["error"]


@pytest.mark.spec("SV1", "a caller whose request never ends, in its head or in its body, is told so and let go")
@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (b"", b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"a" * 10_000),
        (b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n", b"X: a\r\n" * 2000),
        (head(b"x" * 10_000), b"x" * 10_000),
        (head(b"x" * 10_000) + b'{"model"', b""),  # no more at all
        (
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n",
            b"1\r\n \r\n" * 2000,
        ),
        (head(b"text=" + b"a" * 9000, "/generate").replace(b"json", b"x-www-form-urlencoded"), b"text=" + b"a" * 9000),
    ],
)  # fmt: skip
def test_requests_that_never_end(serving: Callable[..., Any], first: bytes, rest: bytes) -> None:
    running = serving(parrot(), **QUICK)
    error = told(trickled(connect(running.url), first, rest))
    assert "did not come whole in time" in error["problem"] and "sender_s" in error["fix"]
    assert error["params"] == {"seconds": 0.4, "bytes_s": 1000}


def test_one_who_says_nothing_is_let_go_without_a_word(serving: Callable[..., Any]) -> None:
    running = serving(parrot(), **QUICK)
    assert trickled(connect(running.url), b"", b"") == b""


def test_a_second_request_and_what_comes_behind_an_answer(serving: Callable[..., Any]) -> None:
    running = serving(parrot(), **QUICK)
    one = connect(running.url)
    one.sendall(head(ASK) + ASK)
    read = one.recv(65536)
    while not read.endswith(b"}"):
        read += one.recv(65536)
    assert read.startswith(b"HTTP/1.1 200")
    assert "did not come" in told(trickled(one, b"", head(b"x" * 5000) * 9))["problem"]
    behind = trickled(connect(running.url), head(b"x" * 9000, "/nowhere"), b"x" * 9000)
    assert behind.startswith(b"HTTP/1.1 404") and behind.count(b"HTTP/1.1") == 1


def test_a_large_request_may_take_its_time(serving: Callable[..., Any]) -> None:
    running = serving(parrot(), sender_s=0.3, sender_bytes_s=100)
    body = json.dumps({"model": "parrot", "prompt": "ab" + " " * 400, "max_tokens": 2}).encode()
    one = connect(running.url)
    one.sendall(head(body, more="Connection: close\r\n"))
    began = time.monotonic()
    for at in range(0, len(body), 40):
        time.sleep(0.08)
        one.sendall(body[at : at + 40])
    assert time.monotonic() - began > 0.6  # longer than a request of nothing may take
    read = b""
    while more := one.recv(65536):
        read += more
    assert read.startswith(b"HTTP/1.1 200") and b'"text":"ab"' in read
    one.close()


def test_an_upload_that_stops_leaves_nothing_and_its_place(serving: Callable[..., Any]) -> None:
    running = serving(parrot(), **QUICK)
    begun = head(b"x" * 9000, "/v1/datasets/slow.txt", "PUT") + b"a line\n"
    for _ in range(6):
        told(trickled(connect(running.url), begun, b""))
    files = [path for path in Path().rglob("*") if path.is_file() and "slow" in path.name]
    assert not files
    sent = httpx.put(f"{running.url}/v1/datasets/whole.txt", content=b"a line\n")
    assert sent.status_code == 201, sent.text


def test_many_slow_ones_keep_nobody_waiting(serving: Callable[..., Any]) -> None:
    running = serving(parrot(), max_open=2, **QUICK)
    slow = [connect(running.url) for _ in range(100)]
    for number, one in enumerate(slow):
        one.sendall(head(b"x" * 9000) if number % 2 else b"GET / HTTP/1.1\r\nHost: ")
    answer = httpx.post(f"{running.url}/v1/completions", content=ASK, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    assert all(b"408" in one.recv(100) for one in slow)
    for one in slow:
        one.close()
    until = time.monotonic() + 10
    while running.server.server_state.connections and time.monotonic() < until:
        time.sleep(0.02)
    assert len(running.server.server_state.connections) <= 1  # the caller's that was answered may yet wait
