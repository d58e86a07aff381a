"""Word and character error rate: edits that turn what was said into what is right, over its length.

Source    Levenshtein 1966, Soviet Physics Doklady 10:707; over all texts together as NIST's sclite counts them
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_ratio
from langwright.metrics.yardsticks import Yardstick

WORD_ERRORS = Yardstick(
    name="word error rate", unit="share", better="lower",
    method="substitutions, deletions and insertions that turn {n} texts into the right ones, over the {total} words there, as white space cuts them; interval: {draws} bootstrap draws over texts",
    does_not_show="whether an error changes the meaning; it can exceed 1, and is no use where words are not written apart",
)  # fmt: skip
CHARACTER_ERRORS = Yardstick(
    name="character error rate", unit="share", better="lower",
    method="substitutions, deletions and insertions that turn {n} texts into the right ones, over the {total} characters there, white space left out; interval: {draws} bootstrap draws over texts",
    does_not_show="whether an error changes the meaning; it can exceed 1",
)  # fmt: skip


def edits(said: Sequence[Hashable], right: Sequence[Hashable]) -> int:
    """Levenshtein distance: the fewest substitutions, deletions and insertions.

    >>> edits("kitten", "sitting")
    3
    """
    row = list(range(len(right) + 1))
    for count, piece in enumerate(said, 1):
        before, row[0] = row[0], count
        for place, other in enumerate(right, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (piece != other))
    return row[-1]


def word_errors(said: Sequence[str], right: Sequence[str], *, seed: int = 0) -> Measure:
    """Word error rate; texts are taken as they are, so put both in one letter case first.

    raises  ValueError when lengths differ or the right texts have no words
    """
    return rate(WORD_ERRORS, [text.split() for text in said], [text.split() for text in right], seed)


def character_errors(said: Sequence[str], right: Sequence[str], *, seed: int = 0) -> Measure:
    """Character error rate, for Chinese and whatever else is not written in words.

    raises  ValueError when lengths differ or the right texts have no characters
    """
    return rate(CHARACTER_ERRORS, ["".join(text.split()) for text in said], ["".join(text.split()) for text in right], seed)  # fmt: skip


def rate(kind: Yardstick, said: Sequence[Sequence[str]], right: Sequence[Sequence[str]], seed: int) -> Measure:
    """Edits over length, all texts together."""
    if len(said) != len(right) or not any(right):
        raise ValueError(f"{len(said)} texts for {len(right)}, or nothing in them")
    wrong = [edits(one, other) for one, other in zip(said, right, strict=True)]
    lengths = [len(one) for one in right]
    total = sum(lengths)
    interval = bootstrap_ratio(wrong, lengths, seed=seed)
    return kind.measure(sum(wrong) / total, interval, n=len(right), seed=seed, total=total, draws=DRAWS)
