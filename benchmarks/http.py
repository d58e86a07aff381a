"""What HTTP adds to the engine: to one request at a time, and at 32 streams, against the same engine asked directly.

    python -m benchmarks.http [--rounds 5] [--requests 100] [--tokens 32] [--pause 5] [--preset mini] [--out report.json]

The engine is a parrot, which waits --pause ms before each token as if a model computed, or with --preset a model of
random weights. Asked directly, it is read by one thread a stream, as the server reads it; over HTTP it runs in a
process of its own and is read from plain sockets that stay open, so that what is measured is the server and not a
client library. In each round one is asked and then the other. A time is that of the first token, of the whole answer,
or between two tokens; what HTTP adds is the difference of the two medians, and of the two 99th percentiles, of a round.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import psutil
from benchmarks.serving import ours

from langwright.inference.fake import letters, parrot
from langwright.inference.protocol import Sampling
from langwright.inference.texts.text import TextModel
from langwright.measures import Measure, write_report

COMMAND = "python -m benchmarks.http"
PROMPT = "abcdefgh" * 4
STREAMS = 32
NOT_SHOWN = "a network between caller and server, TLS, larger prompts; caller and server share the processor here"


@dataclass
class Times:
    """Milliseconds of many requests.

    first  from asking to the first token
    whole  from asking to the end
    gaps   between tokens
    """

    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)

    def add(self, began: float, came: Sequence[float], ended: float) -> None:
        """One request, in seconds of a clock."""
        self.first.append(1000 * (came[0] - began))
        self.whole.append(1000 * (ended - began))
        self.gaps += [1000 * (after - before) for before, after in pairwise(came)]


Ask = Callable[[], tuple[float, list[float], float]]


def directly(model: TextModel, tokens: int) -> Ask:
    """What asks the engine, as the server does: began, when each token came, ended."""

    def ask() -> tuple[float, list[float], float]:
        began = time.perf_counter()
        stream = model.stream_ids(model.tokenize(PROMPT), Sampling(max_new_tokens=tokens))
        came = [time.perf_counter() for _ in stream]
        return began, came, time.perf_counter()

    return ask


@contextmanager
def over_http(url: str, tokens: int) -> Iterator[Ask]:
    """What asks the server on a connection of its own."""
    host, _, port = url.removeprefix("http://").partition(":")
    body = json.dumps(
        {"model": "model", "prompt": PROMPT, "max_tokens": tokens, "temperature": 0, "stream": True}
    ).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    request = head.encode() + body

    def ask() -> tuple[float, list[float], float]:
        began = time.perf_counter()
        line.sendall(request)
        came: list[float] = []
        read = b""
        while not read.endswith(b"0\r\n\r\n"):
            more = line.recv(65536)
            now = time.perf_counter()
            came += [now] * more.count(b'"finish_reason":null')
            read = (read + more)[-8:]
        return began, came, time.perf_counter()

    with socket.create_connection((host, int(port)), timeout=60) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield ask


def measured(asks: Sequence[Ask], each: int) -> Times:
    """Ask by all of them at the same time, so often each."""
    times, lock = Times(), threading.Lock()

    def one(ask: Ask) -> None:
        for _ in range(each):
            found = ask()
            with lock:
                times.add(*found)

    threads = [threading.Thread(target=one, args=(ask,)) for ask in asks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the others does not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def spent(server: psutil.Process) -> float:
    """Milliseconds of processor time so far."""
    times = server.cpu_times()
    return 1000 * (times.user + times.system)


def compared(
    model: TextModel, url: str, server: psutil.Process, streams: int, each: int, tokens: int, rounds: int
) -> dict[str, list[float]]:
    """Of every round what HTTP adds, and the times themselves, by name; one round before does not count."""
    found: dict[str, list[float]] = {}
    with ExitStack() as stack:
        lines = [stack.enter_context(over_http(url, tokens)) for _ in range(streams)]
        for number in range(rounds + 1):
            alone = measured([directly(model, tokens)] * streams, each)
            before = spent(server)
            served = measured(lines, each)
            cost = (spent(server) - before) / (streams * each)
            if number:
                found.setdefault("cost mean server", []).append(cost)
            for what in ("first", "whole", "gaps") if number else ():
                both = getattr(alone, what), getattr(served, what)
                for share, name in ((0.5, "p50"), (0.99, "p99")):
                    engine, http = (percentile(values, share) for values in both)
                    found.setdefault(f"{what} {name} added", []).append(http - engine)
                    found.setdefault(f"{what} {name} engine", []).append(engine)
    return found


NAMES = {
    "first": "to the first token", "whole": "to the end of an answer", "gaps": "between two tokens",
    "cost": "of processor time of one request",
}  # fmt: skip
WHOSE = {"added": "added by HTTP", "engine": "of the engine alone", "server": "of the server with its engine"}


def measures_of(found: dict[str, list[float]], on: str, streams: int) -> list[Measure]:
    """The medians over rounds with the smallest and the largest."""
    measures = []
    for key, values in found.items():
        what, share, of = key.split()
        measures.append(
            Measure.model_validate(
                {
                    "name": f"{share} {NAMES[what]}, {streams} at a time, {WHOSE[of]}", "value": statistics.median(values),
                    "low": min(values), "high": max(values), "n": len(values), "unit": "ms", "better": "lower",
                    "model": on, "command": COMMAND, "does_not_show": NOT_SHOWN,
                    "method": f"difference of percentiles of a round; median, smallest and largest of {len(values)} rounds in turn",
                }
            )
        )  # fmt: skip
    return measures


@contextmanager
def models(preset: str | None, pause_ms: float) -> Iterator[tuple[str, TextModel]]:
    """(the folder that the server opens, the same model here)."""
    if preset is None:
        yield f"parrot {pause_ms}", parrot("model", token_s=pause_ms / 1000)
        return
    from langwright.inference.opening import open_text_model
    from langwright.models.building import build_model
    from langwright.models.loading import save_model
    from langwright.models.presets import PRESETS

    tokenizer = letters()
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "model")
        save_model(build_model(PRESETS[preset], len(tokenizer), 512, tokenizer=tokenizer), tokenizer, folder)
        model = open_text_model(folder, max_batch=STREAMS)
        try:
            yield str(folder), model
        finally:
            model.close()


def main() -> None:
    """Measure, print, and write a report where one is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--requests", type=int, default=100, help="of each round, one at a time; a twentieth of them by each stream"
    )
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--pause", type=float, default=5.0, help="ms before each token of the parrot")
    parser.add_argument("--preset")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    measures: list[Measure] = []
    with models(given.preset, given.pause) as (folder, model), ours(folder, STREAMS) as (url, server):
        on = f"{given.preset or f'a parrot of {given.pause} ms a token'}, {given.tokens} new tokens"
        for streams, each in ((1, given.requests), (STREAMS, max(1, given.requests // 20))):
            found = compared(model, url, server, streams, each, given.tokens, given.rounds)
            measures += measures_of(found, on, streams)
    for measure in measures:
        print(f"{measure.name:<70} {measure.value:9.3f} {measure.unit} [{measure.low:.3f}, {measure.high:.3f}]")
    if given.out:
        write_report(given.out, tuple(measures))


if __name__ == "__main__":
    main()
