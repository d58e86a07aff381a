"""Alerts: what a rule looks at, and the states it goes through, on a clock of the test's own."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from langwright.errors import UserError
from langwright.inference.fake import parrot
from langwright.serving.app import build_app
from langwright.serving.monitoring.alerts import MOST, SHOWN_S, Alert, Alerts, Recent, quantile
from langwright.serving.monitoring.rounds import Rounds
from langwright.serving.monitoring.rules import Errors, Latency, On, Queue, Rule, read_rules
from langwright.serving.monitoring.settings import MonitoringSettings
from langwright.serving.monitoring.telling import TRIES
from langwright.serving.settings import ServingSettings


def rule(on: On, above: float = 1.0, **settings: Any) -> Rule:
    return Rule(name="it", on=on, above=above, **{"least": 1, **settings})


@pytest.mark.spec("SV8", "an alert is pending until it has lasted, fires, is resolved when it is over, and then is ok")
def test_states() -> None:
    alert = Alert(rule(Queue(), for_s=10, clear_s=20))
    story: list[tuple[float, float | None, str, bool]] = [
        (0, 0.5, "ok", False), (1, 2.0, "pending", False), (5, 0.5, "ok", False),  # too short to tell anyone
        (6, 2.0, "pending", False), (15, 9.0, "pending", False), (16, 2.0, "firing", True), (20, 3.0, "firing", False),
        (30, 0.0, "firing", False), (45, 2.0, "firing", False),  # not over: it came back within clear_s
        (50, None, "firing", False), (70, 0.0, "resolved", True), (71, 0.0, "resolved", False),
        (80, 2.0, "pending", False), (90, 2.0, "firing", True), (100, 0.0, "firing", False), (121, 0.0, "resolved", True),
        (121 + SHOWN_S - 1, 0.0, "resolved", False), (121 + SHOWN_S, 0.0, "ok", False),
    ]  # fmt: skip
    for now, value, state, told in story:
        assert (alert.look(value, now), alert.state) == (told, state), now


def test_without_a_wait_it_fires_at_once() -> None:
    alert = Alert(rule(Queue(), for_s=0, clear_s=0))
    assert alert.look(2.0, 1) and alert.state == "firing"
    assert alert.look(0.0, 2) and alert.state == "resolved"


def test_what_rules_look_at() -> None:
    recent = Recent()
    for second in range(100):
        recent.answered(float(second), seconds=float(second % 10), failed=second % 20 == 0)
        recent.firsts.append((float(second), 0.25))
    recent.waiting.extend([(90.0, 4.0), (95.0, 2.0)])
    alerts = Alerts((), recent, {"drift": lambda: 2.0, "failing": lambda: 1.0})
    fast = {"window_s": 9.0, "least": 9}
    assert alerts.value(rule(Latency(quantile=0.5), **fast), 99.0) == 4.0  # of 0..9 without the failed ones
    assert alerts.value(rule(Latency(quantile=1.0), **fast), 99.0) == 9.0
    assert alerts.value(rule(Latency(of="first_token"), **fast), 99.0) == 0.25
    assert alerts.value(rule(Errors(), window_s=200.0), 99.0) == pytest.approx(0.05)
    assert alerts.value(rule(Errors(), window_s=9.0, least=11), 99.0) is None
    assert alerts.value(rule(Queue(), window_s=20.0), 99.0) == 3.0
    assert alerts.value(rule(Queue(), window_s=1.0), 99.0) is None
    assert quantile([1.0], 0.95) == 1.0


def test_what_is_kept_is_bounded() -> None:
    recent = Recent()
    for number in range(MOST + 100):
        recent.answered(float(number), 1.0, False)
    assert len(recent.seconds) == len(recent.failed) == MOST


FILE = """
every_s = 0.05
[[rule]]
name = "broken"
on = {kind = "errors"}
above = 0.5
least = 3
for_s = 0
"""


@pytest.fixture
def told() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A URL, and what it was told; the first notice is not taken."""
    heard: list[dict[str, Any]] = []
    tries = iter([503])

    class Ear(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = next(tries, 200)
            if status == 200:
                heard.append(body)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/alerts", heard
    server.shutdown()
    server.server_close()


@pytest.mark.spec(
    "SV8", "errors make an alert fire, at an endpoint, in the log and in metrics, and one named URL is told"
)
def test_errors_fire_an_alert(
    tmp_path: Path, told: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, heard = told
    rules, file = tmp_path / "alerts.toml", tmp_path / "requests.log"
    rules.write_text(f'post = "{url}"\n{FILE}')
    monkeypatch.setattr("langwright.serving.openai.routes.answer_completion", None)
    settings = ServingSettings(monitoring=MonitoringSettings(alerts=str(rules), log=str(file)))
    app = build_app({"parrot": parrot()}, settings=settings)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        assert [alert["state"] for alert in client.get("/v1/alerts").json()["data"]] == ["ok"]
        for _ in range(3):
            client.post("/v1/completions", json={"model": "parrot", "prompt": "a"})
        for _ in range(2000):
            (alert,) = client.get("/v1/alerts").json()["data"]
            if alert["state"] == "firing" and heard:
                break
        page = client.get("/metrics").text
    assert (alert["name"], alert["kind"], alert["state"], alert["value"]) == ("broken", "errors", "firing", 1.0)
    assert 'langwright_alert_firing{alert="broken"} 1.0' in page
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["state"] for line in lines if line["event"] == "alert"] == ["firing"]
    assert heard[0]["alert"] == "broken" and heard[0]["state"] == "firing"
    assert set(heard[0]) == {"alert", "state", "kind", "value", "above", "time"}


def test_a_url_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    rules = tmp_path / "alerts.toml"
    rules.write_text(f'post = "http://127.0.0.1:9/"\n{FILE}')
    app = build_app({"parrot": parrot()}, settings=ServingSettings(monitoring=MonitoringSettings(alerts=str(rules))))
    rounds: Rounds = app.state.rounds
    (alert,) = rounds.alerts.all
    alert.look(1.0, 1.0)
    rounds.say(alert, 0.0)
    assert rounds.post is not None
    for tried in range(TRIES):
        assert len(rounds.post.waiting) == 1, tried
        asyncio.run(rounds.post.send())
    assert not rounds.post.waiting


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "rule"),
        ("[[rule]]\nname='a b'\non={kind='queue'}", "cannot be called"),
        (2 * "[[rule]]\nname='a'\non={kind='queue'}\n", "cannot be called"),
        ("[[rule]]\nname='a'\non={kind='latncy'}", "latency"),
        ("post='ftp://x'\n[[rule]]\nname='a'\non={kind='queue'}", "cannot be told"),
        ("[[rule]]\nname='a'\non={kind='queue', quantile=0.5}", "quantile"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "alerts.toml"
    file.write_text(text)
    with pytest.raises(UserError) as refused:
        read_rules(file)
    assert words in f"{refused.value.problem('en')} {refused.value.fix('en')}"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_rules(tmp_path / "none.toml")
