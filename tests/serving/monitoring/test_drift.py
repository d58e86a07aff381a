"""Drift: what is kept of a text, that windows of the same text are left alone, and that others are found."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from scipy import stats
from starlette.testclient import TestClient

from langwright.inference.fake import letters, parrot
from langwright.serving.app import build_app
from langwright.serving.monitoring.drift import Drift, Facts, facts_of
from langwright.serving.monitoring.settings import DriftSettings, MonitoringSettings
from langwright.serving.settings import ServingSettings
from langwright.tasks.front.model import Model

ENGLISH = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "a",
    "lazy",
    "dog",
    "while",
    "it",
    "rains",
    "in",
    "the",
    "old",
    "town",
]
CHINESE = ["春天", "的", "河流", "流过", "城市", "灯光", "和", "花园", "我们", "在", "夜里", "说话"]


def sentence(draw: random.Random, words: list[str], mean: int = 12) -> str:
    return " ".join(draw.choices(words, k=1 + int(draw.expovariate(1 / mean))))


def drift_of(**settings: Any) -> Drift:
    model = Model("m", None, text=parrot("m"))
    shape = {"window": 60, "reference": 300, "pause_s": 0.0, **settings}
    return Drift(DriftSettings(**shape), {"m": model}.get)


def ask(drift: Drift, texts: list[str]) -> None:
    for text in texts:
        drift.saw("m", letters()(text)["input_ids"])


def test_what_is_kept_of_a_text() -> None:
    model = Model("m", None, text=parrot("m"))
    assert facts_of(model, "abc 春") == Facts(7, None, "LATIN")  # bytes lack nothing
    assert facts_of(model, letters()("春天 b")["input_ids"]).script == "CJK"
    assert facts_of(model, "12 !").script == ""


@pytest.mark.spec("SV8", "a window of other language or length is found changed, and in what; its texts are let go of")
def test_a_change_of_language_is_found() -> None:
    draw = random.Random(0)
    drift = drift_of()
    ask(drift, [sentence(draw, ENGLISH) for _ in range(300)])
    assert drift.look(0.0, 0.0) == [] and drift.changed() is None  # the reference
    ask(drift, [sentence(draw, ENGLISH) for _ in range(60)])
    ((_, same),) = drift.look(1.0, 1.0)
    assert same.changed == () and drift.changed() == 0.0
    ask(drift, [sentence(draw, CHINESE) for _ in range(60)])
    ((_, other),) = drift.look(2.0, 2.0)
    assert "script" in other.changed and drift.changed() == len(other.changed)
    ask(drift, [sentence(draw, ENGLISH, mean=40) for _ in range(60)])
    ((_, longer),) = drift.look(3.0, 3.0)
    assert longer.changed == ("length",)
    index = {one.property: one.index for one in longer.findings}
    assert index["length"] is not None and index["length"] > 0.25 and index["script"] == 0.0
    assert drift.streams["m"].prompts == []


@pytest.mark.spec("SV8", "of windows in which nothing changed no more than the stated share is called changed")
def test_false_alarms() -> None:
    """30 references with 10 windows each, at 10 %: what a person who watches sees, the reference drawn anew each time."""
    draw = random.Random(1)
    wrong = looks = 0
    model = Model("m", None, text=parrot("m"))
    for _ in range(30):
        drift = Drift(DriftSettings(window=30, reference=150, pause_s=0.0, false_alarms=0.1), {"m": model}.get)
        for size in [150] + 10 * [30]:
            for _ in range(size):
                drift.saw("m", sentence(draw, ENGLISH if draw.random() < 0.8 else CHINESE))
            for _, looked in drift.look(0.0, 0.0):
                looks += 1
                wrong += bool(looked.changed)
    assert looks == 300
    low, high = stats.binom.interval(0.9999, looks, 0.1)
    assert wrong <= high
    assert wrong >= low / 3  # it is a test, not a rule that never speaks


def test_windows_rest_and_do_not_overlap() -> None:
    draw = random.Random(2)
    drift = drift_of(pause_s=100.0)
    ask(drift, [sentence(draw, ENGLISH) for _ in range(1000)])
    assert len(drift.streams["m"].prompts) == 300  # what comes while a window waits to be looked at is not kept
    drift.look(0.0, 0.0)
    ask(drift, [sentence(draw, ENGLISH) for _ in range(60)])
    assert len(drift.look(1.0, 0.0)) == 1
    ask(drift, [sentence(draw, ENGLISH) for _ in range(60)])
    assert drift.look(50.0, 0.0) == []
    assert len(drift.look(101.0, 0.0)) == 1


def test_nothing_is_kept_unless_asked_for() -> None:
    drift = drift_of(window=0)
    drift.saw("m", [1, 2])
    assert not drift.streams


def test_vectors_are_compared() -> None:
    """A shift that lengths and scripts do not show."""
    draw = random.Random(3)
    drift = drift_of(vectors=True, reference=100, window=40)
    drift.begin("m", [sentence(draw, ENGLISH[:6]) for _ in range(100)])
    ask(drift, [sentence(draw, ENGLISH[6:]) for _ in range(40)])
    ((_, looked),) = drift.look(0.0, 0.0)
    found = {one.property: one for one in looked.findings}
    assert found["vectors"].changed and not found["script"].changed


def test_at_the_endpoint(tmp_path: Path) -> None:
    settings = ServingSettings(monitoring=MonitoringSettings(drift=DriftSettings(window=20, reference=20, pause_s=0.0)))
    app = build_app({"parrot": parrot()}, settings=settings)
    draw = random.Random(4)
    with TestClient(app, base_url="http://localhost") as client:
        for words in (ENGLISH, CHINESE):
            for _ in range(20):
                body = {"model": "parrot", "prompt": sentence(draw, words), "max_tokens": 1}
                assert client.post("/v1/completions", json=body).status_code == 200
            app.state.rounds.drift.look(0.0, 0.0)
        answer = client.get("/v1/drift").json()
        page = client.get("/metrics").text
    assert answer["window"] == 20
    (one,) = answer["data"]
    assert (one["model"], one["windows"], one["reference"], one["requests"]) == ("parrot", 1, 20, 20)
    assert "script" in one["changed"]
    assert 'langwright_drift_changed{model="parrot",property="script"} 1.0' in page
