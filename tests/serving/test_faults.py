"""What goes wrong on the wire: callers that leave, read slowly or send nonsense, and neighbours that must not notice."""

from __future__ import annotations

import json
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
import torch
from starlette.testclient import TestClient
from transformers import LlamaConfig, LlamaForCausalLM

from langwright.inference.engine import TorchEngine
from langwright.inference.fake import Parrot, letters, parrot
from langwright.inference.precision import Preparation
from langwright.inference.texts.text import TextModel
from langwright.serving.docs_page import BODIES
from langwright.serving.running import Server

LEAVERS = 50
NEIGHBOURS = [
    {"model": "strict", "prompt": text, "max_tokens": 90, "temperature": 1, "seed": seed, "logprobs": 2}
    for seed, text in enumerate(["ab", "你好", "a much longer beginning than the others"])
]


def little(**more: Any) -> TorchEngine:
    """An engine of a tiny Llama with random weights over the 256 bytes."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(letters()), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=256, eos_token_id=None, bos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    return TorchEngine(LlamaForCausalLM(config), max_batch=6, **more)


@pytest.fixture(scope="module")
def strict() -> Iterator[TextModel]:
    """A model whose requests have the same bits alone and beside others."""
    engine = little(preparation=Preparation(strict=True))
    yield TextModel(engine, letters(), "strict")
    engine.close()


def head(body: bytes, *, path: str = "/v1/completions", kind: str = "application/json") -> bytes:
    """What stands before a body."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode()


def connect(url: str, receive_bytes: int | None = None) -> socket.socket:
    """A connection of bytes."""
    one = socket.socket()
    if receive_bytes is not None:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    host, _, port = url.removeprefix("http://").partition(":")
    one.settimeout(20)
    one.connect((host, int(port)))
    return one


def leave(one: socket.socket, rudely: bool) -> None:
    """Close a connection; rudely with a reset instead of a goodbye."""
    if rudely:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


def empty(server: Server, within_s: float = 20.0) -> bool:
    """Whether the server has nothing open, soon."""
    until = time.monotonic() + within_s
    while server._desk.taken and time.monotonic() < until:
        time.sleep(0.01)
    return server._desk.taken == 0


