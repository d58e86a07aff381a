"""A stage that is quick: its run is a curve which its settings decide, written as events like those of a real one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from langwright.artifacts import partial_of
from langwright.runlog import Evaluated, RunLog, Stepped, read_events
from langwright.stages.searching.worker import Answer, Order

STEPS = 5


class Killed(BaseException):
    """Stands for kill -9: nothing of ours runs after it."""


def loss_at(settings, step):
    """Lowest at a learning rate of 1e-3, falling over the run; SGD is always behind."""
    away = abs(math.log10(settings["learning_rate"]) + 3)
    return 0.1 + away + 1 / step + (5.0 if settings["optimizer"]["kind"] == "sgd" else 0.0)


@dataclass
class Fake:
    """A runner that makes one step each time it is asked for its answer.

    fails      numbers of orders (by name of their output) that fail
    dies_after answers asked for, after which the process is gone
    """

    fails: frozenset[str] = frozenset()
    dies_after: int | None = None
    orders: list[Order] = field(default_factory=list)
    stopping: bool = False
    asked: int = 0

    def give(self, order):
        self.orders.append(order)
        self.stopping = False

    def answer(self):
        self.asked += 1
        if self.dies_after is not None and self.asked > self.dies_after:
            raise Killed
        order = self.orders[-1]
        if order.out.exists():
            return Answer(end="made")
        if self.stopping:
            return Answer(end="stopped")
        run = partial_of(order.out) / "run"
        run.mkdir(parents=True, exist_ok=True)
        if order.out.name in self.fails:
            return Answer(end="failed", problem="it blew up")
        step = 1 + sum(isinstance(event, Evaluated) for event in read_events(run / "events.jsonl"))
        log = RunLog(run / "events.jsonl")
        log.write(Stepped(step=step, steps=STEPS, loss=1.0, learning_rate=0.1, gradient_norm=1.0, units=1, tokens=1, useful=1.0, tokens_per_second=1.0, seconds=0.1))  # fmt: skip
        log.write(Evaluated(step=step, values={"loss": loss_at(order.settings, step)}))
        log.close()
        if step < STEPS:
            return None
        partial_of(order.out).rename(order.out)
        return Answer(end="made")

    def stop(self):
        self.stopping = True

    def close(self):
        pass
