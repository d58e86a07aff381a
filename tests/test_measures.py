"""Measures keep what they say of themselves, and a report can be read again."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from langwright.errors import UserError
from langwright.measures import Measure, Report, read_report, write_report

numbers = st.floats()
measures = st.builds(
    Measure,
    name=st.text(),
    value=numbers,
    low=st.none() | numbers,
    high=st.none() | numbers,
    n=st.integers(min_value=0),
    unit=st.text(),
    better=st.sampled_from(["higher", "lower", "neither"]),
    model=st.text(),
    data=st.text(),
    method=st.text(),
    seed=st.none() | st.integers(),
    command=st.text(),
    does_not_show=st.text(),
)


def comparable(measure: Measure) -> dict[str, object]:
    """The fields, with what is not a number made equal to itself."""
    return {k: "nan" if isinstance(v, float) and math.isnan(v) else v for k, v in measure.model_dump().items()}


@given(st.lists(measures, max_size=3).map(tuple))
def test_a_report_is_read_as_it_was_written(found: tuple[Measure, ...]) -> None:
    text = Report(measures=found).model_dump_json()
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    read = Report.model_validate_json(text).measures
    assert [comparable(measure) for measure in read] == [comparable(measure) for measure in found]


def test_a_report_is_a_file(tmp_path: Path) -> None:
    found = (
        Measure(name="perplexity", value=math.inf, low=1.5, n=3, unit="per token", better="lower", data="验证"),
        Measure(name="accuracy", value=0.5),
    )
    write_report(tmp_path / "report.json", found)
    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    assert text.startswith(
        '{\n  "format": 1,\n  "measures": [\n    {\n      "name": "perplexity",\n      "value": "Infinity",'
    )
    assert "验证" in text and text.endswith("\n")
    assert read_report(tmp_path / "report.json") == Report(measures=found)


def test_a_measure_says_the_least_where_nothing_is_known() -> None:
    measure = Measure(name="accuracy", value=0.5)
    assert (measure.low, measure.high, measure.n, measure.better, measure.seed) == (None, None, 0, "neither", None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "accuracy"},
        {"name": "accuracy", "value": "high"},
        {"name": "accuracy", "value": None},
        {"name": "accuracy", "value": 1.0, "n": 1.5},
        {"name": "accuracy", "value": 1.0, "better": "best"},
        {"name": "accuracy", "value": 1.0, "valeu": 2},
    ],
)
def test_what_is_no_measure_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Measure.model_validate(wrong)


@pytest.mark.parametrize(
    "text", ["", "not json", "[]", '{"measures": 3}', '{"format": 1, "measures": [{"name": "a"}]}', '{"metrics": []}']
)
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "report.json"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        read_report(file)
    assert caught.value.code == "is-not-a-report-this-version-can-read"
    assert caught.value.problem().startswith(f"{file} is not a report this version can read: ")
    assert "\n" not in caught.value.problem()
    assert "langwright evaluate" in caught.value.fix("zh")


def test_a_report_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.json", tmp_path):
        with pytest.raises(UserError, match="is not a report"):
            read_report(path)


def test_a_report_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes('{"format": 1, "measures": []}'.encode("utf-16"))
    with pytest.raises(UserError, match="is not a report"):
        read_report(tmp_path / "report.json")
