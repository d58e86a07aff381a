"""Words of a list that are at most two slips away from a string, without going through the list.

Source    Garbe 2012, "1000x faster spelling correction algorithm" (SymSpell): a word and a string within two slips of
          each other become equal when letters are left out of both; of long words the first letters do
Differs   Only the first PREFIX letters are varied, as in SymSpell 6; distances are then computed whole
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations

from langwright.tasks.correcting.mistyping import slips

MOST = 2  # slips
PREFIX = 7  # letters


class Nearby:
    """An index over words."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = sorted(set(words))
        self.places: dict[str, list[int]] = defaultdict(list)
        for place, word in enumerate(self.words):
            for shorter in shortened(word):
                self.places[shorter].append(place)

    def of(self, typed: str) -> list[str]:
        """Words within two slips of a string, itself left out, in the order of the alphabet."""
        found = {place for shorter in shortened(typed) for place in self.places.get(shorter, ())}
        near = (self.words[place] for place in sorted(found))
        return [
            word
            for word in near
            if word != typed and abs(len(word) - len(typed)) <= MOST and len(slips(word, typed)) <= MOST
        ]


def shortened(word: str) -> set[str]:
    """The beginning of a word, and what is left of it without one or two letters.

    >>> sorted(shortened("cat"))
    ['a', 'at', 'c', 'ca', 'cat', 'ct', 't']
    """
    head = word[:PREFIX]
    found = {head}
    for number in range(1, min(MOST, len(head)) + 1):
        for left_out in combinations(range(len(head)), number):
            found.add("".join(letter for place, letter in enumerate(head) if place not in left_out))
    return found
