"""Whether a program passes tests, told by a process that the program cannot reach.

Differs   From the usual way (Chen et al. 2021, arXiv:2107.03374, section 2.3; one process runs program and tests), in
          which a program that prints "passed", ends early or overrides what tests rely on can pass. Here tests run in
          one sandbox and the program in another; calls go between them as plain values. Exam cannot hand over
          functions or objects of their own; what a program returns beyond plain values is compared by the program.
"""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Thread
from typing import Literal

from langwright.sandbox.running import INSIDE, Ran, Running, required
from langwright.sandbox.settings import Isolation, Sandbox

Kind = Literal["passed", "failed", "error", "load", "ended", "time", "output", "tests"]
GRACE = 5.0  # seconds that tests have beyond the program's


@dataclass(frozen=True)
class Exam:
    """What a program must do.

    tests  pieces of code, run in order, that raise where something is wrong; they see the program's names
    setup  code before them, whose names go before the program's; none of Python's own is taken from the program
    entry  name that is the program's, whatever setup says
    """

    tests: tuple[str, ...]
    setup: str = ""
    entry: str = ""


@dataclass(frozen=True)
class Verdict:
    """What came of it.

    kind    passed; failed: a test did not hold; error: the program raised; load: its text cannot be run; ended: it
            ended before it answered; time, output: it was stopped; tests: the tests themselves did not end
    passed  how many tests held before the first that did not
    detail  what went wrong, for a person or a model to read
    output  what the program printed
    """

    kind: Kind
    passed: int
    of: int
    detail: str
    output: str
    seconds: float
    isolation: Isolation


def examine(program: str, tests: Exam, sandbox: Sandbox) -> Verdict:
    """Run a program against tests.

    raises  UserError when running programs is not allowed, or cannot be isolated as asked; ValueError without tests
    """
    required(sandbox)
    if not tests.tests:
        raise ValueError("a program is to pass at least one test")
    told = json.dumps({"tests": tests.tests, "setup": tests.setup, "entry": tests.entry})
    exchange = (INSIDE / "exchange.py").read_text(encoding="utf-8")
    with ExitStack() as stack:
        open_ends: list[int] = []
        (hears, answers), (asked, asks), (read, verdict) = (os.pipe() for _ in range(3))
        open_ends += [hears, answers, asked, asks, verdict]
        candidate = stack.enter_context(
            Running(
                {"main.py": inside("candidate"), "exchange.py": exchange, "program.py": program}, sandbox,
                arguments=[str(asked), str(answers)], channels=[asked, answers],
            )
        )  # fmt: skip
        examiner = stack.enter_context(
            Running(
                {"main.py": inside("examiner"), "exchange.py": exchange, "tests.json": told},
                sandbox.model_copy(update={"seconds": sandbox.seconds + GRACE}),
                arguments=[str(hears), str(asks), str(verdict)], channels=[hears, asks, verdict],
            )
        )  # fmt: skip
        for end in open_ends:
            os.close(end)
        stack.callback(os.close, read)
        ran, examined = both(candidate, examiner)
        said = os.read(read, 1 << 16)
    return judged(tests, ran, examined, json.loads(said) if said else None)


def inside(name: str) -> str:
    """The text of one of our scripts."""
    return (INSIDE / f"{name}.py").read_text(encoding="utf-8")


def both(candidate: Running, examiner: Running) -> tuple[Ran, Ran]:
    """Wait for the examiner, and a moment longer for the program."""
    ran: list[Ran] = []
    waiting = Thread(target=lambda: ran.append(candidate.finish()), daemon=True)
    waiting.start()
    examined = examiner.finish()
    waiting.join(1.0)
    if waiting.is_alive():
        candidate.end()
        waiting.join()
    return ran[0], examined


def judged(tests: Exam, ran: Ran, examined: Ran, said: dict[str, object] | None) -> Verdict:
    """What the two told, put together; nothing that the program itself said can make it pass."""
    kind: Kind = "tests" if said is None else said["kind"]  # type: ignore[assignment]
    detail = examined.errors[-4000:] if said is None else str(said["detail"])
    passed = int(said["passed"]) if said else 0  # type: ignore[call-overload]
    if kind != "passed" and ran.ended in ("time", "output"):
        kind = "time" if ran.ended == "time" else "output"
    return Verdict(kind, passed, len(tests.tests), detail, ran.output + ran.errors, ran.seconds, ran.isolation)
