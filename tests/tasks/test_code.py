"""Programs: where they end, that they are run only when allowed, and that they are mended, by a model with a script.

Models small enough for a test cannot write programs; a script of given programs stands for one that can.
"""

from __future__ import annotations

import pytest
from tests.tasks.told import Front, Plain, Script

from langwright.errors import UserError
from langwright.sandbox.running import missing_namespaces
from langwright.tasks import TASKS
from langwright.tasks.code import CodeInput, DebuggingInput, ProgramOutput
from langwright.tasks.front.model import Model
from langwright.tasks.solving.programs import cut_at, fenced, is_code, program_of

APART = pytest.mark.skipif(
    bool(missing_namespaces()), reason=f"this machine does not let a program be set apart: {missing_namespaces()}"
)
ALLOWED = {"allow": True, "seconds": 20.0}
HEAD = 'def add(a, b):\n    """Add two numbers."""\n'
TESTS = ("assert add(1, 2) == 3", "assert add(-1, 1) == 0")


def solve(model: Model, task: str, **fields: object) -> ProgramOutput:
    """What a task gives."""
    made = model.solve(task, TASKS[task].input.model_validate(fields))
    assert isinstance(made, ProgramOutput)
    return made


def test_where_a_program_ends() -> None:
    assert cut_at("    return a + b\n\ndef other():\n    pass", ("\ndef ",)) == "    return a + b\n"
    assert program_of(HEAD, "    return a + b\n\nprint(add(1, 2))") == HEAD + "    return a + b\n"
    assert (
        program_of("Add two numbers.", "Sure:\n```python\ndef add(a, b):\n    return a + b\n```\nDone.")
        == "def add(a, b):\n    return a + b"
    )
    assert program_of(HEAD, "```python\n    return a + b\n```") == HEAD + "    return a + b"
    assert program_of(HEAD, "```\ndef add(a, b):\n    return a + b\n```") == "def add(a, b):\n    return a + b"
    assert program_of("Add.", "def add(a, b):\n    return a + b\n```\nThat is it") == "def add(a, b):\n    return a + b"
    assert fenced("no code") is None
    assert [is_code(text) for text in (HEAD, "import re\n", "Write a function.", "请写一个函数")] == [
        True,
        True,
        False,
        False,
    ]


def test_nothing_is_run_unless_allowed() -> None:
    script = Script("    return a + b\n")
    model = Plain(script)
    made = solve(model, "code", text=HEAD, tests=TESTS)
    assert (made.text, made.passed, made.attempts) == (HEAD + "    return a + b\n", None, ())
    assert script.asked == [HEAD]
    assert "\ndef " in script.stops[0]
    model = Plain(Script("    return a + b\n"))
    with pytest.raises(UserError, match="unless you allow it"):
        solve(model, "code", text=HEAD, tests=TESTS, rounds=2)
    with pytest.raises(UserError, match="unless you allow it"):
        solve(model, "debugging", program="1/0")


@APART
def test_what_is_written_is_tested() -> None:
    for body, passed in (("    return a + b\n", True), ("    return a - b\n", False)):
        model = Plain(Script(body))
        made = solve(model, "code", text=HEAD, tests=TESTS, sandbox=ALLOWED)
        assert made.passed is passed
        assert [one.outcome for one in made.attempts] == ["passed" if passed else "failed"]
        assert made.attempts[0].isolation == "namespaces"


@APART
@pytest.mark.spec(
    "G16", "a program is run, its error shown to the model, and the mended one run again, every attempt kept"
)
def test_it_is_mended_round_by_round() -> None:
    first = "def add(a, b):\n    return a / b"
    second, third = "def add(a, b):\n    return abs(a + b) + 1", "def add(a, b):\n    return a + b"
    script = Script(f"```python\n{second}\n```", f"```python\n{third}\n```", "never asked")
    made = solve(
        Front(script), "debugging", program=first, wish="Add two numbers.", tests=TESTS, rounds=3, sandbox=ALLOWED
    )
    assert made.passed is True
    assert made.text == third
    assert [one.program for one in made.attempts] == [first, second, third]
    assert [one.outcome for one in made.attempts] == ["failed", "failed", "passed"]
    questions = script.asked
    assert len(questions) == 2
    assert "Add two numbers." in questions[0] and first in questions[0]
    assert "add(1, 2) returned 0.5" in questions[0]
    assert second in questions[1] and "returned 4" in questions[1]


