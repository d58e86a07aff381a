"""Runs the long tests one after the other and writes down what came out: `make prove`.

    python -m scripts.prove [--again] [PART-OF-A-NAME...]

docs/proof.json holds, for the commit that is checked out, each heavy test with its outcome, its seconds and the
figures it reported (pytest's `record_property`), the versions of the libraries and the machine. It is written
after every test, so a run that was stopped goes on with the tests that have not passed; `--again`, or another
commit, begins anew. The figures of another commit are never mixed in.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scripts.speech import speaker

ROOT = Path(__file__).resolve().parent.parent
PROOF = ROOT / "docs" / "proof.json"
FORMAT = 1

CHINESE = {
    "{count} long tests, {done} of them have passed at this commit": "{count} 个长测试，其中 {done} 个已在此提交上通过",
    "there are uncommitted changes; what comes out is marked so": "有未提交的改动；结果会注明",
    "[{number}/{count}] {test}": "[{number}/{count}] {test}",
    "    {outcome} in {seconds:.0f} s": "    {outcome}，{seconds:.0f} 秒",
    "{passed} passed, {failed} failed, {skipped} skipped: docs/proof.json": "通过 {passed}，失败 {failed}，跳过 {skipped}：docs/proof.json",
    "no long test matches": "没有相符的长测试",
    "passed": "通过",
    "failed": "失败",
    "skipped": "跳过",
}  # fmt: skip
say = speaker(CHINESE)


def git(*arguments: str) -> str:
    """What git says; nothing outside a checkout."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def changes() -> bool:
    """Whether anything but the records themselves differs from the commit."""
    records = {"docs/proof.json", "docs/coverage.json", "docs/coverage.md"}
    return any(line[3:] not in records for line in git("status", "--porcelain").splitlines())


def heading() -> dict[str, Any]:
    """What the figures hold for."""
    from langwright.artifacts import library_versions

    return {
        "format": FORMAT,
        "commit": git("rev-parse", "HEAD"),
        "date": git("log", "-1", "--format=%cs"),
        "changed": changes(),
        "versions": library_versions(),
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
    }


def begun(again: bool) -> dict[str, Any]:
    """The record to go on with: the last one where it is of this commit and these versions, else a fresh one."""
    fresh = {**heading(), "tests": {}}
    if again or not PROOF.is_file():
        return fresh
    old: dict[str, Any] = json.loads(PROOF.read_text(encoding="utf-8"))
    same = all(old.get(key) == fresh[key] for key in fresh if key != "tests")
    return old if same and not fresh["changed"] else fresh


def write(record: dict[str, Any]) -> None:
    """Put the record in its place, whole."""
    scratch = PROOF.with_name(PROOF.name + ".new")
    record["tests"] = dict(sorted(record["tests"].items()))
    scratch.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    scratch.replace(PROOF)


def pytest(*arguments: str, report: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run pytest on heavy tests."""
    environment = {**os.environ, "LANGWRIGHT_RECORD": "1"}
    if report:
        environment["LANGWRIGHT_PROOF"] = str(report)
    command = [sys.executable, "-m", "pytest", "-m", "heavy", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=not report, text=True, check=False)


def long_tests(parts: list[str]) -> list[str]:
    """Every heavy test function, or those whose name holds one of the parts."""
    listed = pytest("--collect-only").stdout.splitlines()
    tests = dict.fromkeys(line.partition("[")[0] for line in listed if "::" in line)
    return [test for test in tests if not parts or any(part in test for part in parts)]


def run(test: str) -> dict[str, Any]:
    """One test function with all its cases: outcome, seconds, figures."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        began = time.monotonic()
        pytest(test, report=report)
        cases = json.loads(report.read_text(encoding="utf-8")) if report.is_file() else {}
    outcomes = {case["outcome"] for case in cases.values()} or {"failed"}
    outcome = next(word for word in ("failed", "passed", "skipped") if word in outcomes)
    figures = {name: case["figures"] for name, case in cases.items() if case["figures"]}
    return {"outcome": outcome, "seconds": round(time.monotonic() - began, 1), "figures": figures}


def main() -> int:
    """Run what has not passed yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART-OF-A-NAME")
    parser.add_argument("--again", action="store_true", help="run tests that have passed, too")
    asked = parser.parse_args()
    record = begun(asked.again)
    tests = long_tests(asked.parts)
    if not tests:
        print(say("no long test matches"))
        return 2
    passed = {test for test in tests if record["tests"].get(test, {}).get("outcome") == "passed"}
    template = "{count} long tests, {done} of them have passed at this commit"
    print(say(template, count=len(tests), done=len(passed)), flush=True)
    if record["changed"]:
        print(say("there are uncommitted changes; what comes out is marked so"), flush=True)
    for number, test in enumerate(tests, start=1):
        if test in passed:
            continue
        print(say("[{number}/{count}] {test}", number=number, count=len(tests), test=test), flush=True)
        result = record["tests"][test] = run(test)
        write(record)
        said = say("    {outcome} in {seconds:.0f} s", outcome=say(result["outcome"]), seconds=result["seconds"])
        print(said, flush=True)
    counts = [record["tests"].get(test, {}).get("outcome") for test in tests]
    numbers = {word: counts.count(word) for word in ("passed", "failed", "skipped")}
    print(say("{passed} passed, {failed} failed, {skipped} skipped: docs/proof.json", **numbers))
    return 1 if numbers["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
