"""Training speed side by side: each contestant is a process of its own that stays alive, and they take turns.

So that what else goes on on the machine falls on all alike. An update is counted from asking for its rows
to its end, compiling and the first updates left out. Reported are medians over rounds with the smallest
and the largest, and the ratios of each to the last contestants, the peers.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from langwright.measures import Measure, write_report

if TYPE_CHECKING:
    from langwright.training.loop import Step

RATE = 3e-4


class Conductor:
    """Tells a contestant when to go on: reads how many updates to make, answers with their times."""

    def __init__(self, heard: IO[str], said: IO[str]) -> None:
        self.heard, self.said = heard, said
        self.times: list[float] = []
        self.tokens: list[int] = []
        self.left = 0
        self.began = 0.0

    def wait(self) -> bool:
        """Wait for the next turn; False when there is none."""
        line = self.heard.readline()
        self.left = int(line or 0)
        self.times, self.tokens = [], []
        self.began = time.perf_counter()
        return self.left > 0

    def done(self, tokens: int, loss: Callable[[], float]) -> bool:
        """One update over this many tokens, padding left out, is made; False when the last turn is over."""
        now = time.perf_counter()
        self.times.append(now - self.began)
        self.tokens.append(tokens)
        self.began = now
        self.left -= 1
        if self.left > 0:
            return True
        from langwright.training.devices import peak_memory_bytes

        answer = {"seconds": self.times, "tokens": self.tokens, "loss": loss(), "memory": peak_memory_bytes("cpu")}
        self.said.write(json.dumps(answer) + "\n")
        self.said.flush()
        return self.wait()


@dataclass(frozen=True)
class Turn:
    """What a contestant answered."""

    seconds: list[float]
    tokens: list[int]
    loss: float
    memory: int

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return sum(self.tokens) / sum(self.seconds)


Contestant = Callable[[str, Path, Conductor], None]  # the setting's name, a folder with what `prepare` made


@dataclass(frozen=True)
class Contest:
    """What is compared.

    module    where it is run from, as in `python -m`
    settings  by name, what is trained, in words
    prepare   makes the rows of a setting in a folder
    ours      contestants of this library
    peers     contestants they are compared with
    flops     floating-point operations a token of a setting; None where they are not counted
    lacking   contestants that a setting does not have, such as those that are written for one kind of model
    """

    module: str
    not_shown: str
    settings: dict[str, str]
    prepare: Callable[[str, Path], None]
    ours: dict[str, Contestant]
    peers: dict[str, Contestant]
    flops: Callable[[str], float] | None = None
    lacking: Callable[[str], frozenset[str]] = lambda setting: frozenset()

    @property
    def command(self) -> str:
        """What reproduces it."""
        return f"python -m {self.module}"


def by_the_loop(
    conductor: Conductor, model: Any, objective: Callable[[bool], Any], feed: Any, count: Callable[[Step], int]
) -> None:
    """Ours: the library's own loop with the plan that a long run would get.

    objective  whether its mathematics are to be compiled -> what learns
    count      tokens of an update, padding left out
    """
    import torch

    from langwright.training.devices import choose_device, compile_available, compute_dtype
    from langwright.training.loop import train
    from langwright.training.optimizers import AdamW, build_optimizer, embedding_names

    compiled = compile_available()
    learns = objective(compiled)
    narrow = compute_dtype("auto", choose_device("cpu")) == "bfloat16"
    stream = train(
        torch.compile(model, dynamic=False) if compiled else model,  # type: ignore[arg-type]
        learns,
        feed.updates(0),
        build_optimizer(AdamW(), model.named_parameters(), RATE, embedding_names(model)),
        rate=lambda update: RATE,
        steps=10**9,
        autocast=torch.bfloat16 if narrow else None,
    )
    conductor.wait()
    for step in stream:
        if not conductor.done(count(step), lambda step=step: step.loss):  # type: ignore[misc]
            return


def prepare_machine() -> None:
    """What the library does before it trains: threads, and memory that is kept."""
    import torch

    from langwright.training.cores import physical_cores
    from langwright.training.devices import keep_freed_memory

    torch.set_num_threads(physical_cores())
    keep_freed_memory()


def turns(conductor: Conductor, count: Callable[[], int]) -> Any:
    """A callback for transformers' Trainer and those made of it that makes updates when it is told to.

    count  tokens of the update just made
    """
    from transformers import TrainerCallback

    class Turns(TrainerCallback):  # type: ignore[misc]
        last = 0.0

        def on_train_begin(self, *_: object, **__: object) -> None:
            conductor.wait()

        def on_log(self, args: object, state: object, control: object, logs: dict[str, float], **_: object) -> None:
            self.last = logs.get("loss", self.last)

        def on_step_end(self, args: object, state: object, control: object, **_: object) -> None:
            if not conductor.done(count(), lambda: self.last):
                control.should_training_stop = True  # type: ignore[attr-defined]

    return Turns()


class Running:
    """A contestant in a process of its own."""

    def __init__(self, module: str, name: str, setting: str, folder: Path) -> None:
        words = ["-m", module, "--contestant", name, "--only", setting, "--rows", str(folder)]
        self.process = subprocess.Popen(
            [sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def turn(self, steps: int) -> Turn:
        """Let it make some updates."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith('{"seconds"'):  # the Trainer prints its logs too
                return Turn(**json.loads(line))
        raise RuntimeError(f"the contestant ended with {self.process.wait()}")

    def close(self) -> None:
        """Let it end."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.stdout.read()
        self.process.wait(60)


def side_by_side(contest: Contest, setting: str, names: Sequence[str], rounds: int, steps: int) -> list[Measure]:
    """Tokens per second of each, in turn, and the ratio of each of ours over each peer."""
    rates: dict[str, list[float]] = {name: [] for name in names}
    last: dict[str, Turn] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        contest.prepare(setting, Path(folder))
        running = {name: Running(contest.module, name, setting, Path(folder)) for name in names}
        for contestant in running.values():
            stack.callback(contestant.close)
        for contestant in running.values():
            contestant.turn(steps)  # compiles
        for _ in range(rounds):
            for name, contestant in running.items():
                last[name] = contestant.turn(steps)
                rates[name].append(last[name].rate)
    write = Writer(contest, contest.settings[setting])
    measures = []
    for name, found in rates.items():
        label = f"{setting}: {name}"
        measures.append(write.over_rounds(label, found, "tokens/s", "higher"))
        if contest.flops:
            flops = contest.flops(setting) / 1e12
            measures.append(write.over_rounds(f"{label}, compute", [rate * flops for rate in found], "TFLOP/s", "higher"))  # fmt: skip
        measures.append(write.one(f"{label}, peak memory", last[name].memory / 1e9, "GB", "lower"))
        measures.append(write.one(f"{label}, loss of the last update", last[name].loss, "nats/token", "neither"))
    for name in (name for name in names if name in contest.ours):
        for peer in (peer for peer in names if peer in contest.peers):
            ratios = [a / b for a, b in zip(rates[name], rates[peer], strict=True)]
            measures.append(write.over_rounds(f"{setting}: {name} over {peer}", ratios, "ratio", "higher"))
    return measures


@dataclass(frozen=True)
class Writer:
    """Measures of one setting."""

    contest: Contest
    on: str

    def over_rounds(self, name: str, values: Sequence[float], unit: str, better: str) -> Measure:
        """The median with the smallest and the largest round."""
        return Measure.model_validate(
            {
                "name": name, "value": statistics.median(values), "low": min(values), "high": max(values), "n": len(values),
                "unit": unit, "better": better, "model": self.on, "command": self.contest.command,
                "does_not_show": self.contest.not_shown,
                "method": f"tokens over wall time of a turn; median, smallest and largest of {len(values)} rounds in turn",
            }
        )  # fmt: skip

    def one(self, name: str, value: float, unit: str, better: str) -> Measure:
        """A number of the last round."""
        return Measure.model_validate(
            {"name": name, "value": value, "n": 1, "unit": unit, "better": better, "model": self.on, "command": self.contest.command}
        )  # fmt: skip


def run(contest: Contest, about: str) -> None:
    """The command line of a contest: measure, print, and write a report where one is wanted."""
    everyone = contest.ours | contest.peers
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4, help="updates in a turn")
    parser.add_argument("--only", nargs="+", choices=contest.settings, default=list(contest.settings))
    parser.add_argument("--contestants", nargs="+", choices=everyone, default=list(everyone))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--contestant", choices=everyone, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contestant:
        everyone[given.contestant](given.only[0], given.rows, Conductor(sys.stdin, sys.stdout))
        return
    measures: list[Measure] = []
    for name in given.only:
        left_out = contest.lacking(name).intersection(given.contestants)
        if left_out:
            print(f"{name}: there is no {', '.join(sorted(left_out))}", flush=True)
        names = [one for one in given.contestants if one not in left_out]
        found = side_by_side(contest, name, names, given.rounds, given.steps)
        for measure in found:
            spread = "" if measure.low is None else f"[{measure.low:.3f}, {measure.high:.3f}]"
            print(f"{measure.name:<85} {measure.value:10.3f} {measure.unit:<10} {spread}", flush=True)
        measures += found
    if given.out:
        write_report(given.out, tuple(measures))
