"""What an answer costs: time, memory, and room on disk."""

from __future__ import annotations

from collections.abc import Sequence

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_ratio
from langwright.metrics.yardsticks import Yardstick

ELSEWHERE = "another machine, or this one when it is busy; requests that come at once"
TIME = Yardstick(
    name="time a text", unit="s", better="lower", does_not_show=ELSEWHERE,
    method="wall-clock time over {n} texts, given {block} at once, the first batch left out where there are several; interval: {draws} bootstrap draws over batches",
)  # fmt: skip
MEMORY = Yardstick(
    name="peak memory while measured", unit="bytes", better="lower", does_not_show=ELSEWHERE,
    method="largest resident size of the process, or allocated on the GPU, libraries and data included",
)  # fmt: skip
ON_DISK = Yardstick(
    name="size on disk", unit="bytes", better="lower",
    method="sum of {n} files of weights, those of heads and adapters included",
    does_not_show="how much memory they take once loaded",
)  # fmt: skip


def time_a_text(seconds: Sequence[float], texts: Sequence[int], block: int, *, seed: int = 0) -> Measure:
    """Time over texts, all batches together.

    seconds, texts  of each batch, in order; the first, which also warms up, is left out where there are several
    block           most texts of a batch
    raises          ValueError when lengths differ or there are no texts
    """
    if len(seconds) != len(texts) or sum(texts) == 0:
        raise ValueError(f"{len(seconds)} times for {len(texts)} batches")
    spent, done = (seconds[1:], texts[1:]) if len(texts) > 1 else (seconds, texts)
    interval = bootstrap_ratio(spent, done, seed=seed)
    return TIME.measure(sum(spent) / sum(done), interval, n=sum(done), seed=seed, block=block, draws=DRAWS)
