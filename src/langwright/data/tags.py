"""Tags of words as spans and back: IOB1, IOB2, BIOES and BMES, told apart by what stands in them.

Source    Ramshaw & Marcus 1995, cmp-lg/9505040, section 4 (IOB); Tjong Kim Sang & Veenstra 1999, cs/9907006, section 2
          (IOB2, and its kin with ends); what is not well-formed is read as conlleval reads it: a tag that goes on where
          nothing has begun begins
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

OUTSIDE = "O"
LAYER = ("O", "B", "I")  # of a layer that has one label
BEGINS, GOES_ON, ENDS, ALONE = frozenset("B"), frozenset("IM"), frozenset("EL"), frozenset("SU")


def parts(tag: str) -> tuple[str, str]:
    """("B", "person") of "B-person"; a tag without a prefix goes on with what is of its own label."""
    prefix, dash, label = tag.partition("-")
    return (prefix, label) if dash and prefix in {*BEGINS, *GOES_ON, *ENDS, *ALONE} else ("I", tag)


def spans_of(tags: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """(first word, word after the last, label) of each span, in order."""
    start, label = 0, ""  # of the span that is open; none without a label
    for place, tag in enumerate(tags):
        prefix, named = ("O", "") if tag in (OUTSIDE, "") else parts(tag)
        if label and (named != label or prefix in BEGINS | ALONE):
            yield start, place, label
            label = ""
        if named and not label:
            start, label = place, named
        if label and prefix in ENDS | ALONE:
            yield start, place + 1, label
            label = ""
    if label:
        yield start, len(tags), label


def tags_of(spans: Iterable[tuple[int, int, str]], words: int) -> list[str]:
    """IOB2 tags of so many words; spans do not overlap."""
    tags = [OUTSIDE] * words
    for start, end, label in spans:
        tags[start:end] = [f"B-{label}", *[f"I-{label}"] * (end - start - 1)]
    return tags
