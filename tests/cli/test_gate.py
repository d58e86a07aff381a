"""`langwright gate` from the command line."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from langwright.measures import Measure, write_report

GATE = """
[[threshold]]
measure = "accuracy"
at_least = 0.8
by = "interval"

[[threshold]]
measure = "training time"
at_most = 3600
"""


def report(value: float) -> None:
    write_report(
        Path("report.json"),
        (
            Measure(
                name="accuracy", value=value, low=value - 0.02, high=value + 0.02, n=900, unit="share", data="set/test"
            ),
            Measure(name="training time", value=90.0, unit="s", n=1),
        ),
    )
    Path("gate.toml").write_text(GATE)


@pytest.mark.spec("EV7", "the gate's exit code and JUnit file stop a release when a threshold fails, in both languages")
def test_a_release_passes_or_is_stopped(run: Run) -> None:
    report(0.9)
    said = run("gate", "report.json", "gate.toml", "--junit", "gate.xml")
    assert said.code == 0 and "all 2 demands are met" in said.out and "accuracy at least 80" in said.out
    assert ET.parse("gate.xml").getroot().get("failures") == "0"
    report(0.81)
    said = run("gate", "report.json", "gate.toml", "--junit", "gate.xml", "--lang", "zh")
    assert said.code == 1 and "2 项要求中有 1 项未达到" in said.out and "未通过" in said.out
    assert ET.parse("gate.xml").getroot().get("failures") == "1"
    found = run("gate", "report.json", "gate.toml", "--json")
    assert found.code == 1 and found.json["passed"] is False
    assert [one["passed"] for one in found.json["checks"]] == [False, True]
    assert found.json["checks"][0]["measure"]["value"] == 0.81


def test_mistakes(run: Run) -> None:
    report(0.9)
    assert run("gate", "nowhere", "gate.toml").code == 2
    assert run("gate", "report.json", "nowhere.toml").code == 2
    said = run("gate", "report.json", "gate.toml", "--junit", "no/folder/gate.xml")
    assert said.code == 2 and "cannot be written" in said.err
    assert run("gate", "report.json", "gate.toml", "--junit", "no/f.xml", "--lang", "zh").err.startswith(
        "错误: 无法写入 no/f.xml"
    )
