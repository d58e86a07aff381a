"""The record of what is proved: outcomes are merged as they were, and the page shows them."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from scripts import coverage
from tests.house.recording import Recorder, Shown
from tests.house.source import ROOT, everything

pytest_plugins = ["pytester"]

INI = """
[pytest]
markers =
    spec(row, shows): x
    heavy: x
"""
SAMPLE = """
import pytest

@pytest.mark.spec("D1", "passes")
@pytest.mark.parametrize("n", [1, 2])
def test_good(n): pass

@pytest.mark.spec("D2", "one case fails")
@pytest.mark.parametrize("n", [1, 2])
def test_bad(n): assert n == 1

@pytest.mark.spec("T2", "not here")
def test_skipped(): pytest.skip("no data")

@pytest.mark.heavy
@pytest.mark.spec("T4", "long")
def test_long(): pass

@pytest.fixture
def broken(): raise ValueError

@pytest.mark.spec("T6", "breaks before it begins")
def test_broken(broken): pass
"""

RECORDER = """
from pathlib import Path
from tests.house import recording

def pytest_configure(config):
    recording.ROOT = Path({folder!r})
    config.pluginmanager.register(recording.Recorder(Path({folder!r}, "coverage.json"), "2030-01-02"))
"""
SHARED = ("-p", "no:cacheprovider", "-p", "xdist.plugin")


def run(pytester: pytest.Pytester, *arguments: str) -> dict[tuple[str, str], dict[str, object]]:
    """A run in a fresh folder with the recorder; what it wrote, by row and test."""
    pytester.makefile(".ini", pytest=INI)
    pytester.makepyfile(test_sample=SAMPLE)
    record = pytester.path / "coverage.json"
    pytester.inline_run("-p", "no:cacheprovider", *arguments, plugins=[Recorder(record, "2030-01-02")])
    table = json.loads(record.read_text(encoding="utf-8"))
    assert table["date"] == "2030-01-02"
    return {(entry["row"], entry["test"].partition("::")[2]): entry for entry in table["shown"]}


def test_outcomes_are_recorded(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.house.recording.ROOT", pytester.path)
    found = {key: (entry["outcome"], entry["reason"], entry["cases"]) for key, entry in run(pytester).items()}
    assert found == {
        ("D1", "test_good"): ("passed", "", 2),
        ("D2", "test_bad"): ("failed", "", 2),
        ("T2", "test_skipped"): ("skipped", "no data", 1),
        ("T4", "test_long"): ("passed", "", 1),
        ("T6", "test_broken"): ("failed", "", 1),
    }


def shared_out(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorder in every process of a run; of the installed plugins only the one that shares the tests out."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(RECORDER.format(folder=str(pytester.path)))


def test_two_processes_record_what_one_does(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.house.recording.ROOT", pytester.path)
    run(pytester)
    record = pytester.path / "coverage.json"
    alone = record.read_bytes()
    shared_out(pytester, monkeypatch)
    for selection in ((), ("-m", "not heavy")):
        record.unlink()
        pytester.inline_run(*SHARED, "-n", "2", *selection)
        found = json.loads(record.read_bytes())["shown"]
        assert found == [entry for entry in json.loads(alone)["shown"] if not selection or not entry["heavy"]]


def test_a_worker_that_dies_leaves_a_failure(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.house.recording.ROOT", pytester.path)
    pytester.makefile(".ini", pytest=INI)
    pytester.makepyfile(
        test_dies="""
import os, pytest

@pytest.mark.spec("D1", "dies")
def test_dies(): os._exit(1)

