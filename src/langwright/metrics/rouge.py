"""ROUGE-1, -2, -L and -Lsum for Chinese and English.

Source    Lin 2004, ROUGE: A Package for Automatic Evaluation of Summaries, sections 2, 3.1 and 3.2; what the union of
          common subsequences counts twice is counted once, as in its script 1.5.5
Differs   Chinese characters and letters beyond a to z are kept, one piece a character and one a word; rouge-score drops
          them, so that two equal Chinese texts have 0. No stemming. Of several right texts the one with the best F1
          counts. For English without accents the numbers are rouge-score's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from langwright.data.characters import CHARACTERS
from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_mean
from langwright.metrics.units import ngrams
from langwright.metrics.yardsticks import Yardstick

ROUGE = Yardstick(
    name="ROUGE-{kind}", unit="share", better="higher",
    method="F1 of {what} shared with the right text that shares most, in Chinese characters and words of other scripts, mean over {n} texts (Lin 2004); interval: {draws} bootstrap draws over texts",
    does_not_show="whether what is said is true, or reads well; what is right in other words",
)  # fmt: skip
WHAT = {
    "1": "pieces",
    "2": "pairs of pieces",
    "L": "the longest common subsequence",
    "Lsum": "the common subsequences of lines, put together,",
}

_PIECE = re.compile(rf"[{CHARACTERS}]|[^\W_{CHARACTERS}]+")


class Shared(NamedTuple):
    """Precision, recall and F1 of what two texts share."""

    precision: float
    recall: float
    f1: float


def shared(hits: int, said: int, right: int) -> Shared:
    """From counts; all 0 where a side has nothing."""
    if not said or not right:
        return Shared(0.0, 0.0, 0.0)
    return Shared(hits / said, hits / right, 2 * hits / (said + right))


def pieces(text: str) -> list[str]:
    """What is compared.

    >>> pieces("Don't: 第3次_ok")
    ['don', 't', '第', '3', '次', 'ok']
    """
    return _PIECE.findall(text.lower())


def rouge_n(said: str, right: str, n: int) -> Shared:
    """Of runs of n pieces."""
    one, other = Counter(ngrams(pieces(said), n)), Counter(ngrams(pieces(right), n))
    return shared((one & other).total(), one.total(), other.total())


def rouge_l(said: str, right: str) -> Shared:
    """Of the longest common subsequence of the whole texts, line ends aside."""
    one, other = pieces(said), pieces(right)
    return shared(len(common(other, one)), len(one), len(other))


def rouge_lsum(said: str, right: str) -> Shared:
    """For each line of the right text the union of its longest common subsequences with the lines of the other."""
    ours, theirs = [[pieces(line) for line in text.split("\n")] for text in (said, right)]
    left = Counter(piece for line in ours for piece in line)
    hits = 0
    for line in theirs:
        union = sorted(set().union(*(common(line, other) for other in ours)))
        for place in union:
            if left[line[place]] > 0:  # a piece that was said once is shared once
                left[line[place]] -= 1
                hits += 1
    return shared(hits, sum(map(len, ours)), sum(map(len, theirs)))


def common(right: Sequence[str], said: Sequence[str]) -> list[int]:
    """Places in `right` of one longest common subsequence, the latest where there are several."""
    table = [[0] * (len(said) + 1)]
    for piece in right:
        above, row = table[-1], [0]
        for place, other in enumerate(said):
            row.append(above[place] + 1 if piece == other else max(above[place + 1], row[place]))
        table.append(row)
    found, i, j = [], len(right), len(said)
    while i and j:
        if right[i - 1] == said[j - 1]:
            i, j = i - 1, j - 1
            found.append(i)
        elif table[i][j - 1] > table[i - 1][j]:
            j -= 1
        else:
            i -= 1
    return found[::-1]


def rouge(said: str, right: Sequence[str]) -> dict[str, Shared]:
    """All four kinds, each against the right text with which its F1 is best; ValueError without a right text."""
    if not right:
        raise ValueError("no right text")
    each = [
        {"1": rouge_n(said, one, 1), "2": rouge_n(said, one, 2), "L": rouge_l(said, one), "Lsum": rouge_lsum(said, one)}
        for one in right
    ]
    return {kind: max((scores[kind] for scores in each), key=lambda found: found.f1) for kind in WHAT}


def rouge_scores(said: Sequence[str], right: Sequence[Sequence[str]], *, seed: int = 0) -> tuple[Measure, ...]:
    """Mean F1 of ROUGE-1, -2, -L and -Lsum.

    right   for each text its right ones; in Lsum a line is a sentence
    raises  ValueError when lengths differ or nothing is given
    """
    if len(said) != len(right) or not said:
        raise ValueError(f"{len(said)} texts for {len(right)}")
    each = [rouge(one, other) for one, other in zip(said, right, strict=True)]
    found = []
    for kind, what in WHAT.items():
        f1s = [scores[kind].f1 for scores in each]
        found.append(
            ROUGE.measure(
                sum(f1s) / len(f1s), bootstrap_mean(f1s, seed=seed), n=len(f1s), seed=seed,
                name=ROUGE.name.format(kind=kind), what=what, draws=DRAWS,
            )
        )  # fmt: skip
    return tuple(found)
