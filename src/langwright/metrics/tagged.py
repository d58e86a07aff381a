"""Entity F1 of tags, read in two ways that differ where tags are not well-formed.

strict     IOB2 to the letter: an entity begins with B-x and goes on with I-x; an I-x with nothing to go on is nothing
conlleval  a tag that goes on where nothing has begun begins an entity (`data.tags.spans_of`)

Sources   Tjong Kim Sang & Buchholz 2000, CoNLL, and its script conlleval; Ramshaw & Marcus 1995, cmp-lg/9505040 (IOB)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from langwright.data.tags import OUTSIDE, parts, spans_of
from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_ratio
from langwright.metrics.sets import f1_of, overlaps
from langwright.metrics.yardsticks import Yardstick

STRICT = Yardstick(
    name="entity F1, strict", unit="share", better="higher",
    method="harmonic mean of precision and recall of {right} entities in {n} texts, span and label exact, tags read as IOB2 to the letter: a tag that goes on where nothing has begun is nothing; interval: {draws} bootstrap draws over texts",
    does_not_show="how near the wrong ones were; what comes out where broken tags are mended",
)  # fmt: skip
CONLLEVAL = Yardstick(
    name="entity F1, conlleval", unit="share", better="higher",
    method="harmonic mean of precision and recall of {right} entities in {n} texts, span and label exact, tags read as conlleval does: a tag that goes on where nothing has begun begins an entity; interval: {draws} bootstrap draws over texts",
    does_not_show="how near the wrong ones were; that tags are well-formed, as broken ones are mended",
)  # fmt: skip

Tags = Sequence[Sequence[str]]


def strict_spans_of(tags: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """(first word, word after the last, label) of each entity that IOB2 tags say to the letter.

    >>> list(strict_spans_of(["I-x", "B-x", "I-x", "I-y"]))
    [(1, 3, 'x')]
    """
    for start, tag in enumerate(tags):
        prefix, label = parts(tag)
        if tag == OUTSIDE or prefix != "B":
            continue
        end = start + 1
        while end < len(tags) and tags[end] == f"I-{label}":
            end += 1
        yield start, end, label


def tagged_scores(predicted: Tags, right: Tags, *, seed: int = 0) -> tuple[Measure, Measure]:
    """Strict F1 and conlleval's.

    raises  ValueError when the number of texts, or of the words of one, differs, or nothing is given
    """
    if len(predicted) != len(right) or any(len(a) != len(b) for a, b in zip(predicted, right, strict=True)):
        raise ValueError(f"tags of {len(predicted)} texts for {len(right)}, or of other lengths")
    found = []
    for kind, reads in ((STRICT, strict_spans_of), (CONLLEVAL, spans_of)):
        hits, named, true = overlaps([set(reads(one)) for one in predicted], [set(reads(one)) for one in right])
        both = [a + b for a, b in zip(named, true, strict=True)]
        interval = bootstrap_ratio([2 * hit for hit in hits], both, seed=seed)
        value = f1_of(sum(hits), sum(named), sum(true))
        found.append(kind.measure(value, interval, n=len(right), seed=seed, right=sum(true), draws=DRAWS))
    return found[0], found[1]
