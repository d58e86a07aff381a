"""Five-shot evaluation: 800 tokens that all prompts share and 40 of their own, with prefixes kept and without.

python -m benchmarks.engine.prefixes [--shapes 110M] [--out report.json]
"""

from __future__ import annotations

from benchmarks.engine.shapes import prompts
from benchmarks.engine.turns import Job, run

WITHOUT = "ours int8, no prefixes kept"


def jobs(shape: str, tokens: int, round: int) -> dict[str, Job]:
    """Sixty-four questions, one token of answer each, as where an answer is a letter."""
    return {"5-shot": Job(prompts(shape, 64, 40, shared=800, seed=round), 1)}


if __name__ == "__main__":
    run("benchmarks.engine.prefixes", __doc__ or "", ["ours int8", WITHOUT], jobs, [WITHOUT], ["15M", "110M"])
