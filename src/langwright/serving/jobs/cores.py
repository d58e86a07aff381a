"""How the cores are shared between what the server answers and what trains beside it: a plan that anyone can see."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from pydantic import BaseModel

log = logging.getLogger("langwright.serving")


class Cores(BaseModel):
    """The plan in force."""

    cores: int  # that this server may use
    running: int  # jobs at work
    jobs: int  # most of them at once
    job_threads: int  # that each job computes with
    engine_threads: int  # that each model which is served computes with now
    engine_threads_alone: int  # and when no job runs


@dataclass(frozen=True)
class Sharing:
    """What the plan is made from.

    cores        that may be used
    jobs         most jobs at once
    job_threads  threads of each; 0 gives the jobs half of the cores together
    """

    cores: int
    jobs: int = 1
    job_threads: int = 0

    @property
    def each(self) -> int:
        """Threads of each job."""
        return self.job_threads or max(1, self.cores // 2 // self.jobs)

    def plan(self, running: int) -> Cores:
        """The plan while so many jobs run: the models that are served get what these leave, one thread at least."""
        left = max(1, self.cores - running * self.each)
        return Cores(
            cores=self.cores, running=running, jobs=self.jobs, job_threads=self.each, engine_threads=left,
            engine_threads_alone=self.cores,
        )  # fmt: skip


class Threads:
    """Has whatever computes do so with as many threads as the plan says."""

    def __init__(self, engines: Callable[[], Iterable[Any]], alone: int) -> None:
        """engines: those that are open now, and all else that can be told; alone: the threads they began with."""
        self._engines = engines
        self._alone = alone
        self._shared = False  # until a job has run, they are left as they began
        self._told: WeakKeyDictionary[Any, int] = WeakKeyDictionary()

    def tell(self, threads: int) -> None:
        """Have all that can be told compute with so many threads from its next step on."""
        self._shared = self._shared or threads != self._alone
        for engine in self._engines() if self._shared else ():
            if hasattr(engine, "compute_with") and self._told.get(engine) != threads:
                try:
                    engine.compute_with(threads)
                except RuntimeError as error:  # it is closed, or its thread has died
                    log.warning("an engine was not told to compute with %d threads: %s", threads, error)
                self._told[engine] = threads
