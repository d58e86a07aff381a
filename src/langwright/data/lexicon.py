"""Texts as weighted runs of words and pieces of words: which runs are known, and how much each says of a text.

A Chinese character is a word, and so is a mark. A run is known by a hash of 64 bits, so no text stands in what is
kept, and two runs with one hash are about as likely as 1 in 10⁹ among 200,000.

Sources   Joulin et al. 2017, arXiv:1607.01759, section 2 (bags of words and of runs of them, hashed)
          Bojanowski et al. 2017, arXiv:1607.04606, section 3.2 (pieces of words, their edges marked)
          Manning, Raghavan & Schütze 2008, sections 6.2 to 6.4 (1 + ln of the count, times ln of how rare, length 1)
Differs   hashes are looked up among those seen in training and not folded into fewer places, so none share a weight;
          ln((1 + N) / (1 + df)) + 1, as scikit-learn has it; runs of words and pieces have a length of 1 each
Shapes    F known runs    K runs of a text
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from langwright.data.characters import units
from langwright.data.lexicon_settings import Runs

SHORTEST = 2  # letters of a piece
EDGE = "\x02"  # around a word


class Terms(NamedTuple):
    """The known runs of a text.

    places   int64 (K,), each once
    weights  float32 (K,)
    """

    places: NDArray[np.int64]
    weights: NDArray[np.float32]


@dataclass(frozen=True)
class Lexicon:
    """The known runs.

    words, letters  as in `Runs`
    keys  int64 (F,), hashes in ascending order
    idf   float32 (F,): how rare each is
    """

    words: int
    letters: int
    keys: NDArray[np.int64]
    idf: NDArray[np.float32]

    def terms(self, text: str) -> Terms:
        """What stands in a text and is known; nothing where nothing is."""
        found = [self.weighed(counts) for counts in counted(text, self.words, self.letters)]
        places, weights = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.argsort(places, kind="stable")
        return Terms(places[order], weights[order])

    def weighed(self, counts: Counter[int]) -> Terms:
        """The known ones of some runs, of length 1 together."""
        keys = np.fromiter(counts.keys(), np.int64, len(counts))
        often = np.fromiter(counts.values(), np.float64, len(counts))
        places = np.minimum(np.searchsorted(self.keys, keys), max(0, len(self.keys) - 1))
        known = self.keys[places] == keys if len(self.keys) else np.zeros(len(keys), dtype=bool)
        places = places[known]
        weights = (1 + np.log(often[known])) * self.idf[places]
        return Terms(places, (weights / max(float(np.linalg.norm(weights)), 1e-12)).astype(np.float32))


def fit_lexicon(texts: Sequence[str], settings: Runs) -> Lexicon:
    """What is to be known, from training texts; the same texts give the same."""
    stands_in: Counter[int] = Counter()
    for text in texts:
        for counts in counted(text, settings.words, settings.letters):
            stands_in.update(counts.keys())
    kept = sorted((key for key, count in stands_in.items() if count >= settings.fewest), key=lambda key: (-stands_in[key], key))  # fmt: skip
    keys = sorted(kept[: settings.most])
    idf = [math.log((1 + len(texts)) / (1 + stands_in[key])) + 1 for key in keys]
    return Lexicon(settings.words, settings.letters, np.array(keys, dtype=np.int64), np.array(idf, dtype=np.float32))


def counted(text: str, words: int, letters: int) -> tuple[Counter[int], Counter[int]]:
    """How often each run of words stands in a text, and each piece of its words, by their hashes."""
    found = units(text)
    runs = (" ".join(found[at : at + n]) for n in range(1, words + 1) for at in range(len(found) - n + 1))
    marked = [EDGE + word + EDGE for word in found if letters and len(word) > 1]
    pieces = (
        word[at : at + n] for word in marked for n in range(SHORTEST, letters + 1) for at in range(len(word) - n + 1)
    )
    return Counter(map(hashed, runs)), Counter(map(hashed, (f"{EDGE}{EDGE}{piece}" for piece in pieces)))


def hashed(run: str) -> int:
    """64 bits that are the same everywhere."""
    return int.from_bytes(blake2b(run.encode(), digest_size=8).digest(), "big", signed=True)
