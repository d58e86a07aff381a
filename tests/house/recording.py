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
    """A pytest plugin that gathers outcomes and merges them into the record."""

    def __init__(self, record: Path, date: str) -> None:
        self.record, self.date = record, date
        self.shown: dict[tuple[str, str], Shown] = {}  # (row, test)
        self.seen: set[str] = set()  # every test function collected, deselected ones included
        self.rows_of: dict[str, list[tuple[str, str]]] = {}  # nodeid -> its keys in `shown`

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            self.expect(item)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self.seen |= {function_of(item.nodeid) for item in items}

    def expect(self, item: pytest.Item) -> None:
        """Note the rows that a selected test will speak for."""
        test = function_of(item.nodeid)
        self.seen.add(test)
        for row, shows in marks(item):
            heavy = item.get_closest_marker("heavy") is not None
            self.shown.setdefault((row, test), Shown(row, shows, test, heavy))
            self.rows_of.setdefault(item.nodeid, []).append((row, test))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for key in self.rows_of.get(report.nodeid, []):
            outcomes = self.shown[key].outcomes
            if report.failed:
                outcomes[report.nodeid] = "failed"
            elif report.skipped:
                outcomes[report.nodeid] = f"skipped: {reason_of(report)}"
            elif report.when == "call":
                outcomes.setdefault(report.nodeid, "passed")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.config.option.collectonly:
            return
        old = json.loads(self.record.read_text(encoding="utf-8"))["shown"] if self.record.is_file() else []
        table = {"format": 1, "date": self.date, "shown": self.merged(old)}
        self.record.write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    def finished(self, key: tuple[str, str]) -> bool:
        """Whether all cases that were to speak for a row have; not where the run was stopped among them."""
        return all(case in self.shown[key].outcomes for case, keys in self.rows_of.items() if key in keys)

    def merged(self, old: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """The new outcomes, and the old ones of tests that exist and were not run this time."""
        files = {test.partition("::")[0] for test in self.seen}
        kept = {}
        for entry in old:
            file = entry["test"].partition("::")[0]
            gone = not (ROOT / file).is_file() or (file in files and entry["test"] not in self.seen)
            if not gone:
                kept[entry["row"], entry["test"]] = entry
        ran = {test for (row, test), shown in self.shown.items() if shown.outcomes and self.finished((row, test))}
        kept = {key: entry for key, entry in kept.items() if key[1] not in ran}
        for key, shown in self.shown.items():
            if shown.outcomes and self.finished(key):
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
