"""Precision, recall and F1 of things named and things that are right: entities of a text, or its several labels.

Source    van Rijsbergen 1979, Information Retrieval, chapter 7; of entities Tjong Kim Sang & De Meulder 2003, cs/0306050,
          section 2.3 (right when the whole span and its label are)
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_ratio, wilson
from langwright.metrics.yardsticks import Yardstick

ENTITY_F1 = Yardstick(
    name="entity F1", unit="share", better="higher",
    method="harmonic mean of precision and recall of {right} entities in {n} texts, an entity right when span and label are both exact; interval: {draws} bootstrap draws over texts",
    does_not_show="how near the wrong ones were: a span one character too long counts as wrong twice, once named and once missed",
)  # fmt: skip
PRECISION = Yardstick(
    name="entity precision", unit="share", better="higher",
    method="share of {named} named entities that are exactly right; interval: {draws} bootstrap draws over {n} texts",
    does_not_show="how many were missed",
)  # fmt: skip
RECALL = Yardstick(
    name="entity recall", unit="share", better="higher",
    method="share of {right} entities that were named exactly; interval: {draws} bootstrap draws over {n} texts",
    does_not_show="how much was named that is none",
)  # fmt: skip
ALL_RIGHT = Yardstick(
    name="all entities right", unit="share", better="higher",
    method="share of {n} texts whose entities are all named exactly, and nothing else; Wilson interval",
    does_not_show="how near the others were: a long text with one mistake counts as wrong",
)  # fmt: skip
LABELS_F1 = Yardstick(
    name="micro F1 of labels", unit="share", better="higher",
    method="harmonic mean of precision and recall of all labels given, counted together over {n} texts with {right} right ones; interval: {draws} bootstrap draws over texts",
    does_not_show="how rare labels fare",
)  # fmt: skip

Things = Sequence[Collection[Hashable]]


def overlaps(named: Things, right: Things) -> tuple[list[int], list[int], list[int]]:
    """By text: things named rightly, things named, things that are right; ValueError when lengths differ or nothing is given."""
    if len(named) != len(right) or not right:
        raise ValueError(f"{len(named)} predictions for {len(right)} texts")
    pairs = [(set(one), set(other)) for one, other in zip(named, right, strict=True)]
    return [len(a & b) for a, b in pairs], [len(a) for a, _ in pairs], [len(b) for _, b in pairs]


def share(hits: int, of: int) -> float:
    """hits / of, and 0 where there is nothing."""
    return hits / of if of else 0.0


def f1_of(hits: int, named: int, right: int) -> float:
    """The harmonic mean of precision and recall, which is 2 · hits / (named + right)."""
    return share(2 * hits, named + right)


def entity_scores(named: Things, right: Things, *, seed: int = 0) -> tuple[Measure, Measure, Measure]:
    """F1, precision and recall over all texts; 0 where there is nothing to count.

    named, right  for each text its entities, such as (start, end, label)
    """
    hits_N, named_N, right_N = overlaps(named, right)
    hits, said, true, n = sum(hits_N), sum(named_N), sum(right_N), len(right)
    counts = {"n": n, "seed": seed, "named": said, "right": true, "draws": DRAWS}
    twice, both = [2 * hit for hit in hits_N], [a + b for a, b in zip(named_N, right_N, strict=True)]
    return (
        ENTITY_F1.measure(f1_of(hits, said, true), bootstrap_ratio(twice, both, seed=seed), **counts),  # type: ignore[arg-type]
        PRECISION.measure(share(hits, said), bootstrap_ratio(hits_N, named_N, seed=seed), **counts),  # type: ignore[arg-type]
        RECALL.measure(share(hits, true), bootstrap_ratio(hits_N, right_N, seed=seed), **counts),  # type: ignore[arg-type]
    )


def all_right(named: Things, right: Things) -> Measure:
    """Share of texts of which exactly the right things are named; ValueError as `overlaps`."""
    hits = sum(hit == some == true for hit, some, true in zip(*overlaps(named, right), strict=True))
    return ALL_RIGHT.measure(hits / len(right), wilson(hits, len(right)), n=len(right))


def labels_f1(named: Things, right: Things, *, seed: int = 0) -> Measure:
    """Micro F1 of texts that may have several labels each, or none."""
    hits_N, named_N, right_N = overlaps(named, right)
    both = [a + b for a, b in zip(named_N, right_N, strict=True)]
    value = f1_of(sum(hits_N), sum(named_N), sum(right_N))
    interval = bootstrap_ratio([2 * hit for hit in hits_N], both, seed=seed)
    return LABELS_F1.measure(value, interval, n=len(right), seed=seed, right=sum(right_N), draws=DRAWS)
