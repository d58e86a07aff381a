"""Pre-training speed beside transformers' `Trainer`: the same model, weights, rows and batch.

    python -m benchmarks.pretraining [--rounds 5] [--only small-8 base-4] [--steps 4] [--out report.json]

Each contestant is a process of its own that stays alive; they make a few updates in turn, so that what
else goes on on the machine falls on all alike. An update is counted from asking for its rows to its end,
compiling and the first updates left out. Ours is the library's own loop with the plan that a long run
would get: uncompiled modules of transformers, attention "langwright", autocast where bfloat16 is faster,
torch.compile, fused AdamW, clipping. Theirs is `Trainer` with bf16=True and torch_compile=True, the rest
as it comes. Reported are medians over rounds with the smallest and the largest.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from langwright.measures import Measure, write_report

if TYPE_CHECKING:
    from langwright.objectives.next_token import RowExamples

COMMAND = "python -m benchmarks.pretraining"
NOT_SHOWN = "GPUs, other processors, other sizes; how good the models become (both learn from the same rows)"
DOCUMENT_TOKENS = 400  # mean
PAD = 0


@dataclass(frozen=True)
class Setting:
    """What is trained."""

    preset: str
    rows: int  # of an update
    length: int

    @property
    def name(self) -> str:
        return f"{self.preset}-{self.rows}"


SETTINGS = {s.name: s for s in (Setting("small", 8, 512), Setting("small", 16, 512), Setting("base", 4, 1024))}


# --- the rows --------------------------------------------------------------------------------------


def write_rows(folder: Path, vocab_size: int, count: int) -> None:
    """A store of documents whose tokens are drawn by Zipf's law, which is how tokens of text are spread."""
    from langwright.data.store import Document, build_store

    draw = random.Random(0)
    weights = [1 / rank for rank in range(1, vocab_size)]

    def documents() -> Iterator[Document]:
        left = count
        while left > 0:
            length = min(left, max(2, int(draw.expovariate(1 / DOCUMENT_TOKENS))))
            left -= length
            yield Document(draw.choices(range(1, vocab_size), weights, k=length), None, length)

    build_store(folder, documents(), vocab_size)


def open_rows(folder: Path, length: int, *, stop_at_documents: bool) -> RowExamples:
    """The store as rows of a stream."""
    from langwright.data.packing import plan_stream
    from langwright.data.store import open_store
    from langwright.objectives.next_token import RowExamples

    store = open_store(folder)
    return RowExamples(store, plan_stream(store, length), PAD, stop_at_documents)


# --- contestants: each makes updates when it is told to ----------------------------------------------


class Conductor:
    """Tells a contestant when to go on: reads how many updates to make, answers with their times."""

    def __init__(self, heard: IO[str], said: IO[str]) -> None:
        self.heard, self.said = heard, said
        self.times: list[float] = []
        self.left = 0
        self.began = 0.0

    def wait(self) -> bool:
        """Wait for the next turn; False when there is none."""
        line = self.heard.readline()
        self.left = int(line or 0)
        self.times = []
        self.began = time.perf_counter()
        return self.left > 0

    def done(self, loss: Callable[[], float]) -> bool:
        """One update is made; False when the last turn is over."""
        now = time.perf_counter()
        self.times.append(now - self.began)
        self.began = now
        self.left -= 1
        if self.left > 0:
            return True
        from langwright.training.devices import peak_memory_bytes

        answer = {"seconds": self.times, "loss": loss(), "memory": peak_memory_bytes("cpu")}
        self.said.write(json.dumps(answer) + "\n")
        self.said.flush()
        return self.wait()


def by_langwright(setting: Setting, folder: Path, conductor: Conductor, *, stop_at_documents: bool) -> None:
    """The library's own loop."""
    import torch

    from langwright.data.order import Order
    from langwright.models.building import build_model
    from langwright.models.presets import PRESETS
    from langwright.objectives.next_token import NextToken
    from langwright.training.devices import choose_device, compile_available, compute_dtype, physical_cores
    from langwright.training.feed import Feed
    from langwright.training.loop import train
    from langwright.training.optimizers import build_optimizer
    from langwright.training.settings import AdamW

    torch.set_num_threads(physical_cores())
    examples = open_rows(folder, setting.length, stop_at_documents=stop_at_documents)
    model = build_model(PRESETS[setting.preset], context=setting.length, seed=1)
    compiled = compile_available()
    narrow = compute_dtype("auto", choose_device("cpu")) == "bfloat16"
    stream = train(
        torch.compile(model, dynamic=False) if compiled else model,  # type: ignore[arg-type]
        NextToken(compiled=compiled),  # type: ignore[arg-type]
        Feed(examples, Order(0, len(examples)), setting.rows, setting.rows).updates(0),
        build_optimizer(AdamW(), model.named_parameters(), 3e-4),
        rate=lambda update: 3e-4,
        steps=10**9,
        autocast=torch.bfloat16 if narrow else None,
    )
    conductor.wait()
    for step in stream:
        if not conductor.done(lambda step=step: step.loss):  # type: ignore[misc]
            return


