"""nginx in front of a real server: tokens as they are written, the name passed on, and keys although it is this computer."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving.access.test_tls import pair
from tests.serving.deploy.places import DEPLOY, program

from langwright.inference.fake import parrot
from langwright.serving.running import listen, server_for
from langwright.serving.settings import ServingSettings
from langwright.serving.stores.keys import create_key
from langwright.serving.stores.opening import in_memory

NAME = "models.example"
AROUND = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {site}
}}
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(listen("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def site(folder: Path, upstream: int, plain: int, secure: int) -> Path:
    """nginx.conf with ports and a certificate of this test, inside what Debian's own nginx.conf would be."""
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    cert, key = pair(folder, NAME)
    for pattern, other in (
        (r"server 127\.0\.0\.1:8000;", f"server 127.0.0.1:{upstream};"),
        (r"listen 80;", f"listen 127.0.0.1:{plain};"),
        (r"listen 443 ssl http2;", f"listen 127.0.0.1:{secure} ssl http2;"),
        (r"listen \[::\]:\d+[^;]*;", ""),
        (r"/etc/letsencrypt/live/\S+/fullchain\.pem", cert),
        (r"/etc/letsencrypt/live/\S+/privkey\.pem", key),
    ):
        text, found = re.subn(pattern, other, text)
        assert found, pattern
    file = folder / "nginx.conf"
    file.write_text(AROUND.format(folder=folder, site=text), encoding="utf-8")
    return file


@dataclass
class Proxied:
    """A server behind nginx, and a key for it."""

    plain: int
    client: httpx.Client
    key: dict[str, str]
    open: Callable[[], int]


@pytest.fixture
def proxied(tmp_path: Path, watched: Callable[..., Any]) -> Iterator[Proxied]:
    nginx = program("nginx", "Debian: nginx-light")
    _, model = watched(token_s=0.05)
    listener, stores, up = listen("127.0.0.1", 0), in_memory(), threading.Event()
    settings = ServingSettings(require_key=True, allowed_hosts=(NAME,))
    server = server_for(
        {"parrot": model}, "127.0.0.1", listener, settings=settings, stores=stores, ready=lambda url: up.set()
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert up.wait(20)
    plain, secure = free_port(), free_port()
    config = site(tmp_path, listener.getsockname()[1], plain, secure)
    process = subprocess.Popen([nginx, "-p", str(tmp_path), "-c", str(config)], stderr=subprocess.PIPE, text=True)
    key = {"Authorization": f"Bearer {create_key(stores, name='n', purpose='p', scopes=('ask', 'read')).secret}"}
    client = httpx.Client(
        base_url=f"https://127.0.0.1:{secure}", verify=False, trust_env=False, timeout=20, headers={"Host": NAME}
    )
    try:
        wait_for(client, process)
        yield Proxied(plain, client, key, lambda: server._desk.taken)
    finally:
        client.close()
        process.terminate()
        process.communicate(timeout=10)
        server.should_exit = True
        thread.join(20)
        stores.close()


def wait_for(client: httpx.Client, process: subprocess.Popen[str]) -> None:
    """Until nginx answers."""
    until = time.monotonic() + 20
    while True:
        assert process.poll() is None and time.monotonic() < until, process.stderr and process.stderr.read()
        try:
            assert client.get("/health/live").status_code == 200
            return
        except httpx.TransportError:
            time.sleep(0.05)


@pytest.mark.spec("SV6", "nginx finds nothing wrong with the example of a proxy")
def test_nginx_understands_it(tmp_path: Path) -> None:
    config = site(tmp_path, 8000, free_port(), free_port())
    command = [program("nginx", "Debian: nginx-light"), "-t", "-q", "-p", str(tmp_path), "-c", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "emerg" not in done.stderr and "warn" not in done.stderr, done.stderr


@pytest.mark.spec("SV6", "through the proxy tokens arrive as they are written, and who hangs up ends the work for it")
def test_a_stream_is_not_gathered(proxied: Proxied) -> None:
    body = {"model": "parrot", "prompt": "ab" * 50, "max_tokens": 100, "stream": True}
    with proxied.client.stream("POST", "/v1/completions", json=body, headers=proxied.key) as answer:
        assert answer.status_code == 200, answer.read()
        lines = (line for line in answer.iter_lines() if line.startswith("data: {"))
        first = json.loads(next(lines).removeprefix("data: "))
        assert first["choices"][0]["text"] and proxied.open() == 1, "it has come while the others are written yet"
    until = time.monotonic() + 10
    while proxied.open() and time.monotonic() < until:
        time.sleep(0.02)
    assert proxied.open() == 0


@pytest.mark.spec(
    "SV6", "behind a proxy every request needs a key from the beginning; names are checked, counters stay inside"
)
def test_what_the_proxy_lets_through(proxied: Proxied) -> None:
    client = proxied.client
    body = {"model": "parrot", "prompt": "a", "max_tokens": 2}
    assert client.post("/v1/completions", json=body).status_code == 401
    answer = client.post("/v1/completions", json=body, headers=proxied.key)
    assert answer.status_code == 200 and answer.headers["strict-transport-security"]
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"]), "the proxy's own name for the request"
    assert client.get("/metrics", headers=proxied.key).status_code == 404
    plain = httpx.get(f"http://127.0.0.1:{proxied.plain}/docs", headers={"Host": NAME}, trust_env=False)
    assert plain.status_code == 308 and plain.headers["location"] == f"https://{NAME}/docs"
    stranger = client.get("/v1/models", headers={**proxied.key, "Host": "evil.example"})
    assert stranger.status_code in (400, 403, 421), stranger.text


@pytest.mark.spec("SV6", "a server behind a proxy says that it has no key yet, and asks for one on this computer too")
def test_a_key_is_needed_on_this_computer_too(
    capsys: pytest.CaptureFixture[str], serving: Callable[..., Any], watched: Callable[..., Any]
) -> None:
    with closing(listen("127.0.0.1", 0)) as listener:
        server_for({"m": parrot()}, "127.0.0.1", listener, settings=ServingSettings(require_key=True))
    said = capsys.readouterr().err
    assert "nobody can use" in said and "unencrypted" not in said
    running = serving(watched()[1], require_key=True)
    assert httpx.get(f"{running.url}/v1/models", trust_env=False).status_code == 401
    assert httpx.get(f"{running.url}/health/ready", trust_env=False).status_code == 200
