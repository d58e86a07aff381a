"""A real server: its port, its first line, its end."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from langwright.errors import UserError
from langwright.inference.fake import Parrot, letters, parrot
from langwright.inference.protocol import Request
from langwright.inference.texts.text import TextModel
from langwright.serving.running import listen, serve, url_of

SCRIPT = """
import sys
from langwright.inference.fake import parrot
from langwright.serving.running import serve
from langwright.serving.settings import ServingSettings
model = parrot(token_s=float(sys.argv[1]))
close = model.engine.close
model.engine.close = lambda: (close(), print("engine closed", file=sys.stderr))
serve({"parrot": model}, port=0, settings=ServingSettings(drain_s=float(sys.argv[2])))
"""


class Process:
    """A server in a process of its own."""

    def __init__(self, token_s: float, drain_s: float, lang: str = "C.UTF-8") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(token_s), str(drain_s)],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LC_ALL": lang, "PYTHONUTF8": "1"},
        )
        assert self.process.stderr is not None
        self.lines = [self.process.stderr.readline(), self.process.stderr.readline()]
        found = re.search(r"http://127\.0\.0\.1:\d+", self.lines[0])
        assert found is not None, self.lines
        self.url = found[0]

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Exit code and the rest of standard error."""
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=30)
        assert output == ""
        return self.process.returncode, errors


@pytest.fixture
def process() -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(token_s: float = 0.0, drain_s: float = 5.0, lang: str = "C.UTF-8") -> Process:
        started.append(Process(token_s, drain_s, lang))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


def wait_for(condition: Callable[[], bool], within_s: float = 10.0) -> bool:
    until = time.monotonic() + within_s
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


@pytest.mark.spec("SV1", "a server on a free port says where it is, and its printed curl example works")
def test_ready_line_and_its_example(process: Callable[..., Process], tmp_path: Path) -> None:
    server = process()
    assert server.lines[0].startswith("ready: http://127.0.0.1:")
    command = server.lines[1].removeprefix("try:").strip()
    assert command.startswith(f"curl {server.url}/v1/chat/completions")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and '"content":"Hello"' in done.stdout
    code, errors = server.end(signal.SIGTERM)
    assert code == 0 and errors == "engine closed\n"


def test_chinese_ready_line(process: Callable[..., Process]) -> None:
    server = process(lang="zh_CN.UTF-8")
    assert server.lines[0].startswith("就绪：http://127.0.0.1:") and "你好" in server.lines[1]
    assert server.end(signal.SIGINT)[0] == 0


def read_stream(url: str, text: str, out: list[str], opened: threading.Event) -> None:
    body = {"model": "parrot", "prompt": text, "stream": True, "max_tokens": len(text)}
    with httpx.stream("POST", f"{url}/v1/completions", json=body, timeout=30) as answer:
        for line in answer.iter_lines():
            out.append(line)
            opened.set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_open_streams_end_before_the_server_does(process: Callable[..., Process], number: signal.Signals) -> None:
    server = process(token_s=0.02, drain_s=20)
    lines: list[str] = []
    opened = threading.Event()
    reader = threading.Thread(target=read_stream, args=(server.url, "x" * 50, lines, opened))
    reader.start()
    assert opened.wait(10)
    code, errors = server.end(number)
    reader.join(10)
    assert code == 0 and errors == "engine closed\n"
    assert "data: [DONE]" in lines and sum('"text":"x"' in line for line in lines) == 50


def test_streams_that_take_too_long_are_told(process: Callable[..., Process]) -> None:
    server = process(token_s=0.1, drain_s=0.3)
    lines: list[str] = []
    opened = threading.Event()
    reader = threading.Thread(target=read_stream, args=(server.url, "x" * 300, lines, opened))
    reader.start()
    assert opened.wait(10)
    began = time.monotonic()
    code, errors = server.end(signal.SIGTERM)
    reader.join(10)
    assert code == 0 and errors == "engine closed\n" and time.monotonic() - began < 10
    last = [line for line in lines if line][-1]
    assert "the server is stopping" in last and "data: [DONE]" not in lines


@pytest.mark.spec("SV8", "a server that is stopped says that it is not ready, and answers for a while yet")
def test_not_ready_before_it_goes(serving: Callable[..., Any], watched: Callable[..., Any]) -> None:
    _, model = watched()
    running = serving(model, leave_s=600.0)
    assert httpx.get(f"{running.url}/health/ready").status_code == 200
    running.server.should_exit = True
    assert wait_for(lambda: httpx.get(f"{running.url}/health/ready").status_code == 503)
    body = {"model": "parrot", "prompt": "ab", "max_tokens": 2}
    assert httpx.post(f"{running.url}/v1/completions", json=body).status_code == 200
    running.server.force_exit = True  # as a second signal does
    running.thread.join(20)
    assert not running.thread.is_alive()


def test_a_port_in_use() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} of 127.0.0.1 is in use") as refused:
            serve({"m": parrot()}, port=port)
        assert "--port 0" in refused.value.fix("en") and "占用" in refused.value.problem("zh")
    listen("127.0.0.1", port).close()  # free again


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("192.0.2.1", 0, "cannot listen on 192.0.2.1"),
        ("no-such-host.invalid", 0, "cannot listen on no-such-host.invalid"),
        ("127.0.0.1", 65536, "there is no port 65536"),
        ("127.0.0.1", -1, "there is no port -1"),
    ],
)
def test_addresses_that_cannot_be_had(host: str, port: int, words: str) -> None:
    with pytest.raises(UserError, match=words):
        listen(host, port)


