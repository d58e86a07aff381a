"""Code: a wish in, a Python program out; run against tests where that is allowed. Imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from langwright.sandbox.examining import Exam
from langwright.sandbox.settings import Sandbox
from langwright.tasks.declaration import HERE, Task, TaskInput, TaskOutput
from langwright.tasks.solving.programs import Attempt, Entry, Setup, Tests, mended, program_of, written
from langwright.tasks.solving.solvers import Solver
from langwright.tasks.solving.writing import Chosen
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.data.schemas import CodeRow
    from langwright.tasks.front.loading import Model


class CodeInput(TaskInput):
    """What the program is to do, and how to see whether it does."""

    text: Annotated[
        str, Field(min_length=1, description="What is wished in words, or the beginning of a program that is to go on")
    ]
    tests: Tests = ()
    setup: Setup = ""
    entry: Entry = ""
    rounds: Annotated[
        int, Field(ge=0, le=20, description="How often the model may mend what failed; needs a sandbox that is allowed")
    ] = 0
    sandbox: Annotated[Sandbox, Field(description="Whether and how what it wrote is run", json_schema_extra=HERE)] = (
        Sandbox()
    )
    sampling: Chosen = None


class DebuggingInput(TaskInput):
    """A program, and how to see what is wrong with it. Without tests it is run by itself."""

    program: Annotated[str, Field(min_length=1, description="The program that is to be mended")]
    wish: Annotated[str, Field(description="What the program is to do, in words")] = ""
    tests: Tests = ()
    setup: Setup = ""
    entry: Entry = ""
    rounds: Annotated[int, Field(ge=1, le=20, description="How often the model may mend it")] = 3
    sandbox: Annotated[Sandbox, Field(description="Whether and how it is run", json_schema_extra=HERE)] = Sandbox()
    sampling: Chosen = None


class ProgramOutput(TaskOutput):
    """A program, and every attempt at it that was run."""

    text: Annotated[str, Field(description="The program: the first that passed, else the last")]
    passed: Annotated[
        bool | None,
        Field(description="Whether its tests passed, or without tests whether it ran; none where it was not run"),
    ]
    attempts: Annotated[tuple[Attempt, ...], Field(description="All programs that were run, in their order")] = ()

    def lines(self) -> list[str]:
        """The program, and one line an attempt."""
        found = [
            say("attempt {number}: {outcome}, {passed} of {tests} tests", number=number, outcome=one.outcome, passed=one.passed, tests=one.tests)
            for number, one in enumerate(self.attempts, start=1)
        ]  # fmt: skip
        return [self.text, *(found or [say("it was not run: --set sandbox.allow=true lets it be")])]


def ask(row: CodeRow) -> CodeInput:
    """What is asked of a row."""
    return CodeInput(text=row.text, tests=row.tests, setup=row.setup, entry=row.entry)


def write(model: Model, task: Task, asked: CodeInput) -> ProgramOutput:
    """Write a program; run it, and let it be mended, where that is allowed.

    raises  UserError where rounds of mending are wanted and running programs is not allowed
    """
    from langwright.tasks.solving.generation import what_is_read
    from langwright.tasks.solving.languages import language_of
    from langwright.tasks.solving.programs import STOPS, is_code
    from langwright.tasks.solving.writing import filled

    language = language_of(asked.text)
    if model.was_taught(task) or (is_code(asked.text) and not model.converses):
        question = what_is_read(model, task, asked) if model.was_taught(task) else asked.text
    else:
        question = filled(task.templates[language], asked, language)
    stops = STOPS if question == asked.text else ("\n```",)
    program = program_of(asked.text, written(model, question, asked.sampling, stops))
    if not asked.rounds and not asked.sandbox.allow:
        return ProgramOutput(text=program, passed=None, solver=CODING.name)
    exam = Exam(asked.tests, asked.setup, asked.entry)
    return of_attempts(mended(model, asked.text, program, exam, asked.sandbox, asked.rounds, asked.sampling, language))


def debug(model: Model, task: Task, asked: DebuggingInput) -> ProgramOutput:
    """Run, read the error, ask for a repair, again.

    raises  UserError where running programs is not allowed
    """
    from langwright.tasks.solving.languages import language_of

    exam = Exam(asked.tests, asked.setup, asked.entry)
    language = language_of(asked.wish or asked.program)
    found = mended(model, asked.wish, asked.program, exam, asked.sandbox, asked.rounds, asked.sampling, language)
    return of_attempts(found).model_copy(update={"solver": DEBUGGER.name})


def of_attempts(attempts: list[Attempt]) -> ProgramOutput:
    """The last program, which passed or was the last try."""
    last = attempts[-1]
    return ProgramOutput(text=last.program, passed=last.right, attempts=tuple(attempts), solver=CODING.name)


CODING = Solver(
    name="coding",
    summary="The model writes a program, which is run against tests in a sandbox where that is allowed",
    needs="text",
    maker="langwright finetune MODEL DATASET OUT --task {task}",
    solve=write,
)
DEBUGGER = Solver(
    name="debugger",
    summary="The program is run, its error shown to the model, and the program it writes then run again",
    needs="text",
    maker="langwright finetune MODEL DATASET OUT --task chat",
    solve=debug,
)
CODE = Task(
    name="code",
    summary="Write a Python program, and run it against tests where that is allowed",
    dataset="code",
    input=CodeInput,
    output=ProgramOutput,
    solvers=("coding",),
    measures=("pass@{k}",),
    templates={
        "en": "Write a Python program.\n{text}\nGive the whole program and nothing else.\n```python\n",
        "zh": "请写一个 Python 程序。\n{text}\n只写出完整的程序，不要写别的内容。\n```python\n",
    },
    panel=("text", "tests"),
    lesson="code",
    prefix="",
    ask=ask,
)
DEBUGGING = Task(
    name="debugging",
    summary="Find and mend what is wrong with a Python program, by running it",
    dataset="",
    input=DebuggingInput,
    output=ProgramOutput,
    solvers=("debugger",),
    panel=("program", "tests", "wish"),
)