@APART
def test_the_rounds_are_bounded_and_repetition_ends_them() -> None:
    wrong = [f"def add(a, b):\n    return {number}" for number in range(5)]
    script = Script(*wrong[1:])
    made = solve(Plain(script), "debugging", program=wrong[0], tests=TESTS, rounds=2, sandbox=ALLOWED)
    assert (made.passed, len(made.attempts), len(script.asked)) == (False, 3, 2)
    script = Script(wrong[1], wrong[0], wrong[2])
    made = solve(Plain(script), "debugging", program=wrong[0], tests=TESTS, rounds=5, sandbox=ALLOWED)
    assert (made.passed, len(made.attempts), len(script.asked)) == (False, 2, 2)


@APART
def test_without_tests_it_is_run_by_itself_in_chinese_too() -> None:
    script = Script("print(1)\n```")
    made = solve(Plain(script), "debugging", program="print(1/0)", wish="打印一", sandbox=ALLOWED)
    assert [one.outcome for one in made.attempts] == ["error", "done"]
    assert made.attempts[1].output == "1\n"
    assert "ZeroDivisionError" in str(script.asked[0]) and "下面的 Python 程序有错误" in str(script.asked[0])


@APART
@pytest.mark.spec(
    "G15", "a program is written from a wish or a beginning and counts only when its tests ran to their end"
)
def test_a_program_that_pretends_is_not_taken_for_right() -> None:
    model = Plain(Script("import os\nprint('passed')\nos._exit(0)\n```"))
    made = solve(model, "code", text="Add two numbers in a function add.", tests=TESTS, sandbox=ALLOWED)
    assert made.passed is False
    assert made.attempts[0].outcome == "ended"


def test_inputs_say_what_they_take() -> None:
    assert CodeInput(text="x").sandbox.allow is False
    assert DebuggingInput(program="x").rounds == 3
    with pytest.raises(ValueError, match="rounds"):
        DebuggingInput(program="x", rounds=0)


@APART
def test_shipped_programs_pass() -> None:
    from langwright.data.schemas import CodeRow
    from langwright.sandbox.examining import Exam
    from langwright.sandbox.settings import Sandbox
    from langwright.tasks.examples import example_rows
    from langwright.tasks.solving.programs import attempt

    box = Sandbox(allow=True, seconds=20.0)
    rows = [row for row in example_rows(TASKS["code"]) if isinstance(row, CodeRow)]
    for row in {row.code: row for row in rows}.values():  # in two languages each
        assert attempt(row.code, Exam(row.tests, row.setup, row.entry), box).right, row.code
    assert len(rows) == 32


def test_the_command_line_reaches_into_the_sandbox() -> None:
    from langwright.cli.predict import input_of

    asked = input_of(
        TASKS["code"], HEAD, {}, ["sandbox.allow=true", "sandbox.seconds=3", 'tests=["assert add(1, 2) == 3"]']
    )
    assert isinstance(asked, CodeInput)
    assert (asked.sandbox.allow, asked.sandbox.seconds, asked.sandbox.isolation) == (True, 3.0, "namespaces")
    assert asked.tests == ("assert add(1, 2) == 3",)


@pytest.mark.parametrize(
    ("task", "fields"),
    [
        ("code", {"text": "x", "sandbox": {"allow": True}}),
        ("debugging", {"program": "x", "sandbox": {"allow": True, "isolation": "limits"}}),
        ("correction", {"text": "x", "learned_from": "/etc"}),
    ],
)
def test_what_is_run_or_opened_is_not_for_the_network_to_say(task: str, fields: dict[str, object]) -> None:
    from langwright.tasks.front.asked import checked

    with pytest.raises(UserError, match="on the machine itself only"):
        checked(TASKS[task], fields)
    assert checked(TASKS[task], fields, here=True)
