"""What watching costs, and how often drift is wrong where nothing changed.

Costs of a request with its counters and its line in the log, a token, the page of counters, a window of drift.

    python -m benchmarks.monitoring [--rounds 5] [--requests 20000] [--references 40] [--out report.json]

Each figure is processor time of this process, the median of the rounds with the lowest and the highest. What watching
adds to a request is the difference between an application that answers at once with and without it. False alarms are
counted over so many references with 50 windows each, of texts that are all drawn alike, at a stated share of 5 %.
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
from langwright.metrics.intervals import wilson
from langwright.serving.monitoring.drift import Drift
from langwright.serving.monitoring.lines import Lines
from langwright.serving.monitoring.meters import Meters
from langwright.serving.monitoring.settings import DriftSettings, MonitoringSettings
from langwright.serving.monitoring.watch import Watch
from langwright.tasks.front.model import Model

COMMAND = "python -m benchmarks.monitoring"
WINDOW, REFERENCE = 200, 1000
LOOKS, STATED = 50, 0.05
WORDS = ("the", "river", "bends", "before", "it", "reaches", "a", "town")
CHINESE = ("春天", "河流", "城市", "灯光")


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


def sentence(draw: random.Random) -> str:
    """One text: four in five are English, and their lengths tie often."""
    words = WORDS if draw.random() < 0.8 else CHINESE
    return " ".join(draw.choices(words, k=1 + int(draw.expovariate(0.1))))


def false_alarms(references: int, draw: random.Random) -> list[float]:
    """Of each reference the share of windows called changed though nothing has."""
    model, found = Model("m", None, text=parrot("m")), []
    for _ in range(references):
        settings = DriftSettings(window=WINDOW, reference=REFERENCE, pause_s=0.0, false_alarms=STATED)
        drift, wrong = Drift(settings, {"m": model}.get), 0
        for size in (REFERENCE, *[WINDOW] * LOOKS):
            for _ in range(size):
                drift.saw("m", sentence(draw))
            wrong += sum(bool(looked.changed) for _, looked in drift.look(0.0, 0.0))
        found.append(wrong / LOOKS)
    return found


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
    parser.add_argument("--references", type=int, default=40)
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
    shares = false_alarms(asked.references, draw)
    looks = len(shares) * LOOKS
    bounds = wilson(round(sum(shares) * LOOKS), looks)
    found.append(
        Measure(
            name="false alarms of drift", value=statistics.mean(shares), low=bounds.low, high=bounds.high, n=looks, unit="share",
            better="lower", command=COMMAND, does_not_show="requests of one person in a row, which are no independent sample",
            method=f"windows called changed where nothing has, at {STATED} stated; Wilson's interval; the worst of {len(shares)} references had {max(shares):.2f}",
        )
    )  # fmt: skip
    for one in found:
        print(f"{one.name:<36} {one.value:8.3f} {one.unit}  [{one.low:.3f}, {one.high:.3f}]  {one.method}")
    if asked.out is not None:
        write_report(asked.out, found)


if __name__ == "__main__":
    main()
