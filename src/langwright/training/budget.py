"""The one dial: from minutes to a model's size and its number of updates, on this machine.

Source    Hoffmann et al. 2022, arXiv:2203.15556: compute C = 6·N·D is spent best at about D = 20·N tokens
          Muennighoff et al. 2023, arXiv:2305.16264: up to about four epochs are nearly as good as fresh text
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

TOKENS_PER_WEIGHT = 20
USEFUL_EPOCHS = 4


@dataclass(frozen=True)
class Candidate:
    """A preset, as it would be trained here."""

    name: str
    parameters: int
    flops_per_token: float


@dataclass(frozen=True)
class Choice:
    """What was chosen. `message` and `values` say why, for `wording.say`."""

    preset: str
    steps: int
    message: str
    values: Mapping[str, str | int | float]


WHY = (
    "{preset} for {minutes:g} minutes: {speed:.0f} tokens/s were measured, so {steps} updates read {tokens:.2g} tokens, "
    "{per_weight:.2g} for each of {parameters:.2g} weights and {epochs:.2g} passes over the text"
)


def best_size(compute: float, corpus_tokens: int) -> float:
    """Weights that spend this many FLOP best, given that text beyond a few passes teaches little more."""
    weights = math.sqrt(compute / (6 * TOKENS_PER_WEIGHT))
    enough_text = USEFUL_EPOCHS * corpus_tokens
    if TOKENS_PER_WEIGHT * weights > enough_text:  # the text is short: spend what is left on a larger model
        weights = compute / (6 * enough_text)
    return weights


def choose(
    minutes: float,
    candidates: Sequence[Candidate],
    speed: Callable[[str], float],
    corpus_tokens: int,
    tokens_per_update: Callable[[str], int],
) -> Choice:
    """The candidate nearest to the best size for this time, and as many updates as the time allows.

    speed              measured training speed of a candidate in tokens/s; asked twice at most
    tokens_per_update  positions in one update of a candidate
    """
    seconds = 60 * minutes
    middle = candidates[len(candidates) // 2]
    compute = seconds * speed(middle.name) * middle.flops_per_token
    wanted = best_size(compute, corpus_tokens)
    chosen = min(candidates, key=lambda c: abs(math.log(c.flops_per_token / 6) - math.log(wanted)))
    rate = speed(chosen.name)
    steps = max(1, round(seconds * rate / tokens_per_update(chosen.name)))
    tokens = steps * tokens_per_update(chosen.name)
    return Choice(
        chosen.name,
        steps,
        WHY,
        {
            "preset": chosen.name, "minutes": minutes, "speed": rate, "steps": steps, "tokens": float(tokens),
            "per_weight": tokens / chosen.parameters, "parameters": float(chosen.parameters),
            "epochs": tokens / max(corpus_tokens, 1),
        },
    )  # fmt: skip
