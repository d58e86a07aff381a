"""The thread that owns the model: who waits, who runs, what else is to be done between two steps."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from langwright.errors import UserError
from langwright.inference.batch import Batch, Row
from langwright.inference.subject import Subject
from langwright.inference.waiting import WaitingLine

PREFILL_POSITIONS = 4096  # prompt positions read between two steps of the running batch, padding included


@dataclass(frozen=True)
class Job:
    """Something the worker does between two steps."""

    work: Callable[[], Any]
    alone: bool = False  # only when nothing runs; nobody is admitted before it


class Worker:
    """Holds no reference to the engine, so that an engine nobody uses is closed."""

    def __init__(self, subject: Subject, max_batch: int, max_tokens: int | None) -> None:
        self.max_batch = max_batch
        self.thread: threading.Thread | None = None
        self._max_tokens_wish = max_tokens
        self._line: WaitingLine[Row] = WaitingLine()
        self._jobs: deque[tuple[Job, Future[Any]]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._batch: Batch | None = None  # made with the first request, since not every model can write
        self.max_tokens = self._checked_max_tokens(subject)
        self.subject = subject

    # --- called from any thread ----------------------------------------------------------------

    def add(self, row: Row) -> None:
        """Let a request wait for its place."""
        with self._changed:
            self._refuse_closed()
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
        if self._closed:
            raise RuntimeError("the engine is closed")

    # --- what jobs do --------------------------------------------------------------------------

    def apply(self, work: Callable[[PreTrainedModel, list[Any]], list[Any]], rows: list[Any]) -> list[Any]:
        """Work on rows with the model there is."""
        return work(self.subject.model, rows)

    def adopt(self, subject: Subject) -> None:
        """Go on with another model, or with the same one as it is now."""
        self._batch = None
        if subject.model is self.subject.model:
            return
        self.max_tokens = self._checked_max_tokens(subject)
        self.subject.release()
        self.subject = subject

    def _checked_max_tokens(self, subject: Subject) -> int:
        wish = self._max_tokens_wish
        if wish is not None and wish < subject.context:
            raise UserError(
                "max_tokens is {max_tokens}, and one request may take the model's whole context of {context}",
                fix="give at least {context}, or a smaller context",
                max_tokens=wish,
                context=subject.context,
            )
        return self.max_batch * subject.context if wish is None else wish

    # --- the thread ----------------------------------------------------------------------------

    def run(self) -> None:
        """Until closed: wait for work, do one job, let waiting requests join, make one step."""
        try:
            with torch.inference_mode():
                while self._wait():
                    self._turn()
        finally:  # whatever happens here, nobody is left waiting
            self._end_all()

    def _turn(self) -> None:
        admitted: Sequence[Row] = ()
        try:
            self._do_one_job()
            admitted = self._next_rows()
            if admitted:
                self._ready().admit(admitted)
            if self._batch is not None:
                self._batch.drop_ended()
                if self._batch.rows:
                    self._batch.step()
        except BaseException as error:  # reaches everyone who waits; the next request begins afresh
            with self._changed:
                waiting = self._line.clear()
            for row in (*admitted, *waiting):
                row.stream.fail(error)
            if self._batch is not None:
                self._batch.fail(error)

    def _wait(self) -> bool:
        """Sleep until there is something to do; False when the engine is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._jobs or len(self._line) or self._running)
            return not self._closed

    @property
    def _running(self) -> int:
        return len(self._batch.rows) if self._batch is not None else 0

    def _ready(self) -> Batch:
        if self._batch is None:
            self._batch = Batch(self.subject.model, self.max_batch)
        return self._batch

    def _do_one_job(self) -> None:
        with self._changed:
            if not self._jobs or (self._jobs[0][0].alone and self._running):
                return
            job, future = self._jobs.popleft()
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(job.work())
        except BaseException as error:  # the one who asked gets it
            future.set_exception(error)

    def _next_rows(self) -> list[Row]:
        """Those who join now: as many as there are places for, and prompts for one prefill."""
        now = time.monotonic()
        rows: list[Row] = []
        with self._changed:
            self._line.sweep(lambda row: row.expire(now))
            if any(job.alone for job, _ in self._jobs):
                return rows
            while (row := self._line.first()) is not None:
                if not row.settle(self.subject.context):
                    self._line.take()
                    continue
                longest = max([row.length, *(other.length for other in rows)])
                too_much = bool(rows) and (len(rows) + 1) * longest > PREFILL_POSITIONS
                if too_much or not self._ready().fits(row, rows, self.max_tokens):
                    break
                rows.append(self._line.take())
        return rows

    def _end_all(self) -> None:
        with self._changed:
            self._closed = True
            waiting, jobs = self._line.clear(), list(self._jobs)
            self._jobs.clear()
        for row in [*waiting, *(self._batch.rows if self._batch is not None else ())]:
            row.stream.finish("cancelled")
        for _, future in jobs:
            if future.set_running_or_notify_cancel():
                future.set_exception(RuntimeError("the engine is closed"))
        self.subject.release()
        self._batch = None
