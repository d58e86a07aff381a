"""Hundreds of streams at once for minutes: does each end whole, does memory stay, and who is turned away?

    python -m benchmarks.crowd [--streams 200] [--minutes 5] [--bound 256] [--small-bound 16] [--shape 8M] [--out report.json]

So many callers ask a server of a model with random weights for a stream, and for the next one when it has ended. With
the larger bound every answer is to be 200 and whole; with the smaller one, for a tenth of the time, every other answer
429 with Retry-After, which the callers keep to. The memory is that of the server's process, the median of the last ten
seconds of a minute. Callers and server share the machine. What does not hold is said, and ends with 1.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from benchmarks.engine.shapes import SHAPES, make, prompts
from benchmarks.serving import ours
from benchmarks.streams import Heard, heard, request_of

from langwright.measures import Measure, write_report

COMMAND = "python -m benchmarks.crowd"
NOT_SHOWN = "more than one machine, long prompts, trained weights; callers and server share the processor here"
GROWTH = 0.05  # most that memory may grow from the end of the first minute to the end


@dataclass
class Seen:
    """What callers met, and the server's memory second by second."""

    answers: list[Heard] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)  # (seconds from the beginning, bytes)
    took: float = 0.0

    def at(self, second: float) -> float:
        """Bytes over the ten seconds before."""
        return statistics.median(size for when, size in self.memory if second - 10 <= when <= second)

    @property
    def statuses(self) -> Counter[int]:
        """How many answers had which status."""
        return Counter(one.status for one in self.answers)


async def crowd(url: str, server: psutil.Process, requests: Sequence[bytes], seconds: float) -> Seen:
    """One caller a request, who asks it again and again; those that are open at the end are read to theirs."""
    host, _, port = url.removeprefix("http://").partition(":")
    seen, began = Seen(), time.perf_counter()

    async def caller(request: bytes) -> None:
        while time.perf_counter() - began < seconds:
            try:
                one = await heard(host, int(port), request)
            except (OSError, asyncio.IncompleteReadError) as error:
                seen.broken.append(f"{type(error).__name__}: {error}")
                continue
            seen.answers.append(one)
            if one.status != 200:
                await asyncio.sleep(float(one.headers.get("retry-after", 1)))

    async def weigh() -> None:
        while True:
            seen.memory.append((time.perf_counter() - began, server.memory_info().rss))
            await asyncio.sleep(1)

    weighing = asyncio.create_task(weigh())
    await asyncio.gather(*(caller(request) for request in requests))
    weighing.cancel()
    seen.took = time.perf_counter() - began
    return seen


def problems(seen: Seen, bound: int, streams: int, minutes: float) -> list[str]:
    """What does not hold."""
    found = [f"{len(seen.broken)} connections broke: {seen.broken[0]}"] if seen.broken else []
    whole = [one for one in seen.answers if one.status == 200]
    if cut := sum(not one.whole for one in whole):
        found.append(f"{cut} of {len(whole)} streams did not end whole")
    if not whole:
        found.append("no stream was answered")
    allowed = {200} if bound >= streams else {200, 429}
    if strange := {status: count for status, count in seen.statuses.items() if status not in allowed}:
        found.append(f"answers with other statuses: {strange}")
    if mute := sum(one.status == 429 and "retry-after" not in one.headers for one in seen.answers):
        found.append(f"{mute} answers 429 without Retry-After")
    if minutes >= 2 and bound >= streams and (grown := growth(seen, minutes)) > GROWTH:
        found.append(f"memory grew by {grown:.1%}")
    return found


def growth(seen: Seen, minutes: float) -> float:
    """By what share memory changed from the end of the first minute to the end of the last."""
    return seen.at(60 * minutes) / seen.at(60) - 1


def measures_of(seen: Seen, bound: int, streams: int, minutes: float, on: str) -> list[Measure]:
    """What was met with this bound."""
    firsts = sorted(one.first for one in seen.answers if one.status == 200 and one.first is not None)
    whole = sum(one.whole for one in seen.answers)
    values: list[tuple[str, float, str, str]] = [
        ("streams that ended whole", whole, "streams", "higher"),
        ("streams that did not", seen.statuses[200] - whole + len(seen.broken), "streams", "lower"),
        ("answers 429", seen.statuses[429], "answers", "lower"),
        ("tokens a second", sum(one.tokens for one in seen.answers if one.status == 200) / seen.took, "tokens/s", "higher"),
        ("median to the first token", statistics.median(firsts), "s", "lower"),
        ("p99 to the first token", firsts[int(0.99 * (len(firsts) - 1))], "s", "lower"),
        ("memory at the end", seen.memory[-1][1] / 1e6, "MB", "lower"),
    ]  # fmt: skip
    if minutes >= 2 and bound >= streams:
        values += [
            ("memory at minute 1", seen.at(60) / 1e6, "MB", "lower"),
            (f"growth of memory from minute 1 to {minutes:g}", growth(seen, minutes), "share", "lower"),
        ]
    return [
        Measure.model_validate(
            {
                "name": f"{name}, bound {bound}", "value": value, "unit": unit, "better": better, "model": on,
                "n": len(seen.answers), "command": COMMAND, "does_not_show": NOT_SHOWN,
                "method": f"{streams} callers, who ask again when answered, for {seen.took:.0f} s",
            }
        )
        for name, value, unit, better in values
    ]  # fmt: skip


def main() -> int:
    """Measure both bounds, print, and write a report where one is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--bound", type=int, default=256)
    parser.add_argument("--small-bound", type=int, default=16)
    parser.add_argument("--shape", choices=SHAPES, default="8M")
    parser.add_argument("--prompt", type=int, default=32, help="tokens")
    parser.add_argument("--tokens", type=int, default=64, help="new ones, of each stream")
    parser.add_argument("--at-once", type=int, default=32, help="that the engine writes side by side")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    measures, wrong = [], []
    with tempfile.TemporaryDirectory() as folder:
        make(given.shape, Path(folder))
        about = {"model": "model", "max_tokens": given.tokens, "temperature": 0, "stream": True, "stream_options": {"include_usage": True}}  # fmt: skip
        texts = [" ".join(f"t{id}" for id in one) for one in prompts(given.shape, given.streams, given.prompt)]
        requests = [request_of("127.0.0.1", {**about, "prompt": text}) for text in texts]
        for bound, minutes in ((given.bound, given.minutes), (given.small_bound, given.minutes / 10)):
            with ours(folder, given.at_once, bound) as (url, server):
                seen = asyncio.run(crowd(url, server, requests, 60 * minutes))
            on = f"Llama shape {given.shape}, random weights, {given.prompt} tokens read, {given.tokens} written"
            wrong += [f"bound {bound}: {one}" for one in problems(seen, bound, given.streams, minutes)]
            measures += measures_of(seen, bound, given.streams, minutes, on)
    for measure in measures:
        print(f"{measure.name:<50} {measure.value:12.3f} {measure.unit}")
    for one in wrong:
        print(f"does not hold: {one}")
    if given.out:
        write_report(given.out, tuple(measures))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
