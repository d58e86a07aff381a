"""One process against two: tokens a second, and whether they make the same model.

    python -m benchmarks.processes [--rounds 5] [--only mini small] [--steps 12] [--out report.json]

Each contestant is the command a person would type, `langwright pretrain … --on processes:2`, on the same rows for
the same updates in float32; they take turns, so that what else goes on on the machine falls on all alike. A rate is
the median over a run's updates but the first three. Two processes share the cores that one process has to itself.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from langwright.measures import Measure, write_report

ALONE = "one process"
CONTESTANTS = {
    ALONE: (),
    "two processes, ddp": ("--on", "processes:2"),
    "two processes, fsdp": ("--on", "processes:2,fsdp"),
}
PRESETS = ("mini", "small")
ROWS, LENGTH = 8, 256
SETTLED = 3  # updates that are not counted


def langwright(folder: Path, *words: str) -> None:
    """Run a command of the library."""
    command = [sys.executable, "-m", "langwright", *words]
    done = subprocess.run(command, cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr}")


def prepare(folder: Path) -> None:
    """A dataset of invented words, spread as words of a text are, and a tokenizer for it."""
    draw = random.Random(0)
    words = ["".join(draw.choices("aeiounrstlkmdp", k=draw.randint(2, 9))) for _ in range(3000)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    for number in range(120):
        (folder / "texts").mkdir(exist_ok=True)
        text = " ".join(draw.choices(words, weights, k=1500))
        (folder / "texts" / f"{number}.txt").write_text(text, encoding="utf-8")
    langwright(folder, "data", "read", "texts", "data")
    langwright(folder, "tokenizer", "train", "data", "tok", "--set", "vocab_size=2048")


def run(folder: Path, out: str, preset: str, steps: int, on: Sequence[str]) -> float:
    """Make a model; tokens a second."""
    from langwright.runlog import Stepped, read_events

    settings = {
        "preset": f'"{preset}"', "length": LENGTH, "steps": steps, "batch_rows": ROWS, "micro_rows": ROWS, "dtype": '"float32"',
        "compile": '"off"', "device": '"cpu"', "evaluate_every_share": 1.0, "sample_every_share": 1.0,
    }  # fmt: skip
    sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    langwright(folder, "pretrain", "data", "tok", out, *sets, *on)
    events = read_events(folder / out / "run" / "events.jsonl")
    found = [event.tokens_per_second for event in events if isinstance(event, Stepped)]
    return statistics.median(found[SETTLED:])


def difference(folder: Path, one: str, other: str) -> float:
    """The largest difference of a weight."""
    from safetensors.torch import load_file

    ours, theirs = (load_file(folder / name / "model.safetensors") for name in (one, other))
    return max((ours[name] - theirs[name]).abs().max().item() for name in ours)


def measure(preset: str, rounds: int, steps: int) -> list[Measure]:
    """Rates of all contestants over rounds in turn, their ratios to one process, and how far their models differ."""
    rates: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        prepare(folder)
        for number in range(rounds):
            for name, on in CONTESTANTS.items():
                rates[name].append(run(folder, f"{number}-{name}", preset, steps, on))
        apart = {name: difference(folder, f"0-{ALONE}", f"0-{name}") for name in CONTESTANTS if name != ALONE}
    about = {
        "model": f"preset {preset}, {ROWS} rows of {LENGTH} tokens, float32",
        "command": "python -m benchmarks.processes",
        "does_not_show": f"several GPUs or machines; here {os.cpu_count()} cores are shared",
    }
    found = []
    for name, values in rates.items():
        ratios = [a / b for a, b in zip(values, rates[ALONE], strict=True)]
        method = f"median, smallest and largest of {rounds} rounds in turn"
        for label, unit, numbers in ((name, "tokens/s", values), (f"{name} over {ALONE}", "ratio", ratios)):
            if unit == "tokens/s" or name != ALONE:
                found.append(
                    Measure(name=f"{preset}: {label}", value=statistics.median(numbers), low=min(numbers), high=max(numbers),
                            n=rounds, unit=unit, better="higher", method=method, **about)
                )  # fmt: skip
    for name, value in apart.items():
        found.append(
            Measure(name=f"{preset}: {name}, largest difference of a weight", value=value, unit="", better="lower", n=steps,
                    method=f"from the model of one process after {steps} updates", **about)
        )  # fmt: skip
    return found


def main() -> None:
    """Measure, print, and write a report where one is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--only", nargs="+", choices=PRESETS, default=list(PRESETS))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    measures = [found for preset in given.only for found in measure(preset, given.rounds, given.steps)]
    for found in measures:
        spread = f"  [{found.low:.4g}, {found.high:.4g}]" if found.low is not None and found.high is not None else ""
        print(f"{found.name:60} {found.value:.4g} {found.unit}{spread}")
    if given.out:
        write_report(given.out, tuple(measures))


if __name__ == "__main__":
    main()