def answers(url: str) -> list[Any]:
    """What the neighbours are told, all asking at once."""
    found: dict[int, Any] = {}

    def one(number: int) -> None:
        said = httpx.post(f"{url}/v1/completions", json=NEIGHBOURS[number], timeout=120)
        found[number] = said.json()["choices"]

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(NEIGHBOURS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return [found[number] for number in range(len(NEIGHBOURS))]


@pytest.mark.spec("SV1", "50 callers leave before they are answered, 50 in the middle: neighbours keep every bit")
@pytest.mark.parametrize("when", ["before the first token", "in the middle of a stream"])
def test_neighbours_of_those_who_leave(serving: Callable[..., Any], strict: TextModel, when: str) -> None:
    running = serving(strict, max_open=64)
    alone = answers(running.url)
    draw = random.Random(3)
    body = json.dumps(
        {
            "model": "strict",
            "prompt": "x" * 120,
            "max_tokens": 120,
            "seed": 5,
            "stream": when != "before the first token",
        }
    ).encode()

    def go(rudely: bool, after_s: float) -> None:
        one = connect(running.url)
        one.sendall(head(body) + body)
        if when == "before the first token":
            time.sleep(after_s)
        else:
            read = b""
            while b"data:" not in read:
                read += one.recv(1024)
        leave(one, rudely)

    leavers = [threading.Thread(target=go, args=(number % 2 == 0, draw.uniform(0, 0.03))) for number in range(LEAVERS)]
    stop = threading.Event()
    beside: list[Any] = []

    def neighbours() -> None:
        while not stop.is_set():
            beside.append(answers(running.url))

    asking = threading.Thread(target=neighbours)
    asking.start()
    for thread in leavers:
        thread.start()
        time.sleep(0.005)
    for thread in leavers:
        thread.join(60)
    stop.set()
    asking.join(120)
    assert beside and all(one == alone for one in beside)
    assert empty(running.server), "a place was not given back"


def test_a_slow_reader_keeps_nobody_waiting_and_is_let_go(serving: Callable[..., Any]) -> None:
    tokenizer = letters()
    running = serving(TextModel(Parrot(context=1 << 20), tokenizer, "big"), max_body_bytes=1 << 20, reader_s=1.0)
    body = json.dumps({"model": "big", "prompt": "x" * 600_000, "echo": True, "n": 16, "max_tokens": 1, "stream": True})
    slow = connect(running.url, receive_bytes=2048)
    slow.sendall(head(body.encode()) + body.encode())
    read = slow.recv(64)
    assert read.startswith(b"HTTP/1.1 200")
    for _ in range(5):  # ten megabytes wait for the slow one; others are answered
        quick = httpx.post(f"{running.url}/v1/completions", json={"model": "big", "prompt": "ab"}, timeout=20)
        assert quick.json()["choices"][0]["text"] == "ab"
    assert empty(running.server), "the slow reader keeps its place"
    time.sleep(4)  # longer than the server waits
    got = 0
    with pytest.raises(ConnectionError):
        while chunk := slow.recv(1 << 16):
            got += len(chunk)
    assert got < 9_000_000
    slow.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-Bomb: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(20_000)) + b"\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nBad Header: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \x00\r\n\r\n",
        b"POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /generate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64 + b"\r\n\r\n",
    ],
)  # fmt: skip
def test_bombs_and_nonsense_are_turned_away(serving: Callable[..., Any], sent: bytes) -> None:
    running = serving(parrot())
    one = connect(running.url)
    read = b""
    with suppress(ConnectionError):  # it did not wait for the rest
        one.sendall(sent)
        while chunk := one.recv(4096):
            read += chunk
    assert not read or read.split()[1].startswith(b"4"), read[:100]
    answer = httpx.post(f"{running.url}/v1/completions", json={"model": "parrot", "prompt": "ab"})
    assert answer.json()["choices"][0]["text"] == "ab"
    one.close()


def test_a_body_that_never_ends_is_cut_off(serving: Callable[..., Any]) -> None:
    running = serving(parrot(), max_body_bytes=10_000)
    one = connect(running.url)
    lines = [
        "POST /v1/completions HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
    ]
    one.sendall("\r\n".join([*lines, "", ""]).encode())
    chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
    with suppress(ConnectionError):
        for _ in range(1000):
            one.sendall(chunk)
    one.settimeout(5)
    read = b""
    with suppress(ConnectionError):
        read = one.recv(4096)
    assert not read or b" 413 " in read  # the answer may be overtaken by the end of the connection
    assert httpx.get(f"{running.url}/health/live").status_code == 200
    one.close()


