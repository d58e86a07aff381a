"""Names that stand in labelled text: a dictionary with the commonest label of each, and where they stand in a text."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from langwright.data.schemas import Span, TaggingRow

Counts = Mapping[str, Counter[str]]


@dataclass(frozen=True)
class Gazetteer:
    """Names: how often each had which label, and how often it stood in a text at all."""

    counts: Counts
    seen: Mapping[str, int]

    @classmethod
    def of(cls, rows: Sequence[TaggingRow]) -> Gazetteer:
        """The names that are labelled in rows."""
        names = cls(counted(rows), {})
        return cls(names.counts, Counter(hit for row in rows for hit in names.hits(row.text)))

    @cached_property
    def names(self) -> dict[str, str]:
        """The commonest label of each name; of equally common ones that which came first."""
        return {name: counts.most_common(1)[0][0] for name, counts in self.counts.items()}

    @cached_property
    def sizes(self) -> list[int]:
        """Lengths of names in characters, the longest first."""
        return sorted({len(name) for name in self.counts}, reverse=True)

    def found(self, text: str) -> list[Span]:
        """Where names stand in a text, from left to right, the longest first; whole words where they are Latin.

        >>> gazetteer = Gazetteer({"York": Counter("a"), "New York": Counter("b")}, {})
        >>> [(one.start, one.end, one.label) for one in gazetteer.found("New York, Yorkshire")]
        [(0, 8, 'b')]
        """
        return [match.span for match in self.matches(text)]

    def hits(self, text: str) -> list[str]:
        """The names at those places."""
        return [text[span.start : span.end] for span in self.found(text)]

    def matches(self, text: str, row: TaggingRow | None = None) -> list[Match]:
        """Where names stand, and whether they are mostly names where they stand.

        row  the text as one of the rows that the names were counted in: they are then taken from all others,
             so that a text that is learned from looks as a new one does
        """
        own, hits = (counted([row]), Counter(self.hits(text))) if row is not None else ({}, Counter[str]())
        found, place = [], 0
        while place < len(text):
            ends = (place + size for size in self.sizes if place + size <= len(text))
            told = ((end, self.label(text[place:end], own)) for end in ends)
            end, label = next(
                ((end, said) for end, said in told if said and alone(text, place, end)), (place + 1, None)
            )
            if label:
                sure = self.sure(text[place:end], own, hits)
                found.append(Match(Span(start=place, end=end, label=label), sure))
            place = end
        return found

    def label(self, name: str, own: Counts) -> str | None:
        """A name's label, what a row itself says of it left out; None where nothing is left."""
        if name not in own:
            return self.names.get(name)
        left = self.counts[name] - own[name]
        return left.most_common(1)[0][0] if left else None

    def sure(self, name: str, own: Counts, hits: Mapping[str, int]) -> bool:
        """Whether at least half of the places where a name stands are labelled, those of a row itself left out."""
        labelled = self.counts[name].total() - (own[name].total() if name in own else 0)
        return 2 * labelled >= self.seen.get(name, 0) - hits.get(name, 0)


class Match(NamedTuple):
    """A name in a text, and whether it is mostly one."""

    span: Span
    sure: bool


def counted(rows: Iterable[TaggingRow]) -> Counts:
    """How often each name had which label."""
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for span in row.spans:
            seen[row.text[span.start : span.end]][span.label] += 1
    return dict(seen)


def alone(text: str, start: int, end: int) -> bool:
    """Whether a stretch begins and ends where a Latin word does, or is not Latin there."""
    return not (
        (start > 0 and latin(text[start - 1]) and latin(text[start]))
        or (end < len(text) and latin(text[end - 1]) and latin(text[end]))
    )


def latin(letter: str) -> bool:
    """Whether a letter belongs to a word that is written without a break."""
    return letter.isascii() and letter.isalnum()
