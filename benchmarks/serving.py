"""What HTTP costs on top of the engine, and how the server stands beside `transformers serve`.

    python -m benchmarks.serving [--rounds 5] [--preset mini] [--tokens 64] [--at-once 8] [--out report.json]

Each contestant continues the same prompts, so many at once, in turn within a round; servers run in
processes of their own on free ports and the caller shares the machine with them. Reported are the
median over rounds with the smallest and the largest, tokens counted by each server itself.
"""

from __future__ import annotations

import argparse
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from langwright.inference.fake import letters, parrot
from langwright.inference.protocol import Sampling
from langwright.inference.texts.text import TextModel
from langwright.measures import Measure, write_report

COMMAND = "python -m benchmarks.serving"
PROMPT_TOKENS = 32
NOT_SHOWN = "machines with more cores, longer prompts, GPUs; caller and server share the processor here"


@dataclass(frozen=True)
class Contest:
    """What is asked of every contestant."""

    prompts: Sequence[str]
    tokens: int  # new ones, of each prompt
    at_once: int


def contest(count: int, tokens: int, at_once: int) -> Contest:
    """Prompts of plain letters, one token each."""
    draw = random.Random(0)
    prompts = ["".join(draw.choices("abcdefgh ", k=PROMPT_TOKENS)) for _ in range(count)]
    return Contest(prompts, tokens, at_once)


# --- contestants: each is asked once and says how many tokens it made --------------------------------


def by_engine(model: TextModel, asked: Contest) -> int:
    """Without HTTP."""
    sampling = Sampling(max_new_tokens=asked.tokens)
    return sum(len(done.token_ids) for done in model.complete_all(asked.prompts, sampling))


def by_http(url: str, name: str, asked: Contest) -> int:
    """Over HTTP, the whole answer at once."""

    def one(prompt: str) -> int:
        body = {"model": name, "prompt": prompt, "max_tokens": asked.tokens, "temperature": 0}
        answer = client.post(f"{url}/v1/completions", json=body).raise_for_status()
        return int(answer.json()["usage"]["completion_tokens"])

    with httpx.Client(timeout=600) as client, ThreadPoolExecutor(asked.at_once) as callers:
        return sum(callers.map(one, asked.prompts))


