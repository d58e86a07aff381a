"""Self-BLEU: how alike generated texts are to each other.

Source    Zhu et al. 2018 (Texygen), arXiv:1802.01886: BLEU of each text with all others as right ones
Differs   orders without a match are smoothed as sacrebleu's sentence score does (Lin & Och 2004, ACL; halved
          each time), and only orders that the text has room for are counted; Chinese by characters
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_mean
from langwright.metrics.units import ngrams, units
from langwright.metrics.yardsticks import Yardstick

ORDERS = 4
SELF_BLEU = Yardstick(
    name="self-BLEU", unit="share", better="neither",
    method="BLEU of each of {n} texts with all others as right ones, mean, counted in Chinese characters, words of other scripts and punctuation marks (Zhu et al. 2018); interval: {draws} bootstrap draws over texts, the others kept",
    does_not_show="whether the texts make sense; other numbers of texts, as it grows with them",
)  # fmt: skip

Run = tuple[str, ...]


def self_bleu(texts: Sequence[str], *, seed: int = 0) -> Measure:
    """Mean over texts; ValueError with fewer than two texts that are not empty."""
    cut = [found for text in texts if (found := units(text))]
    if len(cut) < 2:
        raise ValueError(f"{len(cut)} texts with something in them")
    runs = [[Counter(ngrams(text, order)) for text in cut] for order in range(1, ORDERS + 1)]
    most = [two_highest(counted) for counted in runs]
    lengths = sorted(map(len, cut))
    scores = []
    for place, text in enumerate(cut):
        hits = [clipped(runs[order][place], most[order]) for order in range(ORDERS)]
        scores.append(bleu_of(hits, len(text), nearest(lengths, len(text))))
    value = sum(scores) / len(scores)
    return SELF_BLEU.measure(value, bootstrap_mean(scores, seed=seed), n=len(scores), seed=seed, draws=DRAWS)


def two_highest(counted: Sequence[Counter[Run]]) -> dict[Run, tuple[int, int]]:
    """For each run its highest and second highest count in a text; the second is what the text with the first is clipped by."""
    highest: dict[Run, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for text in counted:
        for run, count in text.items():
            first, second = highest[run]
            highest[run] = (count, first) if count > first else (first, max(second, count))
    return highest


def clipped(own: Counter[Run], most: dict[Run, tuple[int, int]]) -> int:
    """How many of a text's runs stand in another text, each at most as often as in the other that has it most often."""
    return sum(min(count, most[run][1] if count == most[run][0] else most[run][0]) for run, count in own.items())


def nearest(lengths: Sequence[int], own: int) -> int:
    """The length nearest to a text's among the others', the shorter of two; `lengths` is sorted and holds its own."""
    place = bisect_left(lengths, own)
    others = [*lengths[max(0, place - 1) : place], *lengths[place + 1 : place + 2]]
    return min(others, key=lambda length: (abs(length - own), length))


def bleu_of(hits: Sequence[int], length: int, right: int) -> float:
    """BLEU of one text from its clipped matches of each order, 0 where not one piece is shared."""
    if not hits[0]:
        return 0.0
    logs, smooth = 0.0, 1.0
    orders = min(ORDERS, length)
    for order in range(orders):
        room = length - order
        if not hits[order]:
            smooth *= 2
        logs += math.log(hits[order] / room if hits[order] else 1 / (smooth * room))
    brevity = min(0.0, 1 - right / length)
    return math.exp(brevity + logs / orders)
