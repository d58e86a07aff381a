"""What keeping beginnings is worth: scoring answers behind the same examples, with and without.

    python -m benchmarks.prefixes [--rounds 5] [--preset small] [--shared 800] [--own 40] [--rows 16] [--strict] [--out report.json]

An evaluation with examples asks rows that begin alike. Both engines run in this process and take turns within
a round; every round has examples of its own, so that nothing is known from the round before. That both give
the same scores is checked first. Reported are medians over rounds with the smallest and the largest.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from langwright.measures import Measure, write_report

COMMAND = "python -m benchmarks.prefixes"
NOT_SHOWN = "GPUs, other sizes, rows that share less"
VOCABULARY = 8192


def rows_of(number: int, shared: int, own: int, rows: int) -> list[list[int]]:
    """Rows with the same beginning, another for every number."""
    draw = random.Random(number)

    def ids(count: int) -> list[int]:
        return [draw.randrange(1, VOCABULARY) for _ in range(count)]

    beginning = ids(shared)
    return [beginning + ids(own) for _ in range(rows)]


def measure(preset: str, shared: int, own: int, rows: int, rounds: int, strict: bool = False) -> list[Measure]:
    """Both speeds and their ratio; `strict`: of scores whose bits do not depend on each other."""
    from langwright.inference.engine import TorchEngine
    from langwright.inference.precision import Preparation
    from langwright.models.building import build_model
    from langwright.models.presets import PRESETS

    how = Preparation(strict=strict)
    models = [build_model(PRESETS[preset], VOCABULARY, shared + own, seed=0).eval() for _ in range(2)]
    engines = {
        "kept": TorchEngine(models[0], preparation=how),
        "read again": TorchEngine(models[1], preparation=how, prefix_bytes=0),
    }
    first = [engine.score(rows_of(0, shared, own, 3)) for engine in engines.values()]
    apart = max(abs(a - b) for one, other in zip(*first, strict=True) for a, b in zip(one, other, strict=True))
    if apart > 1e-3:
        raise SystemExit(f"the scores are {apart} apart; their speeds cannot be compared")
    found: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(1, rounds + 1):
        asked = rows_of(number, shared, own, rows)
        for name, engine in engines.items():
            began = time.perf_counter()
            engine.score(asked)
            found[name].append(rows / (time.perf_counter() - began))
    for engine in engines.values():
        engine.close()
    on = f"preset {preset}, random weights, {rows} rows of {shared} shared and {own} own tokens{', strict' if strict else ''}"
    ratios = [kept / again for kept, again in zip(*found.values(), strict=True)]
    named = [(f"rows per second, beginnings {name}", values, "rows/s") for name, values in found.items()]
    return [over_rounds(*one, on) for one in [*named, ("kept over read again", ratios, "ratio")]]


def over_rounds(name: str, values: Sequence[float], unit: str, on: str) -> Measure:
    """The median with the smallest and the largest round."""
    return Measure(
        name=name, value=statistics.median(values), low=min(values), high=max(values), n=len(values), unit=unit,
        better="higher", model=on, command=COMMAND, does_not_show=NOT_SHOWN,
        method=f"rows over wall time; median, smallest and largest of {len(values)} interleaved rounds",
    )  # fmt: skip


def main() -> None:
    """Measure, print, and write a report where one is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--shared", type=int, default=800)
    parser.add_argument("--own", type=int, default=40)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    measures = measure(given.preset, given.shared, given.own, given.rows, given.rounds, given.strict)
    for found in measures:
        print(f"{found.name:<45} {found.value:10.2f} {found.unit:<7} [{found.low:.2f}, {found.high:.2f}]")
    if given.out:
        write_report(given.out, tuple(measures))


if __name__ == "__main__":
    main()
