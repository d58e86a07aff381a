"""Jobs: stages that run as process groups of their own, one at a time by default, and outlive the server.

A job is its run directory. What waits, runs, was asked to stop or has ended is read from there each time, so a
server that was killed knows all of it when it is back, and two servers on one workspace agree: whoever starts,
stops or removes something holds `.langwright/jobs.lock` meanwhile.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from langwright.artifacts import has_checkpoints, partial_of, refuse_existing
from langwright.errors import UserError, unknown
from langwright.files import empty, full_disk, held, holder, write_whole
from langwright.jobrecord import (
    OUTPUT,
    JobRecord,
    ProcessRecord,
    at_work,
    locked,
    read_job,
    read_process,
    waits,
    write_record,
)
from langwright.serving.complaints import ApiError
from langwright.serving.jobs.asking import JobRequest, ResumeRequest, Wanted, resumed, wanted
from langwright.serving.jobs.cores import Cores, Sharing, Threads
from langwright.serving.resources.names import may_exist
from langwright.serving.stores import opening, sealing
from langwright.wording import Term
from langwright.workspace import DEPTH, Run, Workspace, outputs_below, read_request, read_run

REMOVED = ".removed"  # end of the hidden name of what is being removed
EVERY_S = 0.5  # between two looks at the queue
FIRST_WORD_S = 10.0  # for the process that minds a job to say its group
SECRETS = (sealing.VARIABLE, opening.VARIABLE)  # of the server, which no job needs
MINDER = "langwright.serving.jobs.minder"
log = logging.getLogger("langwright.serving")


@dataclass(frozen=True)
class Waiting:
    """A folder in the making, as the queue sees it."""

    out: Path
    folder: Path
    job: JobRecord | None
    process: ProcessRecord | None
    running: bool

    @property
    def queued(self) -> bool:
        return not self.running and self.job is not None and waits(self.job, self.process)


class Jobs:
    """The jobs of a workspace.

    stop_s  seconds that a job which was asked to stop has to save and leave, before it is ended
    """

    def __init__(self, workspace: Workspace, sharing: Sharing, threads: Threads, stop_s: float) -> None:
        self.workspace = workspace
        self.sharing = sharing
        self.stop_s = stop_s
        self._threads = threads
        self._wake = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    # --- looking -------------------------------------------------------------------------------

    def find(self, name: str) -> Run:
        """A run by name; ApiError 404 when there is none."""
        run = read_run(self.workspace.runs_folder / name, name) if may_exist(name) else None
        if run is None:
            outs = outputs_below(self.workspace.runs_folder, DEPTH)
            raise ApiError(unknown("run", name, map(self.workspace.name_of, outs)), status=404, param="name")
        return run

    def in_the_making(self) -> list[Waiting]:
        """What is not finished, without reading what happened in it."""
        outs = dict.fromkeys(outputs_below(self.workspace.runs_folder, DEPTH))
        found = []
        for out in outs:
            folder = partial_of(out)
            if folder.is_dir() and not out.exists():
                running = holder(folder) is not None or at_work(folder)
                found.append(Waiting(out, folder, read_job(folder), read_process(folder), running))
        return found

    def queue(self) -> list[Waiting]:
        """What waits, the next one first."""
        waiting = [one for one in self.in_the_making() if one.queued]
        return sorted(waiting, key=lambda one: one.job.place if one.job else 0)

    def plan(self) -> Cores:
        """How the cores are shared now."""
        return self.sharing.plan(sum(one.running for one in self.in_the_making()))

    # --- asking --------------------------------------------------------------------------------

    def start(self, asked: JobRequest) -> Run:
        """Put a job into the queue. Blocks, since inputs are looked at first.

        raises  ApiError or UserError for what is wrong with it; 409 when the name is taken
        """
        found = wanted(self.workspace, asked)
        partial = partial_of(found.out)
        with full_disk(partial), self.alone(), taken():
            refuse_existing(found.out)
            if at_work(partial):
                raise taken_by(found.name)
            with held(partial, found.out):
                job = read_job(partial)
                if job is not None and waits(job, read_process(partial)):
                    raise taken_by(found.name)
                if has_checkpoints(partial) and not asked.restart:
                    raise UserError(
                        "{name} was begun and stopped; it has checkpoints",
                        fix="resume it, or send restart = true to delete them and begin anew", name=found.name,
                    )  # fmt: skip
                empty(partial, keep=("lock",))
                self.put(found, attempt=1)
        self._wake.set()
        return self.find(found.name)

    def resume(self, name: str, asked: ResumeRequest) -> Run:
        """Put a job that was stopped, or failed, into the queue again; it goes on from its last checkpoint.

        raises  ApiError 409 when it is not stopped; UserError for settings it cannot go on with
        """
        self.refuse_unless(self.find(name), "stopped", "failed")
        found = resumed(self.workspace, name, asked.settings)
        partial = partial_of(found.out)
        with self.alone():
            self.refuse_unless(self.find(name), "stopped", "failed")
            with taken(), held(partial, found.out):
                before = read_process(partial)
                self.put(found, attempt=before.attempt + 1 if before is not None else 1)
        self._wake.set()
        return self.find(name)

    def put(self, found: Wanted, attempt: int) -> None:
        """Write a job at the end of the queue."""
        partial = partial_of(found.out)
        place = max((one.job.place for one in self.queue() if one.job), default=0) + 1
        (partial / "run").mkdir(exist_ok=True)
        if not has_checkpoints(partial):
            write_whole(partial / "run/request.json", found.prepared.request.model_dump_json(indent=2).encode() + b"\n")
        write_record(
            partial,
            JobRecord(attempt=attempt, words=found.words, settings=found.settings, place=place, asked=time.time()),
        )

    def cancel(self, name: str) -> Run:
        """Take a job out of the queue, or ask it to save and stop; what does not stop in time is ended.

        A run that a person began is asked as `langwright runs stop` asks it, and is not ended.

        raises  ApiError 409 when it neither waits nor runs
        """
        with self.alone():
            run = self.find(name)
            self.refuse_unless(run, "queued", "running")
            job = read_job(run.folder)
            if run.status == "queued" and job is not None:
                write_record(run.folder, job.model_copy(update={"withdrawn": True}))
            elif job is not None and at_work(run.folder):
                if job.cancelled is None:
                    signalled(run.folder, job, signal.SIGTERM)
                    with suppress(FileNotFoundError):  # it has just finished
                        write_record(
                            run.folder, job.model_copy(update={"cancelled": time.time(), "patience": time.monotonic()})
                        )
            elif run.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(run.pid, signal.SIGTERM)
        return self.find(name)

    def delete(self, name: str) -> None:
        """Delete what a run left, or the artifact it made.

        raises  ApiError 409 while it waits or runs, or is an input of what does
        """
        with self.alone():
            run = self.find(name)
            self.refuse_unless(run, "stopped", "failed", "finished")
            user = self.user_of(run.out)
            if user is not None:
                raise in_use(name, user)
            if run.folder.is_symlink():
                raise UserError("{name} is a link to somewhere else", fix="remove the link by hand", name=name)
            if run.status == "finished":
                remove(run.folder)
            else:
                with taken(), held(run.folder, run.out):
                    remove(run.folder)

    def user_of(self, path: Path) -> str | None:
        """The name of a job that waits or runs and has this among its inputs."""
        searched = path.resolve()
        for one in self.in_the_making():
            request = read_request(one.folder) if one.running or one.queued else None
            for origin in request.inputs if request is not None else ():
                if searched == (self.workspace.folder / origin.path).resolve():
                    return self.workspace.name_of(one.out)
        return None

    def refuse_unless(self, run: Run, *statuses: str) -> None:
        """ApiError 409 when a run is in none of these states."""
        if run.status not in statuses:
            raise ApiError(
                UserError(
                    "{name} is {status}", fix="this can be done to what is {statuses}", name=run.name, status=Term(run.status),
                    statuses=", ".join(statuses),
                ), status=409, param="name",
            )  # fmt: skip

    # --- the queue -----------------------------------------------------------------------------

    def open(self) -> None:
        """Begin to look after the queue, in a thread; what a removal that was broken off left goes first."""
        for left in self.workspace.runs_folder.glob(f".*{REMOVED}"):
            shutil.rmtree(left, ignore_errors=True)
        self._thread = threading.Thread(target=self._look_after, name="jobs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking; jobs go on without the server."""
        self._closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(10)

    def _look_after(self) -> None:
        while not self._closed:
            try:
                self.look()
            except Exception:
                log.exception("the queue of jobs could not be looked after")
            self._wake.wait(EVERY_S)
            self._wake.clear()

    def look(self) -> None:
        """Begin what may begin, end what did not stop in time, and share the cores."""
        making = self.in_the_making()
        overdue = [one for one in making if self.overdue(one)]
        if overdue or any(one.queued for one in making):
            with self.alone():
                for one in overdue:
                    self.end(one)
                running = sum(one.running for one in self.in_the_making())
                for one in self.queue()[: max(0, self.sharing.jobs - running)]:
                    self.begin(one)
        self._threads.tell(self.plan().engine_threads)

    def overdue(self, one: Waiting) -> bool:
        """Whether a job was asked to stop and has not in time."""
        job = one.job
        asked = None if job is None or job.killed is not None else job.patience
        return one.running and asked is not None and time.monotonic() - asked > self.stop_s and at_work(one.folder)

    def end(self, one: Waiting) -> None:
        """End a job at once; its last whole checkpoint stays."""
        job = read_job(one.folder)
        if job is not None and at_work(one.folder):
            write_record(one.folder, job.model_copy(update={"killed": time.time()}))
            signalled(one.folder, job, signal.SIGKILL)

    def begin(self, one: Waiting) -> None:
        """Start the process group of a job's next attempt."""
        assert one.job is not None
        root = self.workspace.folder.absolute()
        partial, out = one.folder.absolute(), one.out.absolute()
        words = [str(partial), str(out), str(one.job.attempt), *one.job.words]
        environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
        environment["OMP_NUM_THREADS"] = str(self.sharing.each)
        with (partial / OUTPUT).open("a") as output:
            if not locked(output):
                return  # something of an earlier attempt still leaves
            began = time.time()
            try:
                child = subprocess.Popen(
                    [sys.executable, "-m", MINDER, *words], cwd=root, env=environment, stdin=subprocess.DEVNULL,
                    stdout=output, stderr=output, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                failed = ProcessRecord(
                    attempt=one.job.attempt, group=0, began=began, ended=began, code=127, problem=str(error)
                )
                write_record(partial, failed)
                return
        threading.Thread(target=child.wait, name="job", daemon=True).start()  # so that it is not left as a zombie
        log.info("job %s began", one.out.name)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else changes jobs of this workspace meanwhile."""
        folder = self.workspace.folder / ".langwright"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "jobs.lock").open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def signalled(folder: Path, job: JobRecord, number: signal.Signals) -> None:
    """Send a signal to a job's process group, once it has said which that is."""
    deadline = time.monotonic() + FIRST_WORD_S
    process = read_process(folder)
    while (process is None or process.attempt < job.attempt) and time.monotonic() < deadline and at_work(folder):
        time.sleep(0.05)
        process = read_process(folder)
    if process is not None and process.attempt == job.attempt and process.group > 1:
        with suppress(ProcessLookupError):
            os.killpg(process.group, number)


@contextmanager
def taken() -> Iterator[None]:
    """Say with 409 that something of a name is in the way."""
    try:
        yield
    except UserError as error:
        raise ApiError(error, status=409, param="name") from None


def taken_by(name: str) -> UserError:
    """A job of this name waits or runs."""
    return UserError(
        "a job called {name} waits or runs already", fix="cancel it first, or take another name", name=name
    )


def in_use(name: str, user: str) -> ApiError:
    """Something cannot go while a job needs it."""
    return ApiError(
        UserError("{name} is an input of {user}, which waits or runs", fix="cancel that first, or wait for it", name=name, user=user),
        status=409, param="name",
    )  # fmt: skip


def remove(folder: Path) -> None:
    """Remove a folder: it is gone from its place at once, and never half there."""
    aside = folder.with_name(f".{folder.name}{REMOVED}")
    shutil.rmtree(aside, ignore_errors=True)
    folder.replace(aside)
    shutil.rmtree(aside)