def by_stream(url: str, name: str, asked: Contest, firsts: list[float]) -> int:
    """Over HTTP, as server-sent events; the seconds to each first event are added to `firsts`."""

    def one(prompt: str) -> int:
        body = {"model": name, "prompt": prompt, "max_tokens": asked.tokens, "temperature": 0, "stream": True}
        events, began = 0, time.perf_counter()
        with client.stream("POST", f"{url}/v1/completions", json=body) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: {"):
                    if events == 0:
                        firsts.append(time.perf_counter() - began)
                    events += 1
        return events

    with httpx.Client(timeout=600) as client, ThreadPoolExecutor(asked.at_once) as callers:
        return sum(callers.map(one, asked.prompts))


# --- servers -----------------------------------------------------------------------------------------


@contextmanager
def process(words: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A child that is ended with the block."""
    child = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.terminate()
        child.wait(30)


@contextmanager
def ours(folder: str, at_once: int, bound: int = 64) -> Iterator[tuple[str, psutil.Process]]:
    """Our server of a model folder, or of a parrot; "parrot 5" waits 5 ms before each token.

    bound  most answers that are open at once, those that wait among them
    """
    words = ["-m", "benchmarks.serving", "--serve", folder, "--at-once", str(at_once), "--bound", str(bound)]
    with process(words) as child:
        assert child.stdout is not None
        url = child.stdout.readline().strip()
        yield url, psutil.Process(child.pid)


@contextmanager
def theirs(folder: str, *options: str) -> Iterator[str]:
    """`transformers serve` of a model folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    call = "from transformers.cli.transformers import main; main()"
    words = [
        "-c",
        call,
        "serve",
        folder,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--device",
        "cpu",
        "--log-level",
        "error",
        *options,
    ]
    with process(words) as child:
        url = f"http://127.0.0.1:{port}"
        while True:
            if child.poll() is not None:
                raise RuntimeError(f"transformers serve ended with {child.returncode}")
            try:
                httpx.get(f"{url}/health", timeout=2)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        yield url


def serve_here(folder: str, at_once: int, bound: int) -> None:
    """The child of `ours`: prints its URL and serves."""
    from langwright.inference.opening import open_text_model
    from langwright.serving.running import serve
    from langwright.serving.settings import ServingSettings

    name, _, pause_ms = folder.partition(" ")
    model = (
        parrot("model", token_s=float(pause_ms or 0) / 1000)
        if name == "parrot"
        else open_text_model(Path(folder), max_batch=at_once, name="model")
    )
    settings = ServingSettings(max_open=bound)
    serve({"model": model}, port=0, settings=settings, ready=lambda url: print(url, flush=True))


# --- measuring ---------------------------------------------------------------------------------------


def seconds(work: Callable[[], int]) -> tuple[int, float]:
    """(tokens, wall seconds)."""
    began = time.perf_counter()
    made = work()
    return made, time.perf_counter() - began


def side_by_side(contestants: Mapping[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """Tokens per second of each, `rounds` times in turn, after one that does not count."""
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, work in contestants.items():
            made, took = seconds(work)
            if number:
                found[name].append(made / took)
    return found


def over_rounds(name: str, values: Sequence[float], unit: str, better: str, method: str, on: str) -> Measure:
    """The median with the smallest and the largest round."""
    return Measure.model_validate(
        {
            "name": name, "value": statistics.median(values), "low": min(values), "high": max(values),
            "n": len(values), "unit": unit, "better": better, "model": on, "command": COMMAND,
            "method": f"{method}; median, smallest and largest of {len(values)} interleaved rounds",
            "does_not_show": NOT_SHOWN,
        }
    )  # fmt: skip


def throughput(preset: str, asked: Contest, rounds: int) -> list[Measure]:
    """Tokens per second of a model with random weights: the engine alone, our server, transformers' server."""
    from langwright.inference.opening import open_text_model
    from langwright.models.building import build_model
    from langwright.models.loading import save_model
    from langwright.models.presets import PRESETS

    tokenizer = letters()
    with tempfile.TemporaryDirectory() as parent, ExitStack() as stack:
        folder = str(Path(parent, "model"))
        save_model(build_model(PRESETS[preset], len(tokenizer), 512, tokenizer=tokenizer), tokenizer, Path(folder))
        model = open_text_model(Path(folder), max_batch=asked.at_once)
        stack.callback(model.close)
        url, _ = stack.enter_context(ours(folder, asked.at_once))
        plain = stack.enter_context(theirs(folder))
        batching = stack.enter_context(theirs(folder, "--continuous-batching"))
        firsts: list[float] = []
        found = side_by_side(
            {
                "engine alone": lambda: by_engine(model, asked),
                "our server": lambda: by_http(url, "model", asked),
                "our server, streaming": lambda: by_stream(url, "model", asked, firsts),
                "transformers serve": lambda: by_http(plain, folder, asked),
                "transformers serve, continuous batching": lambda: by_http(batching, folder, asked),
            },
            rounds,
        )
    on = f"preset {preset}, random weights, {asked.at_once} at once, {asked.tokens} new tokens"
    measures = [
        over_rounds(f"tokens per second, {name}", values, "tokens/s", "higher", "tokens over wall time", on)
        for name, values in found.items()
    ]
    alone, served = found["engine alone"], found["our server"]
    ratios = [over / under for over, under in zip(served, alone, strict=True)]
    measures.append(over_rounds("our server over the engine alone", ratios, "ratio", "higher", "tokens/s", on))
    best = max(
        ("transformers serve", "transformers serve, continuous batching"), key=lambda n: statistics.median(found[n])
    )
    ratios = [over / under for over, under in zip(served, found[best], strict=True)]
    measures.append(over_rounds(f"our server over {best}", ratios, "ratio", "higher", "tokens/s", on))
    measures.append(over_rounds("seconds to the first event", firsts, "s", "lower", "from the request's start", on))
    return measures


def cost_of_http(asked: Contest, rounds: int) -> list[Measure]:
    """Processor time of the server for one event, with an engine that costs nothing."""
    costs, rates = [], []
    with ours("parrot", asked.at_once) as (url, server):
        by_stream(url, "model", asked, [])
        for _ in range(rounds):
            before = server.cpu_times()
            events, took = seconds(lambda: by_stream(url, "model", asked, []))
            after = server.cpu_times()
            costs.append(1000 * (after.user + after.system - before.user - before.system) / events)
            rates.append(events / took)
    on = f"a parrot, {asked.at_once} streams at once"
    return [
        over_rounds("processor time per event", costs, "ms", "lower", "user and system time of the server", on),
        over_rounds("events per second", rates, "events/s", "higher", "events over wall time", on),
    ]


def main() -> None:
    """Measure, print, and write a report where one is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--preset", default="mini")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--bound", type=int, default=64, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve_here(given.serve, given.at_once, given.bound)
        return
    asked = contest(2 * given.at_once, given.tokens, given.at_once)
    measures = cost_of_http(contest(8 * given.at_once, PROMPT_TOKENS, given.at_once), given.rounds)
    measures += throughput(given.preset, asked, given.rounds)
    for measure in measures:
        print(f"{measure.name:<55} {measure.value:10.3f} {measure.unit:<9} [{measure.low:.3f}, {measure.high:.3f}]")
    if given.out:
        write_report(given.out, tuple(measures))


if __name__ == "__main__":
    main()