@pytest.mark.spec("D2", "goes on")
def test_after(): pass
"""
    )
    shared_out(pytester, monkeypatch)
    pytester.inline_run(*SHARED, "-n", "1")
    shown = json.loads((pytester.path / "coverage.json").read_bytes())["shown"]
    assert [(entry["row"], entry["outcome"]) for entry in shown] == [("D1", "failed"), ("D2", "passed")]


def test_a_run_of_some_tests_keeps_the_others(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.house.recording.ROOT", pytester.path)
    first = run(pytester)
    again = run(pytester, "-m", "not heavy")
    assert again == first
    assert again["T4", "test_long"]["outcome"] == "passed"


def test_a_test_that_is_gone_is_forgotten(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.house.recording.ROOT", pytester.path)
    recorder = Recorder(pytester.path / "r.json", "")
    (pytester.path / "tests").mkdir()
    (pytester.path / "tests" / "test_a.py").write_text("")
    recorder.seen, recorder.marked = {"tests/test_a.py::test_new"}, {("D2", "tests/test_a.py::test_new")}
    old = {"row": "D1", "test": "tests/test_a.py::test_old"}
    elsewhere = {"row": "D1", "test": "tests/test_b.py::test_old"}
    unmarked = {"row": "D1", "test": "tests/test_a.py::test_new"}
    kept = {"row": "D2", "test": "tests/test_a.py::test_new"}
    assert recorder.merged([old, elsewhere, unmarked, kept]) == [kept]


def test_one_failed_case_fails_the_function() -> None:
    shown = Shown("D1", "", "t", False, {"t[1]": "passed", "t[2]": "failed"})
    assert shown.outcome() == ("failed", "")


def test_states_of_a_row() -> None:
    def row(*outcomes: str) -> str:
        tests = tuple({"outcome": outcome} for outcome in outcomes)
        return coverage.Row("D1", "D", "", "", None, tests).state

    assert row() == "open"
    assert row("passed", "skipped") == "proved"
    assert row("passed", "failed") == "failed"
    assert row("skipped") == "skipped"


def test_the_page_is_drawn_from_the_record() -> None:
    assert coverage.PAGE.read_text(encoding="utf-8") == coverage.page(), "run `python -m scripts.coverage`"


def test_rows_are_all_there_with_two_titles() -> None:
    table = tomllib.loads(coverage.ROWS.read_text(encoding="utf-8"))
    assert len(table["rows"]) == 401
    for name, row in table["rows"].items():
        assert re.fullmatch(rf"{row['area']}\d+", name)
        assert row["area"] in table["areas"]
        assert row["en"]
        assert re.search(r"[\u4e00-\u9fff]", row["zh"]) or row["zh"] == row["en"]
    for area, first in (("D", 20), ("T", 36), ("MM", 31), ("CM", 17), ("NS", 13)):
        assert sum(row["area"] == area for row in table["rows"].values()) == first


def marked_rows() -> dict[str, str]:
    """Row -> a place where a test names it."""
    pattern = re.compile(r"mark\.spec\(\s*['\"]([A-Z]+\d+)['\"]")
    return {
        row: module.at(module.tree)
        for module in everything()
        if module.path.is_relative_to(ROOT / "tests") and module.path.name != "test_coverage.py"
        for row in pattern.findall(module.text)
    }


def test_marked_rows_exist_and_are_written_about() -> None:
    table = tomllib.loads(coverage.ROWS.read_text(encoding="utf-8"))
    for row, place in marked_rows().items():
        assert row in table["rows"], f"{place} names {row}, which docs/rows.toml does not have"
        assert row in table["pages"], (
            f"{place} proves {row}; say under [pages] in docs/rows.toml which page writes about it"
        )


def test_pages_of_rows_are_there_in_both_languages() -> None:
    pages = tomllib.loads(coverage.ROWS.read_text(encoding="utf-8"))["pages"]
    for language in ("en", "zh"):
        for page in set(pages.values()):
            assert (ROOT / "docs" / language / f"{page}.md").is_file(), f"docs/{language}/{page}.md"


def test_the_record_names_tests_that_exist() -> None:
    if not coverage.RECORD.is_file():
        pytest.skip("nothing has been recorded yet")
    for entry in json.loads(coverage.RECORD.read_text(encoding="utf-8"))["shown"]:
        assert Path(ROOT, entry["test"].partition("::")[0]).is_file(), entry["test"]
