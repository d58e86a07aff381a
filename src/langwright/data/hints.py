"""What counting says of each token of a text, told to a model as token types: known names, and words of a question.

Sources   Chiu & Nichols 2016, TACL 4:357, arXiv:1511.08308, section 2.4.2 (matches with a gazetteer as a feature of each
          word, which tells where in the match the word stands)
          Chen et al. 2017, arXiv:1704.00051, section 3.2 (whether a passage's token stands in the question, and how
          often, as features of it)
          Richardson, Burges & Renshaw 2013, EMNLP D13-1020, section 3.1 (how much of a question stands around a place,
          words weighted by inverse count)
Differs   features are embedded as token types and added, not joined to the embedding: models stay those of transformers
          the gazetteer is that of the training rows, each row seeing the names of all others; matches begin or go
          on, and are of a name that is labelled at half of its places or more, or of one that is not
          words are compared as written, letter case aside, without lemmas; pairs of neighbours count besides, since a
          single Chinese character says little; how much stands around is told in four steps of the passage's most
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from langwright.data.gazetteer import Gazetteer, Match
from langwright.data.schemas import TaggingRow
from langwright.data.word_tags import WORD, Place

STEPS = 4  # of how much of a question stands around
MATCHES = 3  # of a word: not in the question, in it, in it beside the same neighbour


@dataclass(frozen=True)
class Named:
    """Names seen in training: 0 for a token outside of all, then a begin and an inside for each label, unsure and sure."""

    gazetteer: Gazetteer
    labels: tuple[str, ...]

    @property
    def types(self) -> int:
        """How many token types there are."""
        return 1 + 4 * len(self.labels)

    def of(self, text: str, places: Sequence[Place], row: TaggingRow | None = None) -> list[int]:
        """The type of each token.

        row  the text as one of the rows that were learned from
        """
        matches, found, number = self.gazetteer.matches(text, row), [], 0
        begun = False
        for start, end in places:
            while number < len(matches) and matches[number].span.end <= start:
                number, begun = number + 1, False
            inside = number < len(matches) and matches[number].span.start < end and start < end
            kind = self.kind(matches[number]) if inside else 0
            found.append(kind + begun if inside else 0)
            begun = begun or inside
        return found

    def kind(self, match: Match) -> int:
        """The type of a match's first token; that of the others is the next one."""
        return 1 + 4 * self.labels.index(match.span.label) + 2 * match.sure

    def told(self) -> dict[str, Any]:
        """What a model's config keeps: of each name its label, how often it had one, and how often it stood somewhere."""
        known = self.gazetteer
        names = {
            name: [label, known.counts[name].total(), known.seen.get(name, 0)] for name, label in known.names.items()
        }
        return {"kind": "names", "labels": list(self.labels), "names": names}


@dataclass(frozen=True)
class Asked:
    """Words of a question: 0 for its own tokens, then for a passage's how their word and what is around it match."""

    @property
    def types(self) -> int:
        """How many token types there are."""
        return 1 + MATCHES * STEPS

    def of(self, question: str, context: str, places: Sequence[Place]) -> list[int]:
        """The type of each token of the passage, by the word in which it begins."""
        words = list(WORD.finditer(context))
        told = word_types(casefolded(question), [match[0].casefold() for match in words])
        found, number = [], 0
        for start, _ in places:
            while number + 1 < len(words) and words[number + 1].start() <= start:
                number += 1
            found.append(told[number] if words else 1)
        return found

    def told(self) -> dict[str, Any]:
        """What a model's config keeps."""
        return {"kind": "question"}


Hints = Named | Asked


def hints_from(told: Mapping[str, Any] | None) -> Hints | None:
    """Hints from what a model's config keeps; None where it keeps none."""
    if not told:
        return None
    if told["kind"] == "question":
        return Asked()
    counts = {name: Counter({label: labelled}) for name, (label, labelled, _) in told["names"].items()}
    seen = {name: seen for name, (_, _, seen) in told["names"].items()}
    return Named(Gazetteer(counts, seen), tuple(told["labels"]))


def casefolded(text: str) -> list[str]:
    """A text's words and marks, a Chinese character being a word."""
    return [match[0].casefold() for match in WORD.finditer(text)]


def word_types(question: Sequence[str], passage: Sequence[str]) -> list[int]:
    """The type of each word of a passage: 1 + steps · match + step."""
    asked, asked_pairs = {word for word in question if word[0].isalnum()}, set(pairwise(question))
    counts, pair_counts = Counter(passage), Counter(pairwise(passage))
    matches, weights = [int(word in asked) for word in passage], [0.0] * len(passage)
    for number, word in enumerate(passage):
        weights[number] += math.log1p(1 / counts[word]) if word in asked else 0.0
    for number, pair in enumerate(pairwise(passage)):
        if pair in asked_pairs:
            weights[number] += math.log1p(1 / pair_counts[pair])
            for place in (number, number + 1):
                matches[place] = 2 if matches[place] else 0  # marks match nothing by themselves
    return [1 + STEPS * match + step for match, step in zip(matches, steps_of(weights, len(question)), strict=True)]


def steps_of(weights: Sequence[float], reach: int) -> list[int]:
    """How much stands within reach of each place on both sides, in steps of the most: 0 to `STEPS` - 1.

    >>> steps_of([1.0, 0.0, 0.0, 0.0], 1)
    [3, 3, 0, 0]
    """
    so_far = [0.0]
    for weight in weights:
        so_far.append(so_far[-1] + weight)
    around = [so_far[min(len(weights), n + reach + 1)] - so_far[max(0, n - reach)] for n in range(len(weights))]
    most = max(around, default=0.0)
    return [min(STEPS - 1, int(STEPS * one / most)) if most else 0 for one in around]
