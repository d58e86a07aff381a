"""`langwright studio`: finds a server that runs, and says where the studio is."""

from __future__ import annotations

import json
import threading
import webbrowser
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from langwright.cli.main import main
from langwright.cli.studio import answers


@pytest.fixture
def alive(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a server that says what the test is given."""
    said = getattr(request, "param", {"status": "alive"})

    class Says(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Says) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()


def test_a_server_that_runs_is_opened(
    alive: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)
    assert main(["studio", "--port", str(alive), "--lang", "en"]) == 0
    assert opened == [f"http://127.0.0.1:{alive}"]
    assert f"http://127.0.0.1:{alive}" in capsys.readouterr().out


def test_it_says_where_it_is_and_opens_nothing_when_asked_so(
    alive: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda url: pytest.fail("it opened a browser"))
    assert main(["studio", "--port", str(alive), "--no-browser", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"url": f"http://127.0.0.1:{alive}"}


@pytest.mark.parametrize("alive", [{"status": "ok"}, [1], "alive"], indirect=True)
def test_another_server_is_not_taken_for_ours(alive: int) -> None:
    assert not answers(f"http://127.0.0.1:{alive}")


def test_where_nothing_listens_there_is_no_server() -> None:
    assert not answers("http://127.0.0.1:9")
