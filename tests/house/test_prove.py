"""`make prove`: outcomes and figures are written after every test, passed ones are not run again at the same commit."""

from __future__ import annotations

import json
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
    monkeypatch.setattr(prove, "long_tests", lambda parts: ["a::one", "b::two"])
    monkeypatch.setattr(prove, "changes", lambda: False)
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setattr("sys.argv", ["prove"])
    return file


def outcome(word: str) -> dict[str, Any]:
    return {"outcome": word, "seconds": 1.0, "figures": {}}


def test_it_goes_on_with_what_has_not_passed(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(test: str) -> dict[str, Any]:
        ran.append(test)
        return outcome("passed" if test == "a::one" or len(ran) > 2 else "failed")

    monkeypatch.setattr(prove, "run", run)
    assert prove.main() == 1
    assert prove.main() == 0
    assert ran == ["a::one", "b::two", "b::two"]
    assert {t["outcome"] for t in json.loads(record.read_text(encoding="utf-8"))["tests"].values()} == {"passed"}


def test_a_stop_in_between_loses_nothing(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(test: str) -> dict[str, Any]:
        if test == "b::two":
            raise KeyboardInterrupt
        return outcome("passed")

    monkeypatch.setattr(prove, "run", run)
    with pytest.raises(KeyboardInterrupt):
        prove.main()
    assert list(json.loads(record.read_text(encoding="utf-8"))["tests"]) == ["a::one"]


def test_another_commit_begins_anew(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove, "run", lambda test: outcome("passed"))
    prove.main()
    assert len(prove.begun(again=False)["tests"]) == 2
    assert prove.begun(again=True)["tests"] == {}
    old = json.loads(record.read_text(encoding="utf-8"))
    record.write_text(json.dumps({**old, "commit": "another"}), encoding="utf-8")
    assert prove.begun(again=False)["tests"] == {}


def test_uncommitted_changes_are_marked(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove, "run", lambda test: outcome("passed"))
    monkeypatch.setattr(prove, "changes", lambda: True)
    prove.main()
    assert json.loads(record.read_text(encoding="utf-8"))["changed"] is True
    assert prove.begun(again=False)["tests"] == {}


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
