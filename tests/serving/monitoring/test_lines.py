"""The log of requests: one line each, nothing of what was said, nothing that a caller can smuggle in."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from langwright.errors import UserError
from langwright.inference.fake import parrot
from langwright.serving.app import build_app
from langwright.serving.monitoring.lines import Lines, line_of, plain_id
from langwright.serving.monitoring.settings import MonitoringSettings
from langwright.serving.settings import ServingSettings
from langwright.serving.stores.audit import records
from langwright.serving.stores.keys import create_key
from langwright.serving.stores.opening import in_memory


def client_of(**settings: Any) -> TestClient:
    app = build_app({"parrot": parrot()}, settings=ServingSettings(monitoring=MonitoringSettings(**settings)))
    return TestClient(app, base_url="http://localhost", raise_server_exceptions=False)


@pytest.mark.spec("SV8", "each request leaves one line of JSON with its name, route, status and times, never its text")
def test_a_line_a_request(tmp_path: Path) -> None:
    file = tmp_path / "requests.log"
    with client_of(log=str(file)) as client:
        body = {"model": "parrot", "prompt": "my secret", "max_tokens": 9}
        named = client.post("/v1/completions", json=body, headers={"X-Request-ID": "mine-1"})
        missing = client.get("/secret-path")
    lines = [json.loads(line) for line in file.read_text(encoding="ascii").splitlines()]
    assert [line["route"] for line in lines] == ["/v1/completions", ""]
    assert lines[0]["request"] == named.headers["x-request-id"] == "mine-1"
    assert lines[0]["audit"].startswith("req_") and "audit" not in lines[1]
    assert lines[1]["request"] == missing.headers["x-request-id"] != "mine-1"
    assert (lines[0]["status"], lines[0]["whole"], lines[1]["status"]) == (200, True, 404)
    assert 0 < lines[0]["first_byte_s"] <= lines[0]["seconds"]
    assert "secret" not in file.read_text()
    assert (lines[0]["model"], lines[0]["tokens_in"], lines[0]["tokens_out"]) == ("parrot", 9, 9)
    assert lines[1]["code"] and "code" not in lines[0] and "key" not in lines[0]


def test_who_asked_and_under_which_name_it_is_on_record(tmp_path: Path) -> None:
    """A key by its id, never its secret; the row of the audit log has a name that no caller chose."""
    file, stores = tmp_path / "requests.log", in_memory()
    made = create_key(stores, name="n", purpose="p", scopes=("ask",))
    settings = ServingSettings(monitoring=MonitoringSettings(log=str(file)))
    app = build_app({"parrot": parrot()}, settings=settings, stores=stores)
    with TestClient(app, base_url="http://localhost") as client:
        headers = {"Authorization": f"Bearer {made.secret}", "X-Request-ID": "mine"}
        for _ in range(2):
            client.post("/v1/completions", json={"model": "parrot", "prompt": "a"}, headers=headers)
        page = client.get("/metrics", headers=headers)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["key"] for line in lines] == [made.key.id] * 3 and made.secret not in file.read_text()
    rows = [row.request for row in records(stores)][::-1]
    assert [line["audit"] for line in lines] == rows and len(set(rows)) == 3
    assert page.status_code == 403  # counters need the scope `read`
    assert lines[2]["code"] == page.json()["error"]["code"]
    stores.close()


@pytest.mark.parametrize("given", ["a\r\nb", "a b", "", "-a", "é", "x" * 65, '"}{"', "\x1b[2J", "a\u2028b"])
def test_names_that_are_not_plain_are_replaced(given: str) -> None:
    assert plain_id([given]) is None and plain_id(["a", "a"]) is None
    assert plain_id(["a" * 64]) == "a" * 64


@given(st.text(), st.text())
def test_no_text_can_begin_a_line(name: str, text: str) -> None:
    line = line_of({"route": text, "key": name})
    assert line.isascii() and line.isprintable() and len(line.splitlines()) == 1
    assert json.loads(line) == {"route": text, "key": name}


def test_a_name_sent_with_a_line_break_never_reaches_the_log(tmp_path: Path) -> None:
    file = tmp_path / "requests.log"
    with client_of(log=str(file)) as client:
        client.get("/v1/models", headers={"X-Request-ID": 'x", "status": 200} {"'})
        client.request("GET", "/v1/models", headers=[("X-Request-ID", "a"), ("X-Request-ID", "b")])
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) == 2 and all(line["request"].startswith("req_") for line in lines)


def test_errors_of_ours_are_written_down_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "requests.log"
    monkeypatch.setattr("langwright.serving.openai.routes.answer_completion", None)
    with client_of(log=str(file)) as client:
        assert client.post("/v1/completions", json={"model": "parrot", "prompt": "a"}).status_code == 500
        page = client.get("/metrics").text
    line = json.loads(file.read_text().splitlines()[0])
    assert (line["status"], line["whole"]) == (500, False)
    assert 'langwright_requests_total{method="POST",route="/v1/completions",status="500"} 1.0' in page


def test_a_caller_that_leaves_is_seen(serving: Any, watched: Any, tmp_path: Path) -> None:
    _, model = watched(token_s=0.02)
    file = tmp_path / "requests.log"
    running = serving(model, monitoring=MonitoringSettings(log=str(file)))
    body = {"model": "parrot", "prompt": "x" * 200, "stream": True, "max_tokens": 200}
    with httpx.stream("POST", f"{running.url}/v1/completions", json=body, timeout=30) as answer:
        next(answer.iter_lines())
    running.stop()
    line = json.loads(file.read_text().splitlines()[0])
    assert (line["status"], line["whole"]) == (200, False)


def test_a_long_log_is_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "requests.log"
    lines = Lines(MonitoringSettings(log=str(file), log_bytes=10_000, log_files=2), lambda: None)
    lines.open()
    for number in range(1000):
        lines.write({"number": number, "filler": "x" * 40})
    lines.close()
    files = sorted(tmp_path.iterdir())
    assert [one.name for one in files] == ["requests.log", "requests.log.1", "requests.log.2"]
    assert all(one.stat().st_size <= 10_000 for one in files)
    assert json.loads(file.read_text().splitlines()[-1])["number"] == 999


def test_a_disk_that_is_full_costs_lines_and_no_request(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with client_of(log="/dev/full") as client:
        assert client.get("/v1/models").status_code == 200
        for _ in range(200):
            if "langwright_log_lines_dropped_total 0.0" not in (page := client.get("/metrics").text):
                break
    assert "langwright_log_lines_dropped_total 0.0" not in page


def test_standard_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with client_of(log="-") as client:
        client.get("/v1/models")
    assert json.loads(capsys.readouterr().err)["route"] == "/v1/models"
    assert sys.stderr is not None


def test_a_log_that_cannot_be_written_is_said_before_anything_is_served(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written") as refused:
        client_of(log=str(tmp_path / "no" / "requests.log"))
    assert "日志" in refused.value.problem("zh")
