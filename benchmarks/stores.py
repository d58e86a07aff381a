"""What the stores cost a request, on SQLite in a file.

    python -m benchmarks.stores [--times 300]

Milliseconds of finding a key, of writing a row of the audit log with a count, and of a turn that waits for the disk.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable

from langwright.serving.stores.audit import Record, note
from langwright.serving.stores.conversations import add_turn, begin_conversation
from langwright.serving.stores.keys import any_key, create_key, find_key
from langwright.serving.stores.opening import open_stores
from langwright.serving.stores.quotas import Used


def measure(name: str, work: Callable[[], object], times: int) -> None:
    """Print the median and the 99th percentile of some work, after twenty that do not count."""
    taken = []
    for number in range(times + 20):
        began = time.perf_counter()
        work()
        if number >= 20:
            taken.append(1000 * (time.perf_counter() - began))
    taken.sort()
    print(f"{name:32} median {taken[times // 2]:6.2f} ms   p99 {taken[int(0.99 * times)]:6.2f} ms", flush=True)


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=300)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        stores = open_stores(f"sqlite:///{folder}/state.db")
        measure("is there any key", lambda: any_key(stores), times)
        made = create_key(stores, name="n", purpose="p", scopes=["ask"])
        measure("find a key", lambda: find_key(stores, made.secret), times)
        row = Record("r" * 20, made.key.id, "o", "POST", "/v1/completions", "answered", model="m", digest="d" * 64)
        counts = [Used(made.key.id, "2026-01-01", 1, 5)]
        measure("a row of the log and a count", lambda: note(stores, [row], counts), times)
        one = begin_conversation(stores, "o")
        measure("a turn, on the disk", lambda: add_turn(stores, "o", one.id, "user", "hello"), times)
        stores.close()


if __name__ == "__main__":
    main()
