"""What it costs that every token of every request is handed to a reader's thread as it comes.

python -m benchmarks.engine.streaming [--shapes 110M] [--out report.json]
"""

from __future__ import annotations

from benchmarks.engine.shapes import prompts
from benchmarks.engine.turns import Job, run


def jobs(shape: str, tokens: int, round: int) -> dict[str, Job]:
    """Thirty-two requests at once."""
    return {"batch 32": Job(prompts(shape, 32, 128, seed=round), tokens)}


if __name__ == "__main__":
    run(
        "benchmarks.engine.streaming",
        __doc__ or "",
        ["ours int8, streaming", "ours int8"],
        jobs,
        ["ours int8"],
        ["15M", "110M"],
    )
