"""Writes down which rows of the specification were shown, by which test, with what outcome.

Loaded by `tests/conftest.py` when LANGWRIGHT_RECORD is 1. `docs/coverage.json` is the record,
`scripts/coverage.py` draws `docs/coverage.md` from it. The parametrised cases of one test function
are one entry. A run of some tests leaves the entries of the others alone; entries of tests that are
gone are dropped. Equal outcomes on one commit date give equal bytes.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "docs" / "coverage.json"


@dataclass
class Shown:
    """What one test function shows of one row, and how its cases came out."""

    row: str
    shows: str
    test: str  # tests/file.py::function
    heavy: bool
    outcomes: dict[str, str] = field(default_factory=dict)  # case -> passed, failed, skipped: reason

    def outcome(self) -> tuple[str, str]:
        """One word for all cases, and why where they were skipped."""
        words = list(self.outcomes.values())
        if any(word == "failed" for word in words):
            return "failed", ""
        if any(word == "passed" for word in words):
            return "passed", ""
        reasons = sorted({word.removeprefix("skipped: ") for word in words})
        return "skipped", "; ".join(reasons)


def marks(item: pytest.Item) -> Iterable[tuple[str, str]]:
    """(row, what it shows) of each spec marker of a test."""
    for mark in item.iter_markers("spec"):
        row, shows = mark.args
        yield row, shows


def function_of(nodeid: str) -> str:
    """A test's name without the case in brackets."""
    return nodeid.partition("[")[0]


class Recorder:
    """A pytest plugin that gathers outcomes and merges them into the record.

    Where pytest-xdist shares the tests out, its workers know the tests and the process that started them hears how
    they came out: each worker sends what it knows when it ends, and the record is written once, by that process.
    """

    def __init__(self, record: Path, date: str) -> None:
        self.record, self.date = record, date
        self.seen: set[str] = set()  # every test function collected, deselected ones included
        self.marked: set[tuple[str, str]] = set()  # (row, test function) of those that have a mark
        self.expected: dict[str, list[tuple[str, str, bool]]] = {}  # nodeid -> row, what it shows, whether it is heavy
        self.words: dict[str, str] = {}  # nodeid -> passed, failed, skipped: reason

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            self.expect(item)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        for item in items:
            self.see(item)

    def see(self, item: pytest.Item) -> None:
        """Note that a test is there, and the rows that it is marked with."""
        test = function_of(item.nodeid)
        self.seen.add(test)
        self.marked |= {(row, test) for row, _ in marks(item)}

    def expect(self, item: pytest.Item) -> None:
        """Note the rows that a selected test will speak for."""
        self.see(item)
        heavy = item.get_closest_marker("heavy") is not None
        if rows := [(row, shows, heavy) for row, shows in marks(item)]:
            self.expected[item.nodeid] = rows

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.words[report.nodeid] = "failed"
        elif report.skipped:
            self.words[report.nodeid] = f"skipped: {reason_of(report)}"
        elif report.when == "call":
            self.words.setdefault(report.nodeid, "passed")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Hear what a worker knew; one that died knew no more than the others."""
        if error is None:
            self.seen |= node.workeroutput["seen"]
            self.marked |= node.workeroutput["marked"]
            self.expected |= node.workeroutput["expected"]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.config.option.collectonly:
            return
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput |= {"seen": self.seen, "marked": self.marked, "expected": self.expected}
            return
        old = json.loads(self.record.read_text(encoding="utf-8"))["shown"] if self.record.is_file() else []
        table = {"format": 1, "date": self.date, "shown": self.merged(old)}
        self.record.write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    def shown(self) -> dict[tuple[str, str], Shown]:
        """(row, test) -> what was shown by tests of which all cases came to an end; not where the run was stopped."""
        found: dict[tuple[str, str], Shown] = {}
        stopped: set[tuple[str, str]] = set()
        for case, rows in self.expected.items():
            test = function_of(case)
            for row, shows, heavy in rows:
                if case in self.words:
                    shown = found.setdefault((row, test), Shown(row, shows, test, heavy))
                    shown.outcomes[case] = self.words[case]
                else:
                    stopped.add((row, test))
        return {key: shown for key, shown in found.items() if key not in stopped}

    def merged(self, old: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """The new outcomes, and the old ones of tests that exist, are marked so still, and were not run this time."""
        files = {test.partition("::")[0] for test in self.seen}
        found = self.shown()
        ran = {test for _, test in found}
        kept = {}
        for entry in old:
            file = entry["test"].partition("::")[0]
            gone = not (ROOT / file).is_file() or (file in files and (entry["row"], entry["test"]) not in self.marked)
            if not gone and entry["test"] not in ran:
                kept[entry["row"], entry["test"]] = entry
        for key, shown in found.items():
            outcome, reason = shown.outcome()
            kept[key] = {
                "row": shown.row, "test": shown.test, "shows": shown.shows, "outcome": outcome,
                "reason": reason, "heavy": shown.heavy, "cases": len(shown.outcomes), "date": self.date,
            }  # fmt: skip
        return [kept[key] for key in sorted(kept)]


def reason_of(report: pytest.TestReport) -> str:
    """Why a test was skipped, in the words of the skip."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(getattr(report, "wasxfail", report.longrepr))


def commit_date() -> str:
    """Day of the commit that is checked out, or an empty text outside a git checkout."""
    try:
        done = subprocess.run(
            ["git", "log", "-1", "--format=%cs"], cwd=ROOT, capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def pytest_configure(config: pytest.Config) -> None:
    """Begin recording."""
    config.pluginmanager.register(Recorder(RECORD, commit_date()), "langwright-recorder")
