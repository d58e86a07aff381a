"""What it takes to go on in the midst of a run: from opening a token store to the rows of an update, by size and place.

    python -m benchmarks.resume [--rounds 5] [--megabytes 10 100 1000] [--out report.json]

Stores of tokens of two bytes, rows of 512 tokens, 8 rows an update. A place is how much of the run lies behind it: none,
half an epoch, ten and a half epochs. Sizes and places take turns within a round; the plan of the rows is made once,
before the first round, as a run makes it when it begins. Reported are medians with the smallest and the largest.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from langwright.measures import Measure, write_report

COMMAND = "python -m benchmarks.resume"
NOT_SHOWN = "reading weights and the optimizer's state, which does not depend on the data; disks that are cold"
VOCABULARY, LENGTH, ROWS, DOCUMENT = 8192, 512, 8, 100_000
EPOCHS = {"at the beginning": 0.0, "after half an epoch": 0.5, "after 10.5 epochs": 10.5}


def write_tokens(folder: Path, megabytes: int) -> None:
    """A store of so many megabytes, and the plan of its rows beside it."""
    from langwright.data.packing import saved_plan
    from langwright.data.store import Document, build_store

    draw = random.Random(0)
    ids = [draw.randrange(1, VOCABULARY) for _ in range(DOCUMENT)]

    def documents() -> Iterator[Document]:
        for _ in range(megabytes * 500_000 // DOCUMENT):
            yield Document(ids, None, DOCUMENT)

    saved_plan(build_store(folder, documents(), VOCABULARY), "stream", LENGTH)


def going_on(folder: Path, epochs: float) -> float:
    """Seconds from nothing to the rows of the update at a place."""
    from langwright.data.order import Order
    from langwright.data.packing import saved_plan
    from langwright.data.store import open_store
    from langwright.objectives.next_token import RowExamples
    from langwright.training.feed import Feed

    began = time.perf_counter()
    store = open_store(folder)
    examples = RowExamples(store, saved_plan(store, "stream", LENGTH), 0, False)
    feed = Feed(examples, Order(0, len(examples)), ROWS, ROWS)
    next(feed.updates(int(epochs * len(examples)) // ROWS))
    return time.perf_counter() - began


def measure(sizes: Sequence[int], rounds: int) -> list[Measure]:
    """The times of every size and place."""
    with tempfile.TemporaryDirectory() as scratch:
        folders = {size: Path(scratch) / str(size) for size in sizes}
        for size, folder in folders.items():
            write_tokens(folder, size)
            going_on(folder, 0.0)  # what is imported is not counted
        found: dict[tuple[int, str], list[float]] = {}
        for _ in range(rounds):
            for size, folder in folders.items():
                for place, epochs in EPOCHS.items():
                    found.setdefault((size, place), []).append(1000 * going_on(folder, epochs))
    return [over_rounds(f"{size} MB, {place}", values) for (size, place), values in found.items()]


def over_rounds(name: str, values: Sequence[float]) -> Measure:
    """The median with the smallest and the largest."""
    return Measure(
        name=name, value=statistics.median(values), low=min(values), high=max(values), n=len(values), unit="ms",
        better="lower", command=COMMAND, does_not_show=NOT_SHOWN,
        method=f"wall time; median, smallest and largest of {len(values)} rounds in turn",
    )  # fmt: skip


def main() -> None:
    """Measure, print, and write a report where one is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    measures = measure(given.megabytes, given.rounds)
    for found in measures:
        print(f"{found.name:<30} {found.value:10.2f} {found.unit} [{found.low:.2f}, {found.high:.2f}]")
    if given.out:
        write_report(given.out, tuple(measures))


if __name__ == "__main__":
    main()
