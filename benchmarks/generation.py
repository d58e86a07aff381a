"""Writing speed of the engine beside transformers' `generate`: the same model, prompts and tokens, greedy.

    python -m benchmarks.generation [--rounds 5] [--preset mini] [--tokens 64] [--batches 1 8 32] [--out report.json]

Both run in this process and take turns within a round, so that what else goes on on the machine falls on
both alike. Prompts have different lengths; transformers gets them as one left-padded batch, the engine
one by one, as a server would. That both write the same tokens is checked first. Reported are medians over
rounds with the smallest and the largest.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from langwright.measures import Measure, write_report

if TYPE_CHECKING:
    from transformers import PreTrainedModel

COMMAND = "python -m benchmarks.generation"
NOT_SHOWN = "GPUs, other sizes, requests that come and go (there `generate` must wait for the slowest), sampling"
VOCABULARY = 8192


def prompts_of(count: int, shortest: int = 8, longest: int = 48) -> list[list[int]]:
    """Random prompts of different lengths."""
    draw = random.Random(0)
    return [[draw.randrange(1, VOCABULARY) for _ in range(draw.randint(shortest, longest))] for _ in range(count)]


def by_engine(model: PreTrainedModel, prompts: Sequence[list[int]], tokens: int) -> Callable[[], list[list[int]]]:
    """Ours, with as many places as there are prompts."""
    from langwright.inference.engine import TorchEngine
    from langwright.inference.protocol import Request, Sampling

    engine = TorchEngine(model, max_batch=len(prompts))
    requests = [Request(prompt, Sampling(max_new_tokens=tokens)) for prompt in prompts]
    return lambda: [done.ids for done in engine.generate(requests)]


def by_transformers(model: PreTrainedModel, prompts: Sequence[list[int]], tokens: int) -> Callable[[], list[list[int]]]:
    """Theirs, one left-padded batch."""
    import torch

    longest = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])

    def run() -> list[list[int]]:
        made = model.generate(ids, attention_mask=mask, max_new_tokens=tokens, do_sample=False, pad_token_id=0)
        return [row[longest:] for row in made.tolist()]

    return run


def side_by_side(contestants: dict[str, Callable[[], list[list[int]]]], rounds: int) -> dict[str, list[float]]:
    """Tokens per second of each, in turn, after one round that does not count and in which they must agree."""
    first = [work() for work in contestants.values()]
    if any(made != first[0] for made in first):
        raise SystemExit("the contestants wrote different tokens; their speeds cannot be compared")
    count = sum(len(row) for row in first[0])
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, work in contestants.items():
            began = time.perf_counter()
            work()
            found[name].append(count / (time.perf_counter() - began))
    return found


def over_rounds(name: str, values: Sequence[float], unit: str, on: str) -> Measure:
    """The median with the smallest and the largest round."""
    return Measure(
        name=name, value=statistics.median(values), low=min(values), high=max(values), n=len(values), unit=unit,
        better="higher", model=on, command=COMMAND, does_not_show=NOT_SHOWN,
        method=f"tokens over wall time; median, smallest and largest of {len(values)} interleaved rounds",
    )  # fmt: skip


def measure(preset: str, batch: int, tokens: int, rounds: int) -> list[Measure]:
    """Both speeds and their ratio at one batch size."""
    from langwright.models.building import build_model
    from langwright.models.presets import PRESETS

    model = build_model(PRESETS[preset], VOCABULARY, 512, seed=0).eval()
    prompts = prompts_of(batch)
    found = side_by_side(
        {"engine": by_engine(model, prompts, tokens), "transformers generate": by_transformers(model, prompts, tokens)},
        rounds,
    )
    on = f"preset {preset}, random weights, {batch} prompts of 8 to 48 tokens, {tokens} new tokens each"
    ratios = [ours / theirs for ours, theirs in zip(*found.values(), strict=True)]
    measures = [over_rounds(f"tokens per second, {name}, batch {batch}", found[name], "tokens/s", on) for name in found]
    return [*measures, over_rounds(f"engine over transformers generate, batch {batch}", ratios, "ratio", on)]


def main() -> None:
    """Measure, print, and write a report where one is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--preset", default="mini")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    measures = [m for batch in given.batches for m in measure(given.preset, batch, given.tokens, given.rounds)]
    for found in measures:
        print(f"{found.name:<55} {found.value:10.2f} {found.unit:<9} [{found.low:.2f}, {found.high:.2f}]")
    if given.out:
        write_report(given.out, tuple(measures))


if __name__ == "__main__":
    main()
