"""What watching costs: a request with its counters and its line in the log, a token, the page of counters, a window of drift.

    python -m benchmarks.monitoring [--rounds 5] [--requests 20000] [--out report.json]

Each figure is processor time of this process, the median of the rounds with the lowest and the highest. What watching
adds to a request is the difference between an application that answers at once with and without it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from langwright.inference.fake import letters, parrot
from langwright.measures import Measure, write_report
from langwright.serving.monitoring.drift import Drift
from langwright.serving.monitoring.lines import Lines
from langwright.serving.monitoring.meters import Meters
from langwright.serving.monitoring.settings import DriftSettings, MonitoringSettings
from langwright.serving.monitoring.watch import Watch
from langwright.tasks.front.model import Model

COMMAND = "python -m benchmarks.monitoring"
WINDOW, REFERENCE = 200, 1000


async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers at once."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x"})


async def received() -> Message:
    return {"type": "http.request", "body": b""}


async def sent(message: Message) -> None:
    return None


def answering(app: ASGIApp, requests: int) -> float:
    """Microseconds of processor time a request."""

    async def all_of_them() -> None:
        for _ in range(requests):
            await app({"type": "http", "method": "POST", "path": "/", "headers": []}, received, sent)

    return timed(lambda: asyncio.run(all_of_them())) * 1e6 / requests


def timed(work: Callable[[], object]) -> float:
    """Seconds of processor time."""
    began = time.process_time()
    work()
    return time.process_time() - began


def watching(requests: int, log: str) -> float:
    """Microseconds that watching adds to a request."""
    meters = Meters()
    lines = Lines(MonitoringSettings(log=log), meters.dropped.inc)
    lines.open()
    watched = answering(Watch(plain, meters, lines), requests)
    lines.close()
    return watched - answering(plain, requests)


def writing(tokens: int) -> float:
    """Microseconds that counting adds to a token."""
    one = Meters().writing("m", 10, 0.0)
    return timed(lambda: [one.wrote(1, at * 0.01) for at in range(1, tokens + 1)]) * 1e6 / tokens


def page() -> float:
    """Milliseconds to write the page of counters, with 10 models and 20 routes."""
    meters = Meters()
    for number in range(10):
        meters.writing(f"m{number}", 1, 0.0).wrote(2, 0.1)
    for number in range(20):
        meters.answered("POST", f"/{number}", 200, 0.1, False)
    return timed(meters.page) * 1e3


def drifting(draw: random.Random) -> float:
    """Milliseconds to look at a window."""
    model = Model("m", None, text=parrot("m"))
    drift = Drift(DriftSettings(window=WINDOW, reference=REFERENCE, pause_s=0.0), {"m": model}.get)
    for _ in range(2):
        for _ in range(REFERENCE):
            text = " ".join(draw.choices(["the", "river", "春天", "city"], k=draw.randint(5, 60)))
            drift.saw("m", letters()(text)["input_ids"])
        spent = timed(lambda: drift.look(0.0, 0.0))
    return spent * 1e3


def measure(name: str, values: list[float], unit: str, method: str) -> Measure:
    """The median of the rounds, with the lowest and the highest."""
    return Measure(
        name=name, value=statistics.median(values), low=min(values), high=max(values), n=len(values), unit=unit,
        better="lower", method=f"{method}; median of {len(values)} rounds, from the lowest to the highest",
        command=COMMAND, does_not_show="other processors, a disk that is slow",
    )  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        log = str(Path(folder) / "requests.log")
        rounds = range(asked.rounds)
        found = [
            measure("watching a request", [watching(asked.requests, "") for _ in rounds], "µs", "counters, no log"),
            measure("watching a request, with its line", [watching(asked.requests, log) for _ in rounds], "µs", "counters and a log file"),
            measure("counting a token", [writing(asked.requests) for _ in rounds], "µs", "one token at a time"),
            measure("page of counters", [page() for _ in rounds], "ms", "10 models, 20 routes"),
            measure("window of drift", [drifting(draw) for _ in rounds], "ms", f"{WINDOW} texts beside {REFERENCE}, no vectors"),
        ]  # fmt: skip
    for one in found:
        print(f"{one.name:<36} {one.value:8.1f} {one.unit}  [{one.low:.1f}, {one.high:.1f}]")
    if asked.out is not None:
        write_report(asked.out, found)


if __name__ == "__main__":
    main()
