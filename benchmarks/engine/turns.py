"""Contests of writers: children that take turns on the same jobs, and what came of it as measures."""

from __future__ import annotations

import argparse
import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.engine.contestants import ELSEWHERE, LEFT_OUT
from benchmarks.engine.shapes import SHAPES, make

from langwright.measures import Measure, write_report

LIMIT_S = float(os.environ.get("LANGWRIGHT_LIMIT_S", 1800))  # for one turn


@dataclass(frozen=True)
class Job:
    """What is written: prompts, how many new tokens each, and when each comes, in seconds (all at once where empty)."""

    prompts: list[list[int]]
    tokens: int
    at: list[float] = field(default_factory=list)


class Writer:
    """A contestant in a process of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        python, paths = sys.executable, [str(Path(__file__).parents[2])]
        elsewhere = ELSEWHERE.get(name)
        if elsewhere is None or elsewhere not in os.environ:
            paths.append(os.environ.get("PYTHONPATH", ""))
        else:
            python = os.environ[elsewhere]
        if elsewhere == "LANGWRIGHT_PEERS":
            import torch

            paths.append(str(Path(torch.__file__).parents[1]))  # converters need it
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.engine.contestants", name, str(folder)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )  # fmt: skip
        self.name, self.ready = name, self.heard()

    def heard(self) -> dict[str, Any]:
        """Its next answer."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], LIMIT_S)[0]:
            self.process.kill()
            return {"left_out": f"it did not answer within {LIMIT_S} s"}
        line = self.process.stdout.readline()
        if not line:
            return {"left_out": f"it ended with {self.process.wait()}"}
        found: dict[str, Any] = json.loads(line)
        return found

    def turn(self, job: Job) -> dict[str, Any]:
        """Let it do a job."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"prompts": job.prompts, "tokens": job.tokens, "at": job.at}) + "\n")
        self.process.stdin.flush()
        return self.heard()

    def close(self) -> None:
        """Let it end."""
        assert self.process.stdin is not None and self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(120)


def contest(
    shape: str,
    names: Sequence[str],
    jobs: Callable[[int], dict[str, Job]],
    rounds: int,
    command: str,
    peers: Sequence[str],
) -> tuple[list[Measure], list[str]]:
    """Tokens a second of each on each job, and the ratio of each of the others to each peer; who was left out, and why."""
    rates: dict[tuple[str, str], list[float]] = {}
    memory: dict[str, float] = {}
    out, versions = [f"{name}: {why}" for name, why in LEFT_OUT.items()], []
    with tempfile.TemporaryDirectory() as path, ExitStack() as stack:
        make(shape, Path(path))
        writers = []
        for name in names:
            writer = Writer(name, Path(path))
            stack.callback(writer.close)
            first = writer.ready if "left_out" in writer.ready else writer.turn(next(iter(jobs(0).values())))
            if "left_out" in first:
                out.append(f"{name}: {first['left_out']}")
                continue
            versions.append(f"{name} ({writer.ready['version']})")
            writers.append(writer)
        for number in range(1, rounds + 1):  # prompts are new in each: an engine may keep what it has read
            for label, job in jobs(number).items():
                for writer in writers:
                    done = writer.turn(job)
                    if "left_out" in done or done["made"] != len(job.prompts) * job.tokens:
                        raise SystemExit(f"{writer.name} made {done} of {len(job.prompts) * job.tokens} tokens")
                    rates.setdefault((label, writer.name), []).append(done["made"] / done["seconds"])
                    memory[writer.name] = done["memory"]
    about = {"model": f"Llama shape {shape}, random weights", "command": command, "data": "; ".join(versions),
             "does_not_show": f"GPUs, trained weights, other machines than {os.cpu_count()} cores"}  # fmt: skip
    found = [over_rounds(f"{label}: {name}", values, "tokens/s", about) for (label, name), values in rates.items()]
    for label in jobs(0):
        for name in (one.name for one in writers if one.name not in peers):
            for peer in (one.name for one in writers if one.name in peers):
                ratios = [a / b for a, b in zip(rates[label, name], rates[label, peer], strict=True)]
                found.append(over_rounds(f"{label}: {name} over {peer}", ratios, "ratio", about))
    found += [
        Measure(name=f"peak memory: {name}", value=value / 1e9, n=1, unit="GB", better="lower", **about)
        for name, value in memory.items()
    ]
    return found, out


def over_rounds(name: str, values: Sequence[float], unit: str, about: dict[str, str]) -> Measure:
    """The median with the smallest and the largest round."""
    method = f"tokens over wall time of a turn; median, smallest and largest of {len(values)} rounds in turn"
    return Measure(name=name, value=statistics.median(values), low=min(values), high=max(values), n=len(values), unit=unit,
                   better="higher", method=method, **about)  # fmt: skip


def run(
    module: str,
    about: str,
    names: Sequence[str],
    jobs: Callable[[str, int, int], dict[str, Job]],
    peers: Sequence[str],
    shapes: Sequence[str],
) -> None:
    """The command line of a contest.

    jobs   (shape, new tokens, round) -> jobs by label
    peers  those that the others are compared with
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(shapes))
    parser.add_argument("--contestants", nargs="+", choices=names, default=list(names))
    parser.add_argument("--tokens", type=int, default=128, help="new tokens of each request")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    measures: list[Measure] = []
    for shape in given.shapes:
        command = f"python -m {module} --shapes {shape} --tokens {given.tokens}"
        found, out = contest(shape, given.contestants, partial(jobs, shape, given.tokens), given.rounds, command, peers)
        for measure in found:
            spread = "" if measure.low is None else f"[{measure.low:.3f}, {measure.high:.3f}]"
            print(f"{shape}: {measure.name:<75} {measure.value:10.3f} {measure.unit:<9} {spread}", flush=True)
        for line in out:
            print(f"left out: {line}", flush=True)
        measures += found
    if given.out:
        write_report(given.out, tuple(measures))
