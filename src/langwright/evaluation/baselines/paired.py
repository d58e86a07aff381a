"""How far a model is from another way of doing a task on the same rows: differences whose interval is drawn in pairs.

Shapes    N rows    K counts a row    R bootstrap draws
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from langwright.data.schemas import TranslationRow
from langwright.measures import Measure
from langwright.metrics.comparison import difference, paired_test
from langwright.metrics.sets import ENTITY_F1, overlaps
from langwright.metrics.translation import counted
from langwright.metrics.yardsticks import signed

if TYPE_CHECKING:
    from langwright.metrics.intervals import Floats

Apart = Callable[[Sequence[Any], Sequence[Any], Sequence[Any], Sequence[Any], int], Iterator[Measure]]
"""(what the model says, what the other says, what is right, rows, seed) -> the former less the latter."""


def by_row(of: str, score: Callable[[Any, Any], float], unit: str = "share") -> Apart:
    """The difference of the means of what each row's answer is worth.

    of     what the score is called
    score  (said, right) -> how good one answer is
    """

    def apart(mine: Sequence[Any], theirs: Sequence[Any], right: Sequence[Any], rows: Sequence[Any], seed: int) -> Iterator[Measure]:  # fmt: skip
        scores = ([score(a, b) for a, b in zip(side, right, strict=True)] for side in (mine, theirs))
        yield difference(*scores, of=of, unit=unit, seed=seed)

    return apart


def all_of(*ways: Apart) -> Apart:
    """Several differences, one after the other."""

    def apart(*told: Any) -> Iterator[Measure]:
        for way in ways:
            yield from way(*told)

    return apart


def of_spans(mine: Sequence[Any], theirs: Sequence[Any], right: Sequence[Any], rows: Sequence[Any], seed: int) -> Iterator[Measure]:  # fmt: skip
    """The difference in entity F1, with a p-value."""
    first_NK, second_NK = (span_counts(side, right) for side in (mine, theirs))
    yield from paired_test(first_NK, second_NK, f1_of_counts, of=ENTITY_F1.name, unit=ENTITY_F1.unit, seed=seed)


def span_counts(said: Sequence[Any], right: Sequence[Any]) -> Floats:
    """Of each row the spans named rightly, named, and right."""
    import numpy as np

    return np.array(overlaps(said, right), float).T


def f1_of_counts(sums_RK: Floats) -> Floats:
    """F1 (R,) of sums of `span_counts`; 0 where there is nothing."""
    import numpy as np

    hits_R, both_R = sums_RK[:, 0], sums_RK[:, 1] + sums_RK[:, 2]
    return np.where(both_R > 0, 2 * hits_R / np.maximum(both_R, 1), 0.0)


def by_target(rows: Sequence[TranslationRow]) -> list[tuple[str, list[int]]]:
    """(language, numbers of the rows that are translated to it): each language is cut into words in its own way."""
    order = sorted(range(len(rows)), key=lambda place: rows[place].target_language)
    return [(target, list(places)) for target, places in groupby(order, key=lambda place: rows[place].target_language)]


def of_translations(mine: Sequence[str], theirs: Sequence[str], right: Sequence[str], rows: Sequence[TranslationRow], seed: int) -> Iterator[Measure]:  # fmt: skip
    """The difference in BLEU, with a p-value, of each language that was translated to."""
    groups = by_target(rows)
    for target, places in groups:
        true = [[right[place]] for place in places]
        first, second = (counted("BLEU", [side[place] for place in places], true, target) for side in (mine, theirs))
        found = paired_test(first.counts_NK, second.counts_NK, first.score, of="BLEU", unit="of 100", seed=seed)
        yield from signed(found, data=f"→{target}") if len(groups) > 1 else found
