"""`make prove`: outcomes and figures are written after every test, passed ones are not run again at the same commit."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from scripts import prove
from tests.house.proving import Prover

pytest_plugins = ["pytester"]


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A record of its own, two tests of which one fails at first, and a clean checkout."""
    file = tmp_path / "proof.json"
    monkeypatch.setattr(prove, "PROOF", file)
    monkeypatch.setattr(prove, "long_tests", lambda: {"a::one": ["a::one"], "b::two": ["b::two"]})
    monkeypatch.setattr(prove, "changes", lambda: False)
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setattr("sys.argv", ["prove"])
    return file


def outcome(word: str, cases: list[str], stopped: bool = False) -> dict[str, Any]:
    return {"cases": dict.fromkeys(cases, word), "seconds": 1.0, "figures": {}, "stopped": stopped}


def test_it_goes_on_with_what_has_not_passed(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(cases: list[str]) -> dict[str, Any]:
        ran.extend(cases)
        return outcome("passed" if cases == ["a::one"] or len(ran) > 2 else "failed", cases)

    monkeypatch.setattr(prove, "run", run)
    assert prove.main() == 1
    assert prove.main() == 0
    assert ran == ["a::one", "b::two", "b::two"]
    assert {t["outcome"] for t in json.loads(record.read_text(encoding="utf-8"))["tests"].values()} == {"passed"}


def test_a_stop_in_between_loses_nothing(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(cases: list[str]) -> dict[str, Any]:
        return outcome("passed", cases if cases == ["a::one"] else [], stopped=cases == ["b::two"])

    monkeypatch.setattr(prove, "run", run)
    assert prove.main() == 130
    tests = json.loads(record.read_text(encoding="utf-8"))["tests"]
    assert {name: test["outcome"] for name, test in tests.items()} == {"a::one": "passed", "b::two": "unfinished"}


def test_of_many_cases_those_are_run_that_have_not_passed(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [f"a::one[{name}]" for name in ("llama-1", "llama-2", "gpt2-1", "gpt2-2")]
    monkeypatch.setattr(prove, "long_tests", lambda: {"a::one": cases})
    ran: list[list[str]] = []

    def run(asked: list[str]) -> dict[str, Any]:
        ran.append(asked)
        if len(ran) == 2:  # stopped after the first
            return outcome("passed", asked[:1], stopped=True)
        return outcome("passed", asked)

    def known() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))["tests"]["a::one"]
        return found

    monkeypatch.setattr(prove, "run", run)
    monkeypatch.setattr("sys.argv", ["prove", "one[llama"])
    assert prove.main() == 0
    assert known()["outcome"] == "unfinished"  # for those of gpt2 were not asked for
    monkeypatch.setattr("sys.argv", ["prove"])
    assert prove.main() == 130
    assert prove.main() == 0
    assert ran == [cases[:2], cases[2:], cases[3:]]
    assert known() == {"outcome": "passed", "seconds": 3.0, "figures": {}}
    assert prove.main() == 0
    assert len(ran) == 3


def test_one_case_that_failed_is_the_outcome_of_all() -> None:
    cases = ["a", "b", "c"]
    first = prove.together({}, outcome("failed", ["a"]), cases)
    assert first["outcome"] == "failed" and prove.left(first, cases) == cases
    second = prove.together(first, outcome("passed", ["b", "c"]), cases)
    assert second["outcome"] == "failed" and prove.left(second, cases) == ["a"]
    assert prove.together(second, outcome("passed", ["a"]), cases)["outcome"] == "passed"


def test_another_commit_begins_anew(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove, "run", lambda cases: outcome("passed", cases))
    prove.main()
    assert len(prove.begun(again=False)["tests"]) == 2
    assert prove.begun(again=True)["tests"] == {}
    old = json.loads(record.read_text(encoding="utf-8"))
    record.write_text(json.dumps({**old, "commit": "another"}), encoding="utf-8")
    assert prove.begun(again=False)["tests"] == {}


def test_uncommitted_changes_are_marked(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove, "run", lambda cases: outcome("passed", cases))
    monkeypatch.setattr(prove, "changes", lambda: True)
    prove.main()
    assert json.loads(record.read_text(encoding="utf-8"))["changed"] is True
    assert prove.begun(again=False)["tests"] == {}


@pytest.mark.parametrize(("file", "marked"), [("docs/proof.json", False), ("docs/log.md", True)])
def test_the_record_itself_is_no_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, marked: bool
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / file).write_text("before")
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.setattr(prove, "ROOT", tmp_path)
    assert not prove.changes()
    (tmp_path / file).write_text("after")
    assert prove.changes() is marked


def test_figures_and_outcomes_are_kept(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_x="""
        import pytest

        def test_good(record_property): record_property("kills", 20)

        @pytest.fixture
        def broken(): raise ValueError

        def test_bad(broken): pass

        def test_away(): pytest.skip("not here")
        """
    )
    file = pytester.path / "report.json"
    pytester.inline_run("-p", "no:cacheprovider", plugins=[Prover(file)])
    cases = json.loads(file.read_text(encoding="utf-8"))
    assert cases["test_good"] == {"outcome": "passed", "figures": {"kills": 20}}
    assert cases["test_bad"]["outcome"] == "failed"
    assert cases["test_away"]["outcome"] == "skipped"
