"""Tokens a second at batches of 1, 8 and 32, beside transformers' `generate` and `generate_batch`, CTranslate2, llama.cpp and OpenVINO.

python -m benchmarks.engine.throughput [--shapes 15M 110M] [--out report.json]
"""

from __future__ import annotations

from benchmarks.engine.contestants import OURS, PEERS
from benchmarks.engine.shapes import prompts
from benchmarks.engine.turns import Job, run


def jobs(shape: str, tokens: int, round: int) -> dict[str, Job]:
    """Prompts of 128 tokens, all at once."""
    return {f"batch {count}": Job(prompts(shape, count, 128, seed=round), tokens) for count in (1, 8, 32)}


if __name__ == "__main__":
    run(
        "benchmarks.engine.throughput",
        __doc__ or "",
        [*OURS, *PEERS],
        jobs,
        list(PEERS),
        ["15M", "110M", "335M", "500M"],
    )