def test_a_port_that_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(UserError, match="port 80 may not be used"):
        listen("127.0.0.1", 80)


def test_urls() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert url_of("127.0.0.1", listener) == url_of("0.0.0.0", listener) == f"http://127.0.0.1:{port}"
        assert url_of("::1", listener) == f"http://[::1]:{port}"


def test_a_server_for_others_says_what_it_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    from langwright.serving.running import server_for

    with listen("127.0.0.1", 0) as listener:
        server_for({"m": parrot()}, "0.0.0.0", listener)
        said = capsys.readouterr().err
        assert "nobody can use" in said and "langwright keys create" in said and "unencrypted" in said
        server_for({"m": parrot()}, "127.0.0.1", listener)
        assert capsys.readouterr().err == ""


def test_closing_the_connection_cancels_in_the_engine(serving: Callable[..., Any], watched: Callable[..., Any]) -> None:
    engine, model = watched(token_s=0.05)
    running = serving(model)
    body = {"model": "parrot", "prompt": "x" * 400, "max_tokens": 400}
    with httpx.stream("POST", f"{running.url}/v1/completions", json={**body, "stream": True}) as answer:
        next(answer.iter_lines())
    streams = engine.streams
    assert wait_for(lambda: streams[0].finish_reason == "cancelled", 3)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{running.url}/v1/completions", json=body, timeout=0.3)  # no stream: it waits for the whole
    assert wait_for(lambda: len(streams) == 2 and streams[1].finish_reason == "cancelled", 3)
    assert wait_for(lambda: running.server._desk.taken == 0, 3)


def test_many_callers_at_once_are_served_together(serving: Callable[..., Any]) -> None:
    running = serving(parrot(token_s=0.02))
    texts = [f"第{number}个 " * 3 for number in range(16)]
    got: dict[int, str] = {}

    def call(number: int) -> None:
        body = {"model": "parrot", "prompt": texts[number], "max_tokens": 100}
        answer = httpx.post(f"{running.url}/v1/completions", json=body, timeout=30)
        got[number] = answer.json()["choices"][0]["text"]

    began = time.monotonic()
    threads = [threading.Thread(target=call, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [got[number] for number in range(16)] == texts
    one_s = 0.02 * len(texts[0].encode())
    assert time.monotonic() - began < 16 * one_s / 2  # one after the other would take twice as long and more


def test_the_busy_server_says_when_to_come_back(serving: Callable[..., Any]) -> None:
    running = serving(parrot(token_s=0.1), max_open=1)
    body = {"model": "parrot", "prompt": "x" * 50, "max_tokens": 50, "stream": True}
    with httpx.stream("POST", f"{running.url}/v1/completions", json=body) as answer:
        lines = answer.iter_lines()  # kept: httpx closes the connection when it goes
        next(lines)
        busy = httpx.post(f"{running.url}/v1/completions", json=body)
        assert busy.status_code == 429 and busy.headers["retry-after"] == "1"
        assert busy.json()["error"]["type"] == "rate_limit_error"
        assert httpx.get(f"{running.url}/health/live").status_code == 200


def test_a_large_body_is_turned_away_before_it_is_read(serving: Callable[..., Any]) -> None:
    running = serving(parrot(), max_body_bytes=1000)
    big = {"model": "parrot", "prompt": "x" * 20_000_000}
    answer = httpx.post(f"{running.url}/v1/completions", json=big)
    assert answer.status_code == 413 and answer.headers["connection"] == "close"
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(
            b"POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 99999\r\nExpect: 100-continue\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413")  # not 100: the body need not be sent at all


def test_raw_bytes_that_are_no_http(serving: Callable[..., Any]) -> None:
    running = serving(parrot())
    host, port = running.url.removeprefix("http://").split(":")
    for raw in (
        b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET /v1/models HTTP/1.1\r\n\r\n", b"POST /generate HTTP/1.1\r\nHost: evil\r\n\r\n",
        b"GET /v1/models HTTP/1.0\r\n\r\n", b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n",
    ):  # fmt: skip
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(200)
        assert answer == b"" or answer.split()[1][:1] == b"4", (raw, answer)
    assert httpx.get(f"{running.url}/v1/models").status_code == 200


@pytest.mark.spec("SV5", "the one framework is no development server: 40 answers are written at the same time")
def test_answers_are_written_together(serving: Callable[..., Any]) -> None:
    together = threading.Barrier(40)

    class Meeting(Parrot):
        """Says nothing before 40 requests are there."""

        def submit(self, request: Request) -> Any:
            stream = super().submit(request)
            stream._tokens = self.meet(stream._tokens)
            return stream

        def meet(self, tokens: Iterator[Any]) -> Iterator[Any]:
            together.wait(60)
            yield from tokens

    running = serving(TextModel(Meeting(), letters(), "parrot"), max_open=40)
    texts: list[str] = []

    def ask() -> None:
        body = {"model": "parrot", "prompt": "你好"}
        texts.append(httpx.post(f"{running.url}/v1/completions", json=body, timeout=90).json()["choices"][0]["text"])

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert texts == ["你好"] * 40
