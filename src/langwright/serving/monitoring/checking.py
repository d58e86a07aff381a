"""Models are evaluated again at intervals, as jobs, and held against a gate; what does not meet it is marked as failing.

The outcomes are kept in `.langwright/checks.jsonl`. When the next evaluation is due is told from there, so a server that
was down catches up once. What could not be measured has not passed.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from langwright.errors import UserError
from langwright.evaluation.gate import check as checked
from langwright.evaluation.gate import measures_of, read_gate
from langwright.serving.complaints import ApiError
from langwright.serving.jobs.asking import JobRequest
from langwright.serving.jobs.keeping import Jobs
from langwright.serving.monitoring.schedule import Check
from langwright.serving.monitoring.versions import add_line, read_lines
from langwright.tasks.front.model import Model
from langwright.workspace import Run, Workspace

HOUR_S = 3600.0
STAMP = "%Y%m%d-%H%M%S"
log = logging.getLogger("langwright.serving")


class Outcome(BaseModel):
    """What came of one evaluation.

    began    seconds since 1970
    digest   of the files of the model that was measured
    report   name of the run that is the report
    missed   demands that were not met, in English
    problem  why there was nothing to hold against the gate; empty where there was
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    began: float
    ended: float
    digest: str
    report: str
    passed: bool
    missed: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Begun:
    """An evaluation that runs."""

    check: Check
    began: float
    digest: str
    report: str


class Checking:
    """The checks of a server. All of it blocks; one thread at a time.

    model_of   a model by the name that requests ask for; None for one that is not served
    digest_of  the digest of its files; "" for one without files here
    clock      seconds since 1970
    """

    def __init__(
        self,
        checks: Sequence[Check],
        jobs: Jobs,
        model_of: Callable[[str], Model | None],
        digest_of: Callable[[str], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.checks, self.jobs, self.model_of, self.digest_of, self.clock = checks, jobs, model_of, digest_of, clock
        self.file = jobs.workspace.folder / ".langwright" / "checks.jsonl"
        self.begun: dict[str, Begun] = {}

    def adopt(self) -> None:
        """Go on waiting for what an earlier server began and did not see the end of."""
        for check in self.checks:
            kept = {outcome.report for outcome in self.outcomes(check.model)}
            for run in self.jobs.workspace.runs():
                began = began_at(run.name, check.model)
                if began is not None and run.stage == "evaluate" and run.name not in kept:
                    self.begun[check.model] = Begun(check, began, self.digest_of(check.model), run.name)

    def outcomes(self, model: str) -> list[Outcome]:
        """What came of the evaluations of a model, oldest first."""
        return [one for one in read_lines(self.file, Outcome) if one.model == model]

    def due(self, check: Check) -> float:
        """When a model is to be evaluated again, in seconds since 1970; 0 for at once."""
        past = self.outcomes(check.model)
        began = past[-1].began if past else 0.0
        return (
            0.0 if began > self.clock() else began + check.every_h * HOUR_S
        )  # a clock that was put back waits for nobody

    def look(self) -> list[Outcome]:
        """Begin what is due, and keep the outcome of what has ended."""
        ended = [outcome for begun in list(self.begun.values()) if (outcome := self.ended(begun)) is not None]
        for check in self.checks:
            if check.model not in self.begun and self.due(check) <= self.clock():
                outcome = self.begin(check)
                ended += [outcome] if outcome is not None else []
        return ended

    def begin(self, check: Check) -> Outcome | None:
        """Start the evaluation of a model; an outcome where that cannot be.

        raises  ApiError 409 when one runs
        """
        if check.model in self.begun:
            raise ApiError(
                UserError("{model} is being evaluated", fix="wait for it, or cancel the job {name}", model=check.model, name=self.begun[check.model].report),
                status=409, param="model",
            )  # fmt: skip
        now = self.clock()
        name = report_name(check.model, now)
        model = self.model_of(check.model)
        begun = self.begun[check.model] = Begun(check, now, self.digest_of(check.model), name)
        try:
            if model is None or model.artifact is None:
                raise UserError(
                    "{model} is not served from a folder", fix="serve it, or take it out of the file of checks", model=check.model
                )  # fmt: skip
            run = run_name(self.jobs.workspace, model.artifact.path)
            inputs: dict[str, tuple[str, ...]] = {"model": (run,), "dataset": (check.dataset,)}
            self.jobs.start(JobRequest(stage="evaluate", name=name, inputs=inputs, settings=check.settings))
        except (UserError, ApiError) as error:
            return self.keep(begun, str(error))
        return None

    def ended(self, begun: Begun) -> Outcome | None:
        """What came of an evaluation; None while it runs or waits."""
        try:
            run = self.jobs.find(begun.report)
        except ApiError as error:
            return self.keep(begun, str(error))
        if run.status in ("running", "queued"):
            return None
        return self.judge(begun, run)

    def judge(self, begun: Begun, run: Run) -> Outcome:
        """Hold what was measured against the gate."""
        if run.status != "finished":
            return self.keep(begun, run.problem or f"the job {run.name} has {run.status}")
        try:
            found = checked(read_gate(Path(begun.check.gate)), measures_of(run.out, self.jobs.workspace))
        except UserError as error:
            return self.keep(begun, str(error))
        missed = tuple(f"{one.name.in_('en')}: {one.seen.in_('en')}" for one in found if not one.passed)
        return self.keep(begun, "", missed)

    def keep(self, begun: Begun, problem: str, missed: tuple[str, ...] = ()) -> Outcome:
        """Write the outcome down."""
        outcome = Outcome(
            model=begun.check.model, began=begun.began, ended=self.clock(), digest=begun.digest, report=begun.report,
            passed=not problem and not missed, missed=missed, problem=problem,
        )  # fmt: skip
        del self.begun[begun.check.model]
        add_line(self.file, outcome)
        log.info("%s was evaluated again: %s", outcome.model, "passed" if outcome.passed else "failed")
        return outcome

    def failing(self) -> list[str]:
        """Models that are served now and did not meet their gate when these very files were last evaluated."""
        return [check.model for check in self.checks if self.fails(check.model)]

    def fails(self, name: str) -> bool:
        """Whether a model is marked as failing."""
        past = self.outcomes(name)
        return bool(past) and not past[-1].passed and past[-1].digest == self.digest_of(name)


def run_name(workspace: Workspace, folder: Path) -> str:
    """How a model's folder is called in the workspace.

    raises  UserError when it does not lie there
    """
    runs, lies = workspace.runs_folder.resolve(), folder.resolve()
    if not lies.is_relative_to(runs):
        raise UserError(
            "{folder} is no run of this workspace", fix="serve a model that lies in runs/", folder=folder.name
        )
    return lies.relative_to(runs).as_posix()


def report_name(model: str, began: float) -> str:
    """How the report on a model is called.

    >>> report_name("topics", 0.0), began_at("topics-checked-19700101-000001", "topics"), began_at("topics", "topics")
    ('topics-checked-19700101-000000', 1.0, None)
    """
    return f"{prefix(model)}{datetime.fromtimestamp(began, UTC).strftime(STAMP)}"


def began_at(report: str, model: str) -> float | None:
    """When the evaluation began that made a report; None for a report of something else."""
    try:
        return datetime.strptime(report, f"{prefix(model)}{STAMP}").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def prefix(model: str) -> str:
    """What the names of a model's reports begin with."""
    return re.sub(r"[^\w.+-]", "-", model) + "-checked-"
