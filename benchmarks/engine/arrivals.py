"""Requests of mixed lengths that come one after the other, at twice the rate at which they would be served alone.

    python -m benchmarks.engine.arrivals [--shapes 15M 110M] [--out report.json]

`generate_batch` takes a list and is left out: it cannot be asked later.
"""

from __future__ import annotations

import random

from benchmarks.engine.contestants import OURS, PEERS
from benchmarks.engine.shapes import prompts
from benchmarks.engine.turns import Job, run

PACE_S = {"toy": 0.02, "15M": 0.1, "110M": 0.5, "335M": 1.5, "500M": 2.5}  # mean seconds between two requests
NAMES = [name for name in PEERS if name != "transformers generate_batch"]


def jobs(shape: str, tokens: int, round: int) -> dict[str, Job]:
    """Forty requests, prompts of 16 to 256 tokens, a Poisson process."""
    draw, at, times = random.Random(1), 0.0, []
    for _ in range(40):
        times.append(at)
        at += draw.expovariate(1 / PACE_S[shape])
    return {"arrivals": Job(prompts(shape, 40, 128, mixed=True, seed=round), tokens, times)}


if __name__ == "__main__":
    run("benchmarks.engine.arrivals", __doc__ or "", [*OURS, *NAMES], jobs, NAMES, ["15M", "110M"])
