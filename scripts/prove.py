"""Runs the long tests one after the other and writes down what came out: `make prove`.

    python -m scripts.prove [--again] [PART-OF-A-NAME...]

docs/proof.json holds, for the commit that is checked out, each heavy test with its outcome, its seconds and the
figures it reported (pytest's `record_property`), the versions of the libraries and the machine. It is written
after every test, so a run that was stopped goes on with the tests that have not passed; `--again`, or another
commit, begins anew. The figures of another commit are never mixed in.

Of a test that was stopped in the midst of its cases those that have not passed are run the next time. A part of a
name may reach into the brackets, as in `fifty_trials[llama`; then those cases alone are run, and the test has passed
when all have.
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
    "unfinished": "未完",
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
    return any(line.split(maxsplit=1)[1] not in records for line in git("status", "--porcelain").splitlines())


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


def long_tests() -> dict[str, list[str]]:
    """Every heavy test function with its cases."""
    tests: dict[str, list[str]] = {}
    for line in pytest("--collect-only").stdout.splitlines():
        if "::" in line:
            tests.setdefault(line.partition("[")[0], []).append(line)
    return tests


def run(cases: list[str]) -> dict[str, Any]:
    """Some cases of one test function: outcome of each that was run, seconds, figures; `stopped` where Ctrl-C came."""
    stopped = False
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        began = time.monotonic()
        try:
            pytest(*cases, report=report)
        except KeyboardInterrupt:
            stopped = True
        found = json.loads(report.read_text(encoding="utf-8")) if report.is_file() else {}
    known = {case: found.get(case.partition("::")[2], {}).get("outcome") for case in cases}
    outcomes = {case: outcome or "failed" for case, outcome in known.items() if outcome or not stopped}
    figures = {name: case["figures"] for name, case in found.items() if case["figures"]}
    return {"cases": outcomes, "seconds": round(time.monotonic() - began, 1), "figures": figures, "stopped": stopped}


def together(before: dict[str, Any], now: dict[str, Any], every: list[str]) -> dict[str, Any]:
    """What is known of a test after some more of its cases.

    The outcomes of single cases are kept only as long as some were not run, or have failed.
    """
    cases = {**before.get("cases", {}), **now["cases"]}
    words = {cases.get(case, "unfinished") for case in every}
    outcome = next(word for word in ("failed", "unfinished", "passed", "skipped") if word in words)
    seconds = round(before.get("seconds", 0.0) + now["seconds"], 1)
    made = {"outcome": outcome, "seconds": seconds, "figures": {**before.get("figures", {}), **now["figures"]}}
    return {**made, "cases": cases} if outcome in ("failed", "unfinished") else made


def wanted(case: str, parts: list[str]) -> bool:
    """Whether a case is among those that were asked for."""
    return not parts or any(part in case for part in parts)


def left(known: dict[str, Any], cases: list[str]) -> list[str]:
    """Those cases that have not passed yet."""
    if known.get("outcome") == "passed":
        return []
    return [case for case in cases if known.get("cases", {}).get(case) != "passed"]


def main() -> int:
    """Run what has not passed yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART-OF-A-NAME")
    parser.add_argument("--again", action="store_true", help="run tests that have passed, too")
    asked = parser.parse_args()
    record = begun(asked.again)
    every = long_tests()
    tests = {test: [case for case in cases if wanted(case, asked.parts)] for test, cases in every.items()}
    tests = {test: cases for test, cases in tests.items() if cases}
    if not tests:
        print(say("no long test matches"))
        return 2
    todo = {test: left(record["tests"].get(test, {}), cases) for test, cases in tests.items()}
    done = sum(not cases for cases in todo.values())
    template = "{count} long tests, {done} of them have passed at this commit"
    print(say(template, count=len(tests), done=done), flush=True)
    if record["changed"]:
        print(say("there are uncommitted changes; what comes out is marked so"), flush=True)
    for number, (test, cases) in enumerate(todo.items(), start=1):
        if not cases:
            continue
        print(say("[{number}/{count}] {test}", number=number, count=len(tests), test=test), flush=True)
        known, now = record["tests"].get(test, {}), run(cases)
        result = record["tests"][test] = together(known, now, every[test])
        write(record)
        said = say("    {outcome} in {seconds:.0f} s", outcome=say(result["outcome"]), seconds=now["seconds"])
        print(said, flush=True)
        if now["stopped"]:
            return 130
    counts = [record["tests"].get(test, {}).get("outcome") for test in tests]
    numbers = {word: counts.count(word) for word in ("passed", "failed", "skipped")}
    print(say("{passed} passed, {failed} failed, {skipped} skipped: docs/proof.json", **numbers))
    return 1 if numbers["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
