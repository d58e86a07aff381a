"""A measure of METEOR's class: words matched as they stand and by their stems, recall above precision, order rewarded.

Sources   Banerjee & Lavie 2005, ACL workshop on evaluation measures, section 2: F = 10 PR / (R + 9 P), times
          1 - 0.5 · (chunks / matches) ** 3
          Lavie & Agarwal 2007, WMT (the three constants, tuned anew for English)
Differs   synonyms and paraphrases are left out, as their tables are not here, so values are below METEOR's where wording
          differs; matches are laid into chunks longest run first, which is mostly but not always the fewest chunks; a
          Chinese character is a word
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_mean
from langwright.metrics.rouge import pieces
from langwright.metrics.stemming import stem
from langwright.metrics.yardsticks import Yardstick

METEOR = Yardstick(
    name="METEOR, exact and stem", unit="share", better="higher",
    method="weighted mean of precision and recall of matched words less a penalty for broken order, against the right text that scores best, mean over {n} texts (Banerjee & Lavie 2005; alpha {alpha}, beta {beta}, gamma {gamma}; words matched as they stand and by stem, without synonyms); interval: {draws} bootstrap draws over texts",
    does_not_show="what is right in other words, as synonyms are not matched; published METEOR values, which are matched with them",
)  # fmt: skip


class Weights(NamedTuple):
    """Constants of the score: weight of precision, exponent and size of the penalty."""

    alpha: float
    beta: float
    gamma: float


ORIGINAL = Weights(0.9, 3.0, 0.5)  # Banerjee & Lavie 2005
TUNED = Weights(0.81, 0.83, 0.28)  # Lavie & Agarwal 2007


class Aligned(NamedTuple):
    """How many words are matched, in how many chunks that stand together on both sides."""

    matches: int
    chunks: int


def align(said: Sequence[str], right: Sequence[str]) -> Aligned:
    """Match words as they stand, then those that are left by their stems, each the longest run first."""
    partner: list[int | None] = [None] * len(said)
    for form in (lambda word: word, stem):
        ours, theirs = [form(word) for word in said], [form(word) for word in right]
        while run := longest_run(ours, theirs, partner):
            start, other, length = run
            for step in range(length):
                partner[start + step] = other + step
    places = [(place, other) for place, other in enumerate(partner) if other is not None]
    joined = sum(after == (place + 1, other + 1) for (place, other), after in pairwise(places))
    return Aligned(len(places), len(places) - joined)


def longest_run(said: Sequence[str], right: Sequence[str], partner: Sequence[int | None]) -> tuple[int, int, int] | None:  # fmt: skip
    """(place in said, place in right, length) of the longest run of equal words not matched yet."""
    taken = {other for other in partner if other is not None}
    best, before = (0, 0, 0), [0] * (len(right) + 1)
    for place, word in enumerate(said):
        row = [0] * (len(right) + 1)
        for other, match in enumerate(right):
            if word == match and partner[place] is None and other not in taken:
                row[other + 1] = before[other] + 1
                if row[other + 1] > best[2]:
                    best = (place - row[other + 1] + 1, other - row[other + 1] + 1, row[other + 1])
        before = row
    return best if best[2] else None


def meteor(said: str, right: Sequence[str], weights: Weights = ORIGINAL) -> float:
    """Score of one text against the right text that it is nearest to; 0 where no word is matched, or there is no text.

    raises  ValueError without a right text
    """
    if not right:
        raise ValueError("no right text")
    return max(scored(pieces(said), pieces(one), weights) for one in right)


def scored(said: Sequence[str], right: Sequence[str], weights: Weights) -> float:
    """F less the penalty."""
    matches, chunks = align(said, right)
    if not matches:
        return 0.0
    precision, recall = matches / len(said), matches / len(right)
    mean = precision * recall / (weights.alpha * precision + (1 - weights.alpha) * recall)
    return mean * (1 - weights.gamma * math.pow(chunks / matches, weights.beta))


def meteor_scores(said: Sequence[str], right: Sequence[Sequence[str]], weights: Weights = ORIGINAL, *, seed: int = 0) -> Measure:  # fmt: skip
    """Mean over texts; ValueError when lengths differ or nothing is given."""
    if len(said) != len(right) or not said:
        raise ValueError(f"{len(said)} texts for {len(right)}")
    each = [meteor(one, other, weights) for one, other in zip(said, right, strict=True)]
    return METEOR.measure(
        sum(each) / len(each), bootstrap_mean(each, seed=seed), n=len(each), seed=seed, draws=DRAWS, **weights._asdict()
    )
