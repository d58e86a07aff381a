"""Counters: what a request adds to them, what a label can hold, and that Prometheus' own parser reads the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from langwright.inference.fake import parrot
from langwright.inference.texts.text import TextModel
from langwright.inference.texts.written import TextCompletion
from langwright.serving.app import build_app
from langwright.serving.monitoring.meters import Meters

Page = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(text: str) -> Page:
    """Every sample of a page, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(page: Page, name: str, **labels: str) -> float:
    return page.get((f"langwright_{name}", tuple(sorted(labels.items()))), 0.0)


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = build_app({"parrot": parrot()})
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.mark.spec("SV8", "/metrics counts requests, tokens, times and refusals, and Prometheus' own parser reads it")
def test_what_a_request_adds(client: TestClient) -> None:
    body = {"model": "parrot", "prompt": "hello", "max_tokens": 5}
    for _ in range(3):
        assert client.post("/v1/completions", json=body).status_code == 200
    assert client.post("/v1/completions", json=body | {"no": 1}).status_code == 422
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    page = read(answer.text)
    asked = {"method": "POST", "route": "/v1/completions"}
    assert value(page, "requests_total", status="200", **asked) == 3
    assert value(page, "requests_total", status="422", **asked) == 1
    assert value(page, "request_seconds_count", route="/v1/completions") == 4
    assert sum(count for (name, _), count in page.items() if name == "langwright_refusals_total") == 1
    assert value(page, "prompt_tokens_total", model="parrot") == 15
    assert value(page, "generated_tokens_total", model="parrot") == 15
    assert value(page, "time_to_first_token_seconds_count", model="parrot") == 3
    assert value(page, "inter_token_seconds_count", model="parrot") == 12
    assert value(page, "continuations_total", model="parrot", reason="stop") == 3
    assert value(page, "requests_in_progress") == 1  # the one that asks
    assert value(page, "places_limit") == 64 and value(page, "places_taken") == 0


def test_labels_hold_nothing_of_the_caller(client: TestClient) -> None:
    """However many paths, methods and models are made up, the number of series stays."""
    before = len(client.get("/metrics").text.splitlines())
    for number in range(30):
        client.get(f"/secret-{number}")
        client.request(f"MADE{number}", "/v1/models")
        client.get("/v1/models", headers={"Host": f"evil{number}.example"})
        client.post("/v1/completions", json={"model": f"m{number}", "prompt": "a"})
    text = client.get("/metrics").text
    assert "secret" not in text and "MADE" not in text and "evil" not in text and "m29" not in text
    page = read(text)
    assert value(page, "requests_total", method="other", route="unmatched", status="404") >= 30
    assert len(text.splitlines()) - before < 150  # a few routes and statuses that were not there, not 120


def test_two_applications_do_not_mix() -> None:
    with TestClient(build_app({"a": parrot("a")}), base_url="http://localhost") as one:
        one.get("/v1/models")
        with TestClient(build_app({"b": parrot("b")}), base_url="http://localhost") as other:
            page = read(other.get("/metrics").text)
    assert value(page, "requests_total", method="GET", route="/v1/models", status="200") == 0


def test_engines_say_how_busy_they_are(noise: TextModel) -> None:
    with TestClient(build_app({"noise": noise}), base_url="http://localhost") as client:
        client.post("/v1/completions", json={"model": "noise", "prompt": "a" * 80, "max_tokens": 2})
        page = read(client.get("/metrics").text)
    assert value(page, "cache_positions_limit", model="noise") == 4 * 128
    assert value(page, "running", model="noise") == value(page, "waiting", model="noise") == 0
    assert value(page, "prefix_blocks", model="noise") >= 1  # of the prompt that was read
    assert value(page, "model_loaded", model="noise", tier="packed") == 1


def test_engines_that_work_are_seen_at_it(serving: Callable[..., Any], watched: Callable[..., Any]) -> None:
    """Open continuations take places; a caller that leaves is counted as one that ended early."""
    _, model = watched(token_s=0.02)
    running = serving(model)
    body = {"model": "parrot", "prompt": "x" * 200, "stream": True, "max_tokens": 200}
    with httpx.stream("POST", f"{running.url}/v1/completions", json=body, timeout=30) as answer:
        lines = answer.iter_lines()
        next(lines)
        page = read(httpx.get(f"{running.url}/metrics").text)
        assert value(page, "places_taken") == 1 and value(page, "requests_in_progress") == 2
    for _ in range(500):
        page = read(httpx.get(f"{running.url}/metrics").text)
        if value(page, "continuations_total", model="parrot", reason="cancelled"):
            break
    assert value(page, "continuations_total", model="parrot", reason="cancelled") == 1
    assert value(page, "places_taken") == 0


def test_times_between_tokens_by_hand() -> None:
    """Tokens that came together each get their share of the time; the first has its own histogram."""
    meters = Meters()
    one = meters.writing("m", 7, asked=10.0)
    one.wrote(1, 10.2)
    one.wrote(4, 10.6)
    one.wrote(0, 10.9)  # a piece of text without a new token
    one.ended(TextCompletion("", (), "deadline", 0, 7, ()))
    meters.writing("m", 1, asked=0.0).ended(RuntimeError())
    page = read(meters.page().decode())
    assert value(page, "time_to_first_token_seconds_sum", model="m") == pytest.approx(0.2)
    assert value(page, "inter_token_seconds_count", model="m") == 4
    assert value(page, "inter_token_seconds_sum", model="m") == pytest.approx(0.4)
    assert value(page, "inter_token_seconds_bucket", model="m", le="0.25") == 4
    assert value(page, "inter_token_seconds_bucket", model="m", le="0.05") == 0
    assert value(page, "continuations_total", model="m", reason="deadline") == 1
    assert value(page, "continuations_total", model="m", reason="failed") == 1
