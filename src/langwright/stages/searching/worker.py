"""A process that carries out stages one after another, as it is told on standard input.

    python -m langwright.stages.searching.worker

One order a line, one answer a line. It ends with whoever gives the orders, even if that is killed: standard input
is read all the while, and its end is the end of the process. SIGTERM stops the order at hand, not the process.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from langwright.errors import UserError


class Order(BaseModel):
    """A stage to carry out."""

    model_config = ConfigDict(frozen=True)

    stage: str
    inputs: dict[str, tuple[str, ...]]  # role -> paths
    settings: dict[str, JsonValue]
    out: Path
    cache: Path


class Answer(BaseModel):
    """What came of an order."""

    model_config = ConfigDict(frozen=True)

    end: Literal["made", "stopped", "failed"]
    problem: str = ""


def carry(order: Order) -> Answer:
    """Carry out an order; one whose output is there was carried out before."""
    from langwright.stages.execution import terminable

    if order.out.exists():
        return Answer(end="made")
    try:
        with terminable():
            make(order)
    except KeyboardInterrupt:
        return Answer(end="stopped")
    except UserError as error:
        return Answer(end="failed", problem=error.problem())
    return Answer(end="made")


def make(order: Order) -> None:
    """The work itself."""
    from langwright.settings import validate
    from langwright.stages import STAGES
    from langwright.stages.execution import carry_out, prepare

    stage = STAGES[order.stage]
    prepared = prepare(stage, order.inputs, validate(stage.settings, order.settings))
    carry_out(prepared, order.out, cache=order.cache)


def main() -> None:
    """Answer orders until there are no more."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # between two orders there is nothing to stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    orders: queue.SimpleQueue[Order] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            orders.put(Order.model_validate_json(line))
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        print(carry(orders.get()).model_dump_json(), file=answers, flush=True)


if __name__ == "__main__":
    main()