def by_trainer(setting: Setting, folder: Path, conductor: Conductor) -> None:
    """transformers' Trainer, compiled, in bfloat16."""
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    from langwright.data.order import Order
    from langwright.models.building import build_model
    from langwright.models.presets import PRESETS
    from langwright.training.feed import Feed

    examples = open_rows(folder, setting.length, stop_at_documents=False)
    feed = Feed(examples, Order(0, len(examples)), setting.rows, setting.rows)
    model = build_model(PRESETS[setting.preset], context=setting.length, seed=1)
    model.set_attn_implementation("sdpa")

    class Rows(torch.utils.data.IterableDataset):  # type: ignore[type-arg]
        def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
            for (batch,) in feed.updates(0):
                for tokens_T in batch.tokens_BT:  # type: ignore[attr-defined]
                    yield {"input_ids": tokens_T, "labels": tokens_T.clone()}

    class Turns(TrainerCallback):  # type: ignore[misc]
        last = 0.0

        def on_train_begin(self, *_: object, **__: object) -> None:
            conductor.wait()

        def on_log(self, args: object, state: object, control: object, logs: dict[str, float], **_: object) -> None:
            self.last = logs.get("loss", self.last)

        def on_step_end(self, args: object, state: object, control: object, **_: object) -> None:
            if not conductor.done(lambda: self.last):
                control.should_training_stop = True  # type: ignore[attr-defined]

    arguments = TrainingArguments(
        output_dir=str(folder / "trainer"), per_device_train_batch_size=setting.rows, max_steps=10**6, learning_rate=3e-4,
        bf16=True, torch_compile=True, use_cpu=True, save_strategy="no", report_to="none", disable_tqdm=True, logging_steps=1,
    )  # fmt: skip
    Trainer(model=model, args=arguments, train_dataset=Rows(), callbacks=[Turns()]).train()


CONTESTANTS: dict[str, Callable[[Setting, Path, Conductor], None]] = {
    "langwright": lambda s, f, c: by_langwright(s, f, c, stop_at_documents=False),
    "langwright, attention inside documents": lambda s, f, c: by_langwright(s, f, c, stop_at_documents=True),
    "Trainer": by_trainer,
}


# --- measuring ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Turn:
    """What a contestant answered."""

    seconds: list[float]
    loss: float
    memory: int


class Running:
    """A contestant in a process of its own."""

    def __init__(self, name: str, setting: Setting, folder: Path) -> None:
        words = ["-m", "benchmarks.pretraining", "--contestant", name, "--only", setting.name, "--rows", str(folder)]
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


def side_by_side(setting: Setting, names: Sequence[str], rounds: int, steps: int) -> list[Measure]:
    """Tokens per second of each, in turn, and the ratios over the last."""
    from langwright.models.presets import PRESETS
    from langwright.models.sizes import estimate

    preset = PRESETS[setting.preset]
    tokens = setting.rows * setting.length
    found: dict[str, list[float]] = {name: [] for name in names}
    final: dict[str, Turn] = {}
    with tempfile.TemporaryDirectory() as parent, contextlib.ExitStack() as stack:
        folder = Path(parent, "store")
        write_rows(folder, preset.vocab_size, 80 * tokens)
        running = {name: Running(name, setting, folder) for name in names}
        for contestant in running.values():
            stack.callback(contestant.close)
        for contestant in running.values():
            contestant.turn(3)  # compiles
        for _ in range(rounds):
            for name, contestant in running.items():
                final[name] = contestant.turn(steps)
                found[name].append(tokens / statistics.median(final[name].seconds))
    on = f"preset {setting.preset}, {setting.rows} rows of {setting.length} tokens, random weights"
    flops = estimate(preset, setting.length).flops_per_token / 1e12
    measures = []
    for name, rates in found.items():
        label = f"{setting.name}: {name}"
        measures += [
            over_rounds(label, rates, "tokens/s", "higher", on),
            over_rounds(f"{label}, compute", [rate * flops for rate in rates], "TFLOP/s", "higher", on),
            one(f"{label}, peak memory", final[name].memory / 1e9, "GB", "lower", on),
            one(f"{label}, loss of the last update", final[name].loss, "nats/token", "neither", on),
        ]
    for name in names[:-1]:
        ratios = [a / b for a, b in zip(found[name], found[names[-1]], strict=True)]
        measures.append(over_rounds(f"{setting.name}: {name} over {names[-1]}", ratios, "ratio", "higher", on))
    return measures


def over_rounds(name: str, values: Sequence[float], unit: str, better: str, on: str) -> Measure:
    """The median with the smallest and the largest round."""
    return Measure.model_validate(
        {
            "name": name, "value": statistics.median(values), "low": min(values), "high": max(values),
            "n": len(values), "unit": unit, "better": better, "model": on, "command": COMMAND, "does_not_show": NOT_SHOWN,
            "method": f"positions over the median update's wall time; median, smallest and largest of {len(values)} rounds in turn",
        }
    )  # fmt: skip


def one(name: str, value: float, unit: str, better: str, on: str) -> Measure:
    """A number of the last round."""
    return Measure.model_validate(
        {"name": name, "value": value, "n": 1, "unit": unit, "better": better, "model": on, "command": COMMAND}
    )


def main() -> None:
    """Measure, print, and write a report where one is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4, help="updates in a turn")
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contestant:
        conductor = Conductor(sys.stdin, sys.stdout)
        CONTESTANTS[given.contestant](SETTINGS[given.only[0]], given.rows, conductor)
        return
    measures: list[Measure] = []
    for name in given.only:
        measures += side_by_side(SETTINGS[name], given.contestants, given.rounds, given.steps)
        for measure in measures[-len(given.contestants) * 5 + 1 :]:
            spread = "" if measure.low is None else f"[{measure.low:.3f}, {measure.high:.3f}]"
            print(f"{measure.name:<75} {measure.value:10.3f} {measure.unit:<10} {spread}", flush=True)
    if given.out:
        write_report(given.out, tuple(measures))


if __name__ == "__main__":
    main()
