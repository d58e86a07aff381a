"""Programs that a model wrote: where they end, how they are tested, and how they are mended. Imports nothing heavy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from langwright.data.schemas import Message
from langwright.inference.protocol import Sampling
from langwright.sandbox.examining import Exam, Verdict, examine
from langwright.sandbox.running import run_program
from langwright.sandbox.settings import Isolation, Sandbox
from langwright.wording import Language

if TYPE_CHECKING:
    from langwright.tasks.front.loading import Model

FENCE = re.compile(r"```[ \t]*\w*[ \t]*\r?\n(.*?)(?:\r?\n[ \t]*```|\Z)", re.DOTALL)
STOPS = ("\nclass ", "\ndef ", "\n#", "\nif ", "\nprint", "\n```")
"""Where a continued function ends (Chen et al. 2021, arXiv:2107.03374, section 3.2)."""
USUAL = Sampling(max_new_tokens=512)

Tests = Annotated[
    tuple[str, ...],
    Field(
        description="Pieces of code that raise where the program is wrong, such as assert f(1) == 2; it never sees them"
    ),
]
Setup = Annotated[str, Field(description="Code that runs before the tests; its names go before the program's")]
Entry = Annotated[str, Field(description="The function that the tests are about, whatever the setup defines")]


class Attempt(BaseModel):
    """A program, and what came of running it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    program: str
    outcome: str  # a kind of `sandbox.examining.Verdict`, or of `sandbox.running.Ran` where there are no tests
    passed: int  # tests that held before the first that did not
    tests: int
    detail: str = ""
    output: str = ""
    isolation: Isolation = "namespaces"

    @property
    def right(self) -> bool:
        """Whether all tests held; without tests, whether it ran to its end without an error."""
        return self.outcome == ("passed" if self.tests else "done")


def attempt(program: str, exam: Exam, sandbox: Sandbox) -> Attempt:
    """Run a program against its tests; without tests, run it by itself.

    raises  UserError when running programs is not allowed, or cannot be isolated as asked
    """
    if exam.tests:
        return of_verdict(program, examine(program, exam, sandbox))
    ran = run_program(f"{exam.setup}\n{program}" if exam.setup else program, sandbox)
    outcome = ran.ended if ran.ended != "done" or ran.code == 0 else "error"
    return Attempt(
        program=program, outcome=outcome, passed=0, tests=0, detail=ran.errors[-4000:], output=ran.output,
        isolation=ran.isolation,
    )  # fmt: skip


def of_verdict(program: str, verdict: Verdict) -> Attempt:
    """A verdict as an attempt."""
    return Attempt(
        program=program, outcome=verdict.kind, passed=verdict.passed, tests=verdict.of, detail=verdict.detail,
        output=verdict.output, isolation=verdict.isolation,
    )  # fmt: skip


# --- from what was written to a program ------------------------------------------------------------


def is_code(prompt: str) -> bool:
    """Whether a prompt is the beginning of a program rather than a wish in words.

    >>> is_code("def add(a, b):\\n"), is_code("Add two numbers.")
    (True, False)
    """
    return bool(re.search(r"^(def |class |from \w+ import |import \w|@|\"\"\"|#)", prompt, re.MULTILINE))


def fenced(written: str) -> str | None:
    """The longest code block of a reply; None where it has none.

    Code before the first fence is a block that the question had opened.
    """
    opened, fence, _ = written.partition("```")
    if fence and is_code(opened):
        return opened.rstrip("\n")
    return max((match[1] for match in FENCE.finditer(written)), key=len, default=None)


def cut_at(written: str, stops: Sequence[str]) -> str:
    """What stands before the first of the stop strings.

    >>> cut_at("    return a\\n\\ndef other():", STOPS)
    '    return a\\n'
    """
    ends = [place for stop in stops if (place := written.find(stop)) >= 0]
    return written[: min(ends)] if ends else written


def program_of(prompt: str, written: str) -> str:
    """The program that a reply or a continuation stands for.

    A block between fences is taken whole, with the prompt before it where it only goes on with that; a continuation is
    cut where the function ends.
    """
    block = fenced(written)
    if block is None:
        return prompt + cut_at(written, STOPS) if is_code(prompt) else cut_at(written, ("\n```",))
    if not is_code(prompt) or re.search(r"^(def |class )", block, re.MULTILINE):
        return block
    return prompt + block


# --- asking ----------------------------------------------------------------------------------------


def written(model: Model, question: str, sampling: Sampling | None, stop: Sequence[str]) -> str:
    """What the model writes: a reply where it was taught to converse, else a continuation."""
    prompt = [Message(role="user", content=question)] if model.converses else question
    return model.complete(prompt, sampling or USUAL, stop=() if model.converses else tuple(stop)).text


REPAIR: dict[Language, str] = {
    "en": "{wish}This Python program is wrong:\n```python\n{program}\n```\nThis is what happened when it ran:\n{detail}\nWrite the whole program again, corrected, and nothing else.\n```python\n",
    "zh": "{wish}下面的 Python 程序有错误：\n```python\n{program}\n```\n运行结果如下：\n{detail}\n请写出改正后的完整程序，不要写别的内容。\n```python\n",
}


def repaired(model: Model, wish: str, failed: Attempt, sampling: Sampling | None, language: Language) -> str:
    """The program that the model writes when it is shown what went wrong."""
    detail = failed.detail.strip() or failed.outcome
    question = REPAIR[language].format(
        wish=f"{wish.strip()}\n\n" if wish.strip() else "", program=failed.program.strip("\n"), detail=detail
    )
    if model.converses:
        question = question.removesuffix("```python\n")
    reply = written(model, question, sampling, ("\n```",))
    block = fenced(reply)
    return cut_at(reply, ("\n```",)) if block is None else block


def mended(
    model: Model, wish: str, program: str, exam: Exam, sandbox: Sandbox, rounds: int, sampling: Sampling | None, language: Language
) -> list[Attempt]:  # fmt: skip
    """Run, read the error, ask for a repair, at most `rounds` times; every attempt in its order.

    It ends early where the model repeats a program that has failed.

    Source    Chen et al. 2023, arXiv:2304.05128, section 3 (self-debugging with the feedback of unit tests)
    """
    attempts = [attempt(program, exam, sandbox)]
    while not attempts[-1].right and len(attempts) <= rounds:
        again = repaired(model, wish, attempts[-1], sampling, language)
        if again.strip() in {one.program.strip() for one in attempts}:
            break
        attempts.append(attempt(again, exam, sandbox))
    return attempts
