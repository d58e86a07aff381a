"""A program counts as right when its tests ran to their end elsewhere, whatever it prints, returns or does."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from langwright.errors import UserError
from langwright.sandbox.examining import Exam, Verdict, examine
from langwright.sandbox.running import missing_namespaces
from langwright.sandbox.settings import Sandbox

pytestmark = pytest.mark.skipif(
    bool(missing_namespaces()), reason=f"this machine does not let a program be set apart: {missing_namespaces()}"
)
BOX = Sandbox(allow=True, seconds=20.0)
ADD = Exam(("assert add(1, 2) == 3", "assert add(2, 2) == 4"))


def judge(program: str, *tests: str, **more: object) -> Verdict:
    """The verdict on a program."""
    return examine(program, Exam(tests) if tests else ADD, BOX.model_copy(update=more))


def test_a_right_program_passes_and_a_wrong_one_tells_what_it_returned() -> None:
    assert judge("def add(a, b):\n    return a + b").kind == "passed"
    wrong = judge("def add(a, b):\n    return 3")
    assert (wrong.kind, wrong.passed, wrong.of) == ("failed", 1, 2)
    assert "assert add(2, 2) == 4" in wrong.detail
    assert "add(2, 2) returned 3" in wrong.detail


@pytest.mark.spec("G15", "a program that prints 'passed', ends early or tampers with its tests does not count as right")
@pytest.mark.parametrize(
    ("program", "kind"),
    [
        ("print('passed')", "failed"),
        ("import sys\nsys.exit(0)", "load"),
        ("import os\nos._exit(0)", "ended"),
        ("def add(a, b):\n    import os\n    os._exit(0)", "ended"),
        ("def add(a, b):\n    raise SystemExit(0)", "error"),
        ("import os, signal\ndef add(a, b):\n    os.kill(os.getpid(), signal.SIGKILL)", "ended"),
        ("class Yes(int):\n    def __eq__(self, other): return True\ndef add(a, b): return Yes(0)", "failed"),
        ("class Yes:\n    def __eq__(self, other): return True\ndef add(a, b): return Yes()", "failed"),
        ("import builtins\nbuiltins.AssertionError = ValueError\ndef add(a, b): return 0", "failed"),
        ("def abs(x): return 0\ndef len(x): return 3\ndef add(a, b): return 0", "failed"),
        ("import sys\ndef add(a, b):\n    try:\n        return 0\n    finally:\n        sys.modules.clear()", "failed"),
        (
            "import os\nfor fd in range(3, 64):\n    try:\n        os.write(fd, b'{\"kind\": \"passed\", \"passed\": 2, \"detail\": \"\"}\\n')\n    except OSError:\n        pass",
            "failed",
        ),
        ("def add(a, b):\n    try:\n        while True:\n            pass\n    except BaseException:\n        return 3", "time"),
        ("def add(a, b", "load"),
    ],
)  # fmt: skip
def test_what_pretends_does_not_pass(program: str, kind: str) -> None:
    verdict = judge(program, seconds=3.0)
    assert verdict.kind != "passed"
    assert verdict.kind == kind, verdict.detail


def test_what_it_prints_is_kept_and_bounded() -> None:
    assert judge("print('begun')\ndef add(a, b):\n    print('!')\n    return a + b").output == "begun\n!\n!\n"
    assert judge("def add(a, b):\n    print('x' * 10**6)\n    return a + b", output_kb=8).kind == "output"


def test_plain_values_things_errors_and_changes_pass_between_them() -> None:
    program = """
import math
from collections import Counter, namedtuple
class Pair:
    def __init__(self, a, b): self.a, self.b = a, b
    def swapped(self): return Pair(self.b, self.a)
    def __eq__(self, other): return (self.a, self.b) == (other.a, other.b)
def total(pairs): return sum(p.a + p.b for p in pairs)
def sort(values): values.sort()
def kinds(x): return x
def count(text): return Counter(text)
def numbers():
    yield from range(3)
def refuse(): raise ValueError("no")
"""
    tests = (
        "assert total([Pair(1, 2), Pair(3, 4)]) == 10",
        "assert Pair(1, 2).swapped() == Pair(2, 1) and Pair(1, 2) != Pair(2, 1) and Pair(5, 6).a == 5",
        "one = Pair(1, 2)\none.a = 7\nassert total([one]) == 9",
        "values = [3, 1, 2]\nsort(values)\nassert values == [1, 2, 3]",
        "for x in (None, True, -5, 2**200, 1.5, float('inf'), 1j, 'é中', b'a', [1, (2, {3})], {'a': [1]}, range(3), frozenset((1,)), int, ValueError):\n    assert kinds(x) == x and type(kinds(x)) is type(x), x",
        "assert math.isnan(kinds(float('nan')))",
        "assert count('aab') == {'a': 2, 'b': 1}",
        "assert list(numbers()) == [0, 1, 2] and next(numbers()) == 0",
        "try:\n    refuse()\nexcept ValueError as error:\n    assert str(error) == 'no'\nelse:\n    raise AssertionError",
    )
    verdict = judge(program, *tests)
    assert verdict.kind == "passed", verdict.detail


def test_what_tests_use_of_python_is_pythons_own() -> None:
    near = "assert abs(add(1, 2) - 3) < 1e-9"
    assert judge("def abs(x):\n    return 0\ndef add(a, b):\n    return 99", near).kind == "failed"
    assert (
        judge("import math\ndef add(a, b):\n    return a + b", near, "assert math.floor(add(1, 2)) == 3").kind
        == "passed"
    )


def test_setup_goes_before_the_program_but_for_the_entry() -> None:
    setup = "def helper(x):\n    return x\ndef add(a, b):\n    pass\n"
    tests = Exam(("assert helper(add(1, 2)) == 3",), setup=setup, entry="add")
    assert examine("def helper(x):\n    return 3\ndef add(a, b):\n    return 0", tests, BOX).kind == "failed"
    assert examine("def add(a, b):\n    return a + b", tests, BOX).kind == "passed"


def test_an_error_shows_the_lines_of_the_program() -> None:
    verdict = judge("def add(a, b):\n    return a / (b - 2)")
    assert verdict.kind == "error"
    assert "line 2, in add" in verdict.detail
    assert "return a / (b - 2)" in verdict.detail
    assert "ZeroDivisionError" in verdict.detail


def test_tests_that_do_not_end_are_told_from_a_program_that_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langwright.sandbox.examining.GRACE", 0.5)
    assert judge("x = 1", "while True: pass", seconds=1.0).kind in ("tests", "time")


def test_it_must_be_allowed_and_there_must_be_a_test() -> None:
    with pytest.raises(UserError, match="unless you allow it"):
        examine("", ADD, Sandbox())
    with pytest.raises(ValueError, match="at least one test"):
        examine("", Exam(()), BOX)


@pytest.mark.spec("G15", "right solutions of HumanEval and MBPP pass their tests in the sandbox, and wrong ones do not")
def test_known_solutions_pass(shared_data: Callable[[str], Path]) -> None:
    with gzip.open(shared_data("code-humaneval") / "HumanEval.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file][::16]
    for row in rows:
        tests = Exam((f"{row['test']}\ncheck({row['entry_point']})",), row["prompt"], row["entry_point"])
        right = examine(row["prompt"] + row["canonical_solution"], tests, BOX)
        assert right.kind == "passed", (row["task_id"], right)
        assert examine(row["prompt"] + "    return None\n", tests, BOX).kind != "passed"
