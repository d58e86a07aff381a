"""Jobs as the API shows them."""

from __future__ import annotations

import math
import shlex
import signal
from typing import Literal

from pydantic import BaseModel

from langwright.errors import UserError
from langwright.jobrecord import JobRecord, ProcessRecord, at_work, read_job, read_process, tail
from langwright.serving.jobs.cores import Cores
from langwright.serving.jobs.keeping import Jobs
from langwright.wording import say
from langwright.workspace import Run, read_request

State = Literal["queued", "running", "stopping", "stopped", "failed", "finished"]


class Counted(BaseModel):
    """How far a counted piece of work is."""

    what: str
    done: int
    total: int | None


class Why(BaseModel):
    """Why a job failed or was ended, in the caller's language where it is known."""

    problem: str
    fix: str


class JobShown(BaseModel):
    """One job. A run that a person began is shown like any other, with `by` = "person".

    place       in the queue, from 1
    step, steps, saved  updates made, planned, and at the last checkpoint
    metrics     of the last update and the last evaluation; what is not finite is null
    stops_by    when it is ended if it has not stopped by itself, seconds since 1970
    exit_code   of the last attempt; minus the signal that ended it
    """

    object: Literal["job"] = "job"
    name: str
    stage: str
    status: State
    by: Literal["api", "person"]
    place: int | None = None
    attempt: int | None = None
    asked: float | None = None
    began: float | None = None
    heard: float | None = None
    step: int | None = None
    steps: int | None = None
    saved: int | None = None
    metrics: dict[str, float | None] = {}
    progress: Counted | None = None
    stops_by: float | None = None
    exit_code: int | None = None
    why: Why | None = None
    command: str = ""


class JobDetails(JobShown):
    """One job with the end of what its command said."""

    output: str = ""


class JobList(BaseModel):
    """The answer of GET /v1/jobs: runs that wait, are made, were stopped, or are finished; and how the cores are shared."""

    object: Literal["list"] = "list"
    data: list[JobShown]
    cores: Cores


def all_shown(jobs: Jobs) -> JobList:
    """Every run of the workspace, the queue first."""
    places = {one.out: number for number, one in enumerate(jobs.queue(), start=1)}
    found = [shown(run, jobs, places.get(run.out)) for run in jobs.workspace.runs()]
    found.sort(key=lambda one: (one.place is None, one.place or 0, -(one.heard or 0.0)))
    return JobList(data=found, cores=jobs.plan())


def one_shown(name: str, jobs: Jobs) -> JobDetails:
    """One of them."""
    run = jobs.find(name)
    places = {one.out: number for number, one in enumerate(jobs.queue(), start=1)}
    return JobDetails(**shown(run, jobs, places.get(run.out)).model_dump(), output=tail(run.folder))


def shown(run: Run, jobs: Jobs, place: int | None) -> JobShown:
    """A run as a job."""
    job, process = read_job(run.folder), read_process(run.folder)
    stopping = run.status == "running" and job is not None and job.cancelled is not None and at_work(run.folder)
    state: State = "stopping" if stopping else run.status
    request = read_request(run.folder)
    return JobShown(
        name=run.name, stage=run.stage, status=state, by="api" if job is not None else "person", place=place,
        attempt=job.attempt if job else None, asked=job.asked if job else None, began=run.began, heard=run.heard,
        step=run.step, steps=run.steps, saved=run.saved, metrics={key: finite(value) for key, value in run.metrics.items()},
        progress=Counted(what=say(run.progress.what), done=run.progress.done, total=run.progress.total) if run.progress else None,
        stops_by=job.cancelled + jobs.stop_s if stopping and job and job.cancelled else None,
        exit_code=process.code if process and state not in ("queued", "running") else None,
        why=why(run, job, process), command=shlex.join(["langwright", *job.words] if job else request.command if request else []),
    )  # fmt: skip


def finite(value: float) -> float | None:
    """A number that JSON has."""
    return value if math.isfinite(value) else None


def why(run: Run, job: JobRecord | None, process: ProcessRecord | None) -> Why | None:
    """What ended a job that did not finish."""
    if run.problem:
        return Why(problem=run.problem, fix=run.fix or say("see the end of its output"))
    if run.status not in ("failed", "stopped"):
        return None
    if job is not None and job.killed is not None and job.cancelled is not None:
        return worded(
            UserError(
                "it did not stop within {seconds} s, and was ended",
                fix="resume it: it goes on from its last whole checkpoint", seconds=round(job.killed - job.cancelled),
            )
        )  # fmt: skip
    if run.status == "stopped":
        return None
    if process is None or process.code is None:
        return worded(
            UserError(
                "its process is gone and left no word: it was killed, or the computer stopped",
                fix="resume it: it goes on from its last whole checkpoint",
            )
        )
    return worded(by_code(process))


def by_code(process: ProcessRecord) -> UserError:
    """What an exit code says."""
    if process.problem:
        return UserError(
            "it could not begin: {reason}", fix="see whether the computer has room for it", reason=process.problem
        )
    code = process.code or 0
    if code < 0:
        name = next((one.name for one in signal.Signals if one.value == -code), str(-code))
        if name == "SIGKILL":
            return UserError(
                "it was ended with {signal}, as the system does when memory runs out",
                fix="take a smaller model or smaller batches, or resume it from its last whole checkpoint", signal=name,
            )  # fmt: skip
        return UserError("it was ended with {signal}", fix="resume it, or see the end of its output", signal=name)
    return UserError("its command ended with code {code}", fix="see the end of its output", code=code)


def worded(error: UserError) -> Why:
    """In the caller's language."""
    return Why(problem=error.problem(), fix=error.fix())
