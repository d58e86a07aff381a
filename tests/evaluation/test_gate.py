"""The release gate: what passes, what does not, and what it says."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from tests.evaluation.pipeline import whole_pipeline

from langwright.errors import UserError
from langwright.evaluation.gate import check, junit, measures_of, of_subject, read_gate
from langwright.evaluation.gate_settings import Gate, Threshold
from langwright.measures import Measure, write_report
from langwright.workspace import Workspace


def accuracy(value: float, data: str = "set/test", model: str = "", margin: float | None = 0.05) -> Measure:
    low, high = (None, None) if margin is None else (value - margin, value + margin)
    return Measure(name="accuracy", value=value, low=low, high=high, n=100, unit="share", data=data, model=model)


def outcomes(threshold: Threshold, *measures: Measure) -> list[bool]:
    return [one.passed for one in check(Gate(threshold=(threshold,)), measures)]


@pytest.mark.parametrize(
    ("demand", "passed"),
    [
        ({"at_least": 0.8}, True),
        ({"at_least": 0.81}, False),
        ({"at_most": 0.8}, True),
        ({"at_most": 0.79}, False),
        ({"at_least": 0.75, "by": "interval"}, True),
        ({"at_least": 0.76, "by": "interval"}, False),
        ({"at_most": 0.84, "by": "interval"}, False),
        ({"at_least": 0.5, "data": "set/test"}, True),
        ({"at_least": 0.5, "data": "other/test"}, False),
        ({"at_least": 0.5, "model": "baseline"}, False),
    ],
)
def test_bounds(demand: dict[str, float | str], passed: bool) -> None:
    assert outcomes(Threshold(measure="accuracy", **demand), accuracy(0.8)) == [passed]


def test_what_was_not_measured_does_not_pass() -> None:
    (missing,) = check(Gate(threshold=(Threshold(measure="macro F1", at_least=0),)), [accuracy(1.0)])
    assert not missing.passed and missing.seen.en == "not measured" and missing.seen.zh == "没有度量过"
    assert outcomes(Threshold(measure="accuracy", at_least=0, by="interval"), accuracy(0.9, margin=None)) == [False]


def test_both_bounds_and_every_report_count() -> None:
    threshold = Threshold(measure="accuracy", at_least=0.7, at_most=0.85)
    assert outcomes(threshold, accuracy(0.8), accuracy(0.9, data="set/validation")) == [True, True, True, False]


@pytest.mark.spec("EV9", "a release can be refused for one group's value or for the gap between groups")
def test_groups_keep_the_bound_one_by_one_and_not_too_far_apart() -> None:
    measures = [accuracy(0.9), accuracy(0.95, "set/test (zh)"), accuracy(0.7, "set/test (en)"), accuracy(0.1, "set/test (source=web)")]  # fmt: skip
    assert outcomes(Threshold(measure="accuracy", at_least=0.8), *measures) == [True]
    by_language = Threshold(measure="accuracy", at_least=0.8, largest_gap=0.2, group_by="language")
    assert outcomes(by_language, *measures) == [True, False, False]
    wide = check(Gate(threshold=(by_language,)), measures)[-1]
    assert wide.seen.en == "25\u00a0%: zh 95\u00a0%, en 70\u00a0%" and "language" in wide.name.zh
    assert outcomes(Threshold(measure="accuracy", largest_gap=0.26, group_by="language"), *measures) == [True]
    # one group alone shows no gap, and proves none
    assert outcomes(Threshold(measure="accuracy", largest_gap=1, group_by="source"), *measures) == [False]
    assert outcomes(Threshold(measure="accuracy", at_least=0.1, group_by="licence"), *measures) == [False]


def test_the_model_is_told_from_its_baselines() -> None:
    measures = of_subject([accuracy(0.8, model="m"), accuracy(0.6, model="TF-IDF")])
    assert outcomes(Threshold(measure="accuracy", at_least=0.7), *measures) == [True]
    assert outcomes(Threshold(measure="accuracy", at_most=0.7, model="TF-IDF"), *measures) == [True]


@pytest.mark.spec(
    "EV7", "a model is held to thresholds over its reports, found in the workspace, before it is released"
)
def test_the_reports_on_a_model_are_found(tmp_path: Path) -> None:
    made = whole_pipeline(tmp_path / "runs")
    models = {name: artifact for name, artifact in made.items() if artifact.kind == "model"}
    reports = {name: artifact for name, artifact in made.items() if artifact.kind == "report"}
    workspace = Workspace(tmp_path)
    for model in models.values():
        found = measures_of(model.path, workspace)
        about = [r for r in reports.values() if r.card and any(o.digest == model.digest for o in r.card.inputs)]
        assert about and model.card
        alone = [m for report in about for m in measures_of(report.path, workspace)]
        assert list(found) == [*model.card.results, *alone]
        assert {m.name for m in found} >= {m.name for m in model.card.results}
    report = next(iter(reports.values()))
    assert measures_of(report.path / "report.json", workspace) == measures_of(report.path, workspace)


def test_junit_is_what_build_servers_read() -> None:
    threshold = Threshold(measure="accuracy", at_least=0.8)
    found = check(Gate(threshold=(threshold,)), [accuracy(0.9), accuracy(0.7, "other/test \x00<&>")])
    root = ET.fromstring(junit(found, "runs/m", "en"))
    assert root.attrib == {"tests": "2", "failures": "1"}
    good, bad = root.iter("testcase")
    assert good.attrib == {"classname": "set/test", "name": "accuracy at least 80\u00a0%"} and not good.findall(
        "failure"
    )
    assert bad.find("failure").get("message") == "70\u00a0% (65\u00a0% – 75\u00a0%)" and "<&>" in bad.get("classname")
    assert "准确率不低于" in junit(found, "m", "zh").decode()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "threshold"),
        ("[[threshold]]\nmeasure = 'accuracy'", "demands nothing"),
        ("[[threshold]]\nmeasure = 'accuracy'\nlargest_gap = 0.1", "no groups"),
        ("[[threshold]]\nmeasure = 'accuracy'\nat_leest = 0.1", "at_leest"),
        ("[[threshold]]\nat_least = 0.1", "measure"),
        ("[[threshold", "not valid TOML"),
    ],
)
def test_a_gate_that_says_nothing_clear_is_refused(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "gate.toml").write_text(text)
    with pytest.raises(UserError, match=problem):
        read_gate(tmp_path / "gate.toml")


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_gate(tmp_path / "gate.toml")
    write_report(tmp_path / "report.json", ())
    assert measures_of(tmp_path / "report.json", Workspace(tmp_path)) == ()