@pytest.mark.spec(
    "SV1", "Chinese that is cut in the middle of a character on its way arrives whole, in both directions"
)
def test_chinese_in_pieces(serving: Callable[..., Any]) -> None:
    running = serving(parrot())
    text = "山高水长，🌍 天地玄黄"
    body = json.dumps(
        {"model": "parrot", "prompt": text, "max_tokens": 99, "stream": True}, ensure_ascii=False
    ).encode()
    one = connect(running.url)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    one.sendall(head(body).replace(f"Content-Length: {len(body)}".encode(), b"Transfer-Encoding: chunked"))
    for byte in body:
        one.sendall(b"1\r\n" + bytes([byte]) + b"\r\n")
    one.sendall(b"0\r\n\r\n")
    read = b""
    while b"[DONE]" not in read:
        read += one.recv(1)  # the reader sees every cut there is
    events = [line[6:] for line in read.split(b"\r\n") if line.startswith(b"data: {")]
    assert "".join(json.loads(event.decode())["choices"][0]["text"] for event in events) == text
    one.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_engine_that_dies_tells_those_who_wait(serving: Callable[..., Any]) -> None:
    engine = little()
    running = serving(TextModel(engine, letters(), "mortal"))
    body = {"model": "mortal", "prompt": "ab", "max_tokens": 200, "stream": True}
    under_way, last = threading.Barrier(4), []

    def stream() -> None:
        with httpx.stream("POST", f"{running.url}/v1/completions", json=body, timeout=60) as answer:
            lines = (line for line in answer.iter_lines() if line)
            first = next(lines)
            under_way.wait(20)
            last.append([first, *lines][-1])

    turn = engine._worker._turn

    def struck(*given: Any) -> Any:
        if under_way.n_waiting < 3:
            time.sleep(0.01)  # that none is done before all have begun
            return turn(*given)
        under_way.wait(20)
        raise MemoryError("the lightning struck")

    engine._worker._turn = struck  # type: ignore[method-assign]
    threads = [threading.Thread(target=stream) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(last) == 3 and all("the server made a mistake" in line for line in last)
    assert httpx.post(f"{running.url}/v1/completions", json={**body, "stream": False}).status_code == 500
    assert httpx.get(f"{running.url}/health/live").status_code == 200
    assert httpx.get(f"{running.url}/health/ready").json()["models"] == {"mortal": "broken"}
    assert empty(running.server)


def test_a_clock_that_jumps_ends_nothing(serving: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    running = serving(parrot(token_s=0.02), sender_s=5.0)
    text = "x" * 40
    body = {"model": "parrot", "prompt": text, "max_tokens": 99, "stream": True}
    said = []
    for jump in (4e9, 1e6):  # to the year 2096, and to 1970
        with httpx.stream("POST", f"{running.url}/v1/completions", json=body, timeout=20) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: {"):
                    monkeypatch.setattr(time, "time", lambda jump=jump: jump)
                    said.append(json.loads(line[6:])["choices"][0]["text"])
        assert line == "" and "".join(said) == text
        said.clear()
        quick = httpx.post(f"{running.url}/v1/completions", json={**body, "stream": False, "prompt": "ab"}, timeout=20)
        assert quick.json()["choices"][0]["text"] == "ab"
        assert httpx.get(f"{running.url}/health/ready").status_code == 200


# --- every route ---------------------------------------------------------------------------------

BROKEN = [
    b"", b"{", b"[" * 100_000, b'{"a":' * 50_000, b'{"model": "\\ud800"}', b'{"model": "\xed\xa0\x80"}', b"\xff", b"\x00", b"[1]", b"NaN",
    b'{"model": NaN}', b'{"model": Infinity}', b'{"model": 1e999}', b'{"model":' + b"9" * 5000 + b"}", b'{"model": "parrot", "model": 3}',
    "{'模': 1}".encode("gb18030"), b'{"__proto__": {}}', b'{"' + b"k" * 100_000 + b'": 1}',
]  # fmt: skip


@pytest.mark.parametrize("path", [path.format(task="classification") for path in BODIES])
def test_broken_bodies_are_the_callers_fault_everywhere(client: TestClient, path: str) -> None:
    kinds = ["application/json"] + ["application/x-www-form-urlencoded"] * (
        path in ("/generate", "/translate", "/classify")
    )
    for body in BROKEN:
        for kind in kinds:
            answer = client.post(path, content=body, headers={"Content-Type": kind})
            assert 400 <= answer.status_code < 500, (path, body[:40], answer.text)
            assert len(answer.content) < 3000 and answer.json()["error"]["fix"]


@pytest.mark.spec(
    "SV1", "no route answers a page of another site, or a name that was bound to this computer from outside"
)
def test_no_route_serves_other_sites(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    asked = 0
    for path, verbs in paths.items():
        for verb in verbs:
            for headers in (
                {"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"},
                {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
            ):  # fmt: skip
                form = {"Content-Type": "application/x-www-form-urlencoded", **headers}
                answer = client.request(verb.upper(), re.sub(r"\{[^}]*\}", "x", path), content=b"text=a", headers=form)
                assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers
                asked += 1
    assert asked > 40
