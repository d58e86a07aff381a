"""The one dial: from minutes to a model's size, the number of its updates and how they are cut, on this machine.

Of the shapes there are, the one with the lowest predicted loss is taken, each trained on as many tokens
as it gets through in the time:

    L = E + A / N'^α + B / D'^β        D' = U + U · R* · (1 - exp(-R / R*)),  R = D / U - 1

N is the number of weights, D the tokens read and U those of the corpus. The second formula says what
reading the same text again is worth: four passes nearly as much as fresh text, forty hardly more than
fifteen. N' is the same of weights, where U / 20 of them are what the corpus can fill and more are worth
ever less. With text to spare N' = N and D' = D, and the loss is lowest near twenty tokens a weight.

Source    Hoffmann et al. 2022, arXiv:2203.15556, equation 2; constants as fitted again by Besiroglu et al. 2024,
          arXiv:2404.10102, table 1, since the original's contradict its other two estimates
          Muennighoff et al. 2023, arXiv:2305.16264, equations 5 and 6, R* = 15.4 for tokens and 5.3 for weights
          Kaplan et al. 2020, arXiv:2001.08361, section 5.1: batches below the critical size (hundreds of
          thousands of tokens at the losses reached here) waste nothing, so updates are kept small and many
Differs from the papers: their models have 40M weights and more, ours from 1M; the constants are carried over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

IRREDUCIBLE, OF_SIZE, SIZE_POWER, OF_DATA, DATA_POWER = 1.8172, 482.01, 0.3478, 2085.43, 0.3658
REPEATED_TOKENS, EXCESS_WEIGHTS = 15.4, 5.3
TOKENS_PER_WEIGHT = 20
MOST_PASSES = 40  # the second source's figure 3: what is read more often teaches nothing, and in the end does harm
IN_UPDATES = 0.92  # of the time; the rest goes into evaluation, samples and checkpoints
UPDATES = 1000  # at least, before an update is made larger than two rows
MOST_TOKENS = 16384  # an update: larger ones are no faster on two cores


@dataclass(frozen=True)
class Candidate:
    """A preset, as it would be trained here."""

    name: str
    parameters: int
    flops_per_token: float
    length: int = 512  # positions a row


@dataclass(frozen=True)
class Choice:
    """What was chosen. `message` and `values` say why, for `wording.say`."""

    preset: str
    steps: int
    batch_rows: int
    length: int
    message: str
    values: Mapping[str, str | int | float]


WHY = (
    "{preset} for {minutes:g} minutes: at the measured {speed:.0f} tokens/s, {steps} updates read {tokens:.2g} tokens, "
    "{per_weight:.2g} for each of {parameters:.2g} weights and {epochs:.2g} passes over the text; "
    "of {tried} this size is predicted to learn most"
)
SHORT = (
    "{preset} for less than {minutes:g} minutes: at the measured {speed:.0f} tokens/s, {steps} updates read {tokens:.2g} "
    "tokens, which is {epochs:.2g} passes over the text; to read it more often would teach nothing, more text would"
)
ONLY = (
    "{preset} for {minutes:g} minutes: at the measured {speed:.0f} tokens/s, {steps} updates read {tokens:.2g} tokens, "
    "{per_weight:.2g} for each of {parameters:.2g} weights and {epochs:.2g} passes over the text"
)


def worth_of(amount: float, fresh: float, half_life: float) -> float:
    """What an amount beyond the useful one is worth: D' of tokens read from a corpus of `fresh`, N' of weights."""
    if amount <= fresh:
        return amount
    return fresh * (1 + half_life * (1 - math.exp(-(amount / fresh - 1) / half_life)))


def predicted_loss(parameters: float, tokens: float, corpus_tokens: float) -> float:
    """L in nats a token; see the module. Good for comparing sizes, not for promising a loss."""
    corpus = max(corpus_tokens, 1.0)
    data = worth_of(max(tokens, 1.0), corpus, REPEATED_TOKENS)
    weights = worth_of(parameters, corpus / TOKENS_PER_WEIGHT, EXCESS_WEIGHTS)
    return IRREDUCIBLE + OF_SIZE / math.pow(weights, SIZE_POWER) + OF_DATA / math.pow(data, DATA_POWER)


def update_size(tokens: float, length: int) -> int:
    """Positions of an update when this many are read in all: whole rows, a power of two of them, two at least."""
    wanted = min(tokens / UPDATES, MOST_TOKENS)
    rows = max(2, 1 << math.floor(math.log2(max(wanted / length, 1.0))))
    return rows * length


def choose(
    minutes: float,
    candidates: Sequence[Candidate],
    speed: Callable[[str], float],
    corpus_tokens: int,
    tokens_per_update: Callable[[str], int] | None = None,
) -> Choice:
    """The candidate with the lowest predicted loss in this time, and as many updates as the time allows.

    candidates         from the smallest to the largest, one at least
    speed              measured training speed of a candidate in tokens/s. The smallest is asked for first, and a larger
                       one only if it would win at the smaller one's FLOP/s: large models are slow to measure too
    corpus_tokens      of the training split
    tokens_per_update  positions in an update of a candidate, where that is decided elsewhere
    """
    seconds = 60 * minutes * IN_UPDATES
    most = MOST_PASSES * max(corpus_tokens, 1)
    best, rate = candidates[0], speed(candidates[0].name)
    loss = predicted_loss(best.parameters, min(seconds * rate, most), corpus_tokens)
    flops = rate * best.flops_per_token
    for larger in candidates[1:]:
        hoped = min(seconds * flops / larger.flops_per_token, most)
        if predicted_loss(larger.parameters, hoped, corpus_tokens) >= loss:
            break
        measured = speed(larger.name)
        flops = measured * larger.flops_per_token
        reached = predicted_loss(larger.parameters, min(seconds * measured, most), corpus_tokens)
        if reached >= loss:
            break
        best, rate, loss = larger, measured, reached
    an_update = (
        tokens_per_update(best.name) if tokens_per_update else update_size(min(seconds * rate, most), best.length)
    )
    steps = max(1, round(min(seconds * rate, most) / an_update))
    message = SHORT if seconds * rate > most else WHY if len(candidates) > 1 else ONLY
    return Choice(
        preset=best.name,
        steps=steps,
        batch_rows=max(1, an_update // best.length),
        length=best.length,
        message=message,
        values=reasons(best, rate, minutes, steps, steps * an_update, corpus_tokens, candidates),
    )


def reasons(
    chosen: Candidate,
    rate: float,
    minutes: float,
    steps: int,
    tokens: int,
    corpus_tokens: int,
    candidates: Sequence[Candidate],
) -> dict[str, str | int | float]:
    """The values of the messages."""
    return {
        "preset": chosen.name, "minutes": minutes, "speed": rate, "steps": steps, "tokens": float(tokens),
        "per_weight": tokens / chosen.parameters, "parameters": float(chosen.parameters),
        "epochs": tokens / max(corpus_tokens, 1), "tried": ", ".join(c.name for c in candidates),
    }  # fmt: skip
