"""The thread that owns the model: who waits, who runs, what else is to be done between two steps."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from langwright.errors import UserError
from langwright.inference.guessing.speculation import Guessed, Guesser
from langwright.inference.limits import QueueFull
from langwright.inference.occupied import Occupied
from langwright.inference.running.packed import PREFIX_BYTES, PackedRunner
from langwright.inference.running.rows import Row
from langwright.inference.running.streams import EngineDied
from langwright.inference.running.subject import Subject
from langwright.inference.running.tiers import Runner, Tier, TierName, find_tier, fitted, runner_for
from langwright.inference.running.waiting import WaitingLine
from langwright.inference.scoring.shared import SharedScores


@dataclass(frozen=True)
class Job:
    """Something the worker does between two steps."""

    work: Callable[[], Any]
    alone: bool = False  # only when nothing runs; nobody is admitted before it


class Worker:
    """Holds no reference to the engine, so that an engine nobody uses is closed."""

    def __init__(
        self,
        subject: Subject,
        max_batch: int,
        max_tokens: int | None,
        best: TierName = "packed",
        max_waiting: int | None = None,
        prefix_bytes: int = PREFIX_BYTES,
        guesser: Callable[[int], Guesser | None] = lambda max_rows: None,
    ) -> None:
        """best: the first tier that may be tried; guesser: who guesses for so many rows; the others as in `TorchEngine`."""
        self._guesser = guesser
        self.max_batch = max_batch
        self.thread: threading.Thread | None = None
        self._max_tokens_wish = max_tokens
        self._best: TierName = best
        self._max_waiting = max_waiting
        self._prefix_bytes = prefix_bytes
        self.died: BaseException | None = None  # what ended the thread, where that was not `close`
        self._line: WaitingLine[Row] = WaitingLine()
        self._back: deque[Row] = deque()  # those that gave back their places, before everyone in the line
        self._jobs: deque[tuple[Job, Future[Any]]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._runner: Runner | None = None  # made with the first request
        self.max_tokens = self._checked_max_tokens(subject)
        self.subject = subject
        self.tier = self._made_ready(subject)

    # --- called from any thread ----------------------------------------------------------------

    def add(self, row: Row) -> None:
        """Let a request wait for its place."""
        with self._changed:
            self._refuse_closed()
            if self._max_waiting is not None and len(self._line) >= self._max_waiting:
                raise QueueFull(len(self._line))
            self._line.add(row, row.request.priority)
            self._changed.notify()

    def do(self, job: Job) -> Future[Any]:
        """Have something done between two steps."""
        future: Future[Any] = Future()
        with self._changed:
            self._refuse_closed()
            self._jobs.append((job, future))
            self._changed.notify()
        return future

    def wake(self) -> None:
        """Have a look: a stream was cancelled."""
        with self._changed:
            self._changed.notify()

    def close(self) -> None:
        """Stop after the step in progress, and wait for that."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self.thread is not None and self.thread is not threading.current_thread():
            self.thread.join()

    def _refuse_closed(self) -> None:
        if self.died is not None:
            raise EngineDied("the engine's thread has died") from self.died
        if self._closed:
            raise RuntimeError("the engine is closed")

    def occupied(self) -> Occupied:
        """How busy it is; read without stopping anything."""
        runner = self._runner
        waiting = len(self._line) + len(self._back)
        if runner is None:
            return Occupied(0, waiting, 0, self.max_tokens)
        kept = (len(runner.store), runner.store.most) if isinstance(runner, PackedRunner) else (0, 0)
        return Occupied(len(runner.rows), waiting, runner.used, runner.max_tokens, *kept)

    @property
    def guessed(self) -> Guessed:
        """Of the rows that ran with the model there is."""
        runner = self._runner
        return runner.guessed if isinstance(runner, PackedRunner) else Guessed()

    # --- what jobs do --------------------------------------------------------------------------

    def apply(self, work: Callable[[PreTrainedModel, list[Any]], list[Any]], rows: list[Any]) -> list[Any]:
        """Work on rows with the model there is."""
        return work(self.subject.model, rows)

    def advance(self, task: SharedScores) -> None:
        """One pass over rows to be scored whose beginnings are shared; only in the packed tier."""
        runner = self._ready()
        assert isinstance(runner, PackedRunner)
        task.advance(runner)

    def shares(self, task: SharedScores) -> bool:
        """Whether reading what rows share once saves anything: some begin alike, or like what was read before.

        Always where strict, for packed rows do not depend on each other as padded ones do.
        """
        if self.tier is None or self.tier.name != "packed":
            return False
        if self.subject.preparation.strict or not self._prefix_bytes:
            return self.subject.preparation.strict
        runner = self._runner
        known = isinstance(runner, PackedRunner) and any(runner.store.known(row.names[:1]) for row in task.rows)
        return known or task.shared

    def adopt(self, subject: Subject) -> None:
        """Go on with another model, or with the same one as it is now."""
        if subject.model is self.subject.model:
            with self.subject.turns:
                self.subject.renew()
        else:
            self.max_tokens = self._checked_max_tokens(subject)
            with self.subject.turns:
                self.subject.release()
            self.subject = subject
        self._runner = None
        self.tier = self._made_ready(self.subject)

    def _made_ready(self, subject: Subject) -> Tier | None:
        """How this model's rows run, found out in the numbers it comes in; None for a model that does not write."""
        with subject.turns:
            subject.check()
            known, tier = subject.custody.tiers, None
            if subject.unable is None:
                tier = known[self._best] = known.get(self._best) or find_tier(subject.model, self._best)
            subject.begin()
            return None if tier is None else fitted(tier, subject.model, subject.preparation.strict)

    def _checked_max_tokens(self, subject: Subject) -> int:
        wish = self._max_tokens_wish
        if wish is not None and wish < subject.positions:
            raise UserError(
                "max_tokens is {max_tokens}, and one request may take the model's whole context of {context}",
                fix="give at least {context}, or a smaller context",
                max_tokens=wish,
                context=subject.positions,
            )
        return self.max_batch * subject.positions if wish is None else wish

    # --- the thread ----------------------------------------------------------------------------

    def run(self) -> None:
        """Until closed: wait for work, do one job, let waiting requests join, make one step."""
        try:
            with torch.inference_mode():
                while self._wait():
                    self._turn()
        except BaseException as error:
            self.died = error
            raise
        finally:  # whatever happens here, nobody is left waiting
            self._end_all()

    def _turn(self) -> None:
        admitted: Sequence[Row] = ()
        try:
            self._do_one_job()
            admitted = self._next_rows()
            with self.subject.turns:
                for row in admitted:
                    row.begin(self.subject.model)
                admitted = [row for row in admitted if not row.ended]
                if admitted:
                    self._ready().admit(admitted)
                if self._runner is not None:
                    self._runner.drop_ended()
                    if self._runner.rows:
                        self._back.extend(self._runner.step())
        except BaseException as error:  # reaches everyone who waits; the next request begins afresh
            with self._changed:
                waiting = self._everyone_waiting()
            for row in (*admitted, *waiting):
                row.fail(error)
            if self._runner is not None:
                self._runner.fail(error)

    def _wait(self) -> bool:
        """Sleep until there is something to do; False when the engine is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._jobs or len(self._line) or self._begun)
            return not self._closed

    @property
    def _begun(self) -> int:
        """Requests that the model has begun with."""
        return len(self._back) + (len(self._runner.rows) if self._runner is not None else 0)

    def _ready(self) -> Runner:
        if self._runner is None:
            assert self.tier is not None  # a model that does not write was refused before
            subject = self.subject
            self._runner = runner_for(
                self.tier,
                subject.model,
                subject.context,
                self.max_batch,
                self.max_tokens,
                self._prefix_bytes,
                subject.preparation.strict,
                self._guesser(self.max_batch),
            )
        return self._runner

    def _do_one_job(self) -> None:
        with self._changed:
            if not self._jobs or (self._jobs[0][0].alone and self._begun):
                return
            job, future = self._jobs.popleft()
        if not future.set_running_or_notify_cancel():
            return
        try:
            with nullcontext() if job.alone else self.subject.turns:  # who exchanges models takes turns of several
                future.set_result(job.work())
        except BaseException as error:  # the one who asked gets it
            future.set_exception(error)

    def _next_rows(self) -> list[Row]:
        """Those who join now: first who gave back a place, then the line; as many as there are places for."""
        now = time.monotonic()
        rows: list[Row] = []
        with self._changed:
            self._line.sweep(lambda row: row.expire(now))
            self._back = deque(row for row in self._back if not row.expire(now))
            while self._back and self._ready().fits(self._back[0], rows):
                rows.append(self._back.popleft())
            if self._back or any(job.alone for job, _ in self._jobs):
                return rows
            while (row := self._line.first()) is not None:
                if not row.settle(self.subject.context):
                    self._line.take()
                    continue
                twin = next((one for one in (*self._ready().rows, *rows) if one.asks_the_same(row)), None)
                if twin is not None and not twin.ended:
                    twin.join(self._line.take())
                    continue
                if not self._ready().fits(row, rows):
                    break
                rows.append(self._line.take())
        return rows

    def _everyone_waiting(self) -> list[Row]:
        """Take out those who wait."""
        waiting = [*self._back, *self._line.clear()]
        self._back.clear()
        return waiting

    def _end_all(self) -> None:
        with self._changed:
            self._closed = True
            waiting, jobs = self._everyone_waiting(), list(self._jobs)
            self._jobs.clear()
        for row in [*waiting, *(self._runner.rows if self._runner is not None else ())]:
            if self.died is None:
                row.finish("cancelled")
            else:
                row.fail(EngineDied("the engine's thread has died"))
        for _, future in jobs:
            if future.set_running_or_notify_cancel():
                future.set_exception(
                    RuntimeError("the engine is closed")
                    if self.died is None
                    else EngineDied("the engine's thread has died")
                )
        with self.subject.turns:
            self.subject.release()
        self._runner = None
