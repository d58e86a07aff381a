"""How common terms are in other texts, against which a text's own are weighed.

Source    Spärck Jones 1972, Journal of Documentation 28:11 (weighting by inverse document frequency)
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from langwright.data.terms import terms


@dataclass(frozen=True)
class Background:
    """Texts that were counted, and in how many of them each term stands."""

    texts: int
    having: Counter[str]

    def rarity(self, key: str) -> float:
        """ln((1 + texts) / (1 + texts that have it)) + 1: not infinite for a term that no text has, 1 for one of all."""
        return math.log((1 + self.texts) / (1 + self.having[key])) + 1


def counted(texts: Iterable[str]) -> Background:
    """The terms of texts."""
    having: Counter[str] = Counter()
    number = 0
    for text in texts:
        having.update({term.key for term in terms(text) if term.content})
        number += 1
    return Background(number, having)
