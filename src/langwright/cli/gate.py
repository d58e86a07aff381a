"""`langwright gate MODEL|REPORT GATE.toml`: whether a model meets what is demanded of it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from langwright.cli.screen import screen_of
from langwright.cli.teaching import Command
from langwright.errors import UserError
from langwright.files import write_whole
from langwright.wording import current_language, say
from langwright.workspace import Workspace

if TYPE_CHECKING:
    from langwright.evaluation.gate import Check

EXIT_FAILED = 1


def gate(
    ctx: typer.Context,
    subject: Annotated[
        str, typer.Argument(metavar="MODEL|REPORT", help="A model with the reports on it below runs/, or one report")
    ],
    thresholds: Annotated[str, typer.Argument(metavar="GATE.toml", help="The demands, a [[threshold]] each")],
    junit: Annotated[
        str | None, typer.Option("--junit", metavar="FILE", help="Write the outcome as JUnit XML, for build servers")
    ] = None,
) -> None:
    """Check every demand; exit code 1 when one is not met."""
    screen = screen_of(ctx)
    from langwright.evaluation.gate import check, measures_of, read_gate
    from langwright.evaluation.gate import junit as as_junit

    workspace = Workspace()
    demands = read_gate(Path(thresholds))
    found = check(demands, measures_of(workspace.path(subject), workspace))
    if junit is not None:
        write_junit(Path(junit), as_junit(found, subject, current_language()))
    lang = current_language()
    marks = {True: say("passed"), False: say("FAILED")}
    screen.table([[f"  {marks[one.passed]}", one.name.in_(lang), one.data, one.seen.in_(lang)] for one in found])
    failed = sum(not one.passed for one in found)
    screen.line(say("{failed} of {all} demands are not met", failed=failed, all=len(found)) if failed else say("all {all} demands are met", all=len(found)))  # fmt: skip
    follow = shlex.join(["langwright", "report" if failed else "serve", subject, *(["runs/report"] if failed else [])])
    screen.answer({"passed": not failed, "checks": [as_table(one) for one in found]}, next=follow)
    if failed:
        raise typer.Exit(EXIT_FAILED)


def write_junit(file: Path, xml: bytes) -> None:
    """Write the file; UserError where it cannot be."""
    try:
        write_whole(file, xml)
    except OSError as error:
        raise UserError(
            "{path} cannot be written: {error}",
            fix="name a file in a folder that exists",
            path=file,
            error=error.strerror,
        ) from None


def as_table(one: Check) -> dict[str, object]:
    """A check as JSON."""
    measure = one.measure
    return {
        "demand": one.name.in_(current_language()), "data": one.data, "passed": one.passed,
        "seen": one.seen.in_(current_language()), "measure": measure.model_dump(mode="json") if measure else None,
    }  # fmt: skip


GATE = Command(
    name="gate",
    section="Look after runs",
    summary="Check a model's measures against thresholds, group by group where wanted; exit code 1 when one fails",
    examples=(
        "langwright gate runs/topics-measured gate.toml",
        "langwright gate runs/topics gate.toml --junit gate.xml",
    ),
    run=gate,
)
