"""Writes outcomes and reported figures of a run, case by case, to the file that LANGWRIGHT_PROOF names; `scripts/prove.py` reads it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


class Prover:
    """A pytest plugin that keeps, for each case, its outcome and what it gave to `record_property`."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.cases: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        case = self.cases.setdefault(report.nodeid.partition("::")[2], {"outcome": "passed", "figures": {}})
        if report.outcome != "passed" and case["outcome"] != "failed":
            case["outcome"] = report.outcome
        case["figures"] |= dict(report.user_properties)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Written after each case, so that nothing is lost where the run is stopped."""
        scratch = self.file.with_name(self.file.name + ".new")
        scratch.write_text(json.dumps(self.cases, default=str), encoding="utf-8")
        scratch.replace(self.file)


def pytest_configure(config: pytest.Config) -> None:
    """Begin."""
    config.pluginmanager.register(Prover(Path(os.environ["LANGWRIGHT_PROOF"])), "langwright-prover")
