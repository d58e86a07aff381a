"""How likely a word is mistyped as another string: probabilities of single slips, counted over pairs of mistakes.

Source    Kernighan, Church & Gale 1990, "A spelling correction program based on a noisy channel model", section 2:
          insertions and deletions given the letter before, substitutions and transpositions given the right letters
          Damerau 1964, Communications of the ACM 7:171 (the four slips)
Differs   Up to two slips a word, their probabilities multiplied, where the paper takes one; counts are smoothed by a
          half instead of by Good-Turing; letters are counted over the right words of the pairs
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

START = "^"
HALF = 0.5
Slip = tuple[str, str, str]  # kind, given, what was typed


def slips(right: str, typed: str) -> tuple[Slip, ...]:
    """The fewest slips that make the one from the other, from left to right.

    >>> slips("actress", "acress")
    (('drop', 'c', 't'),)
    >>> slips("receive", "recieve")
    (('turn', 'ei', 'ie'),)
    """
    rows, columns = len(right) + 1, len(typed) + 1
    cost = [[i + j if not i or not j else 0 for j in range(columns)] for i in range(rows)]
    for i in range(1, rows):
        for j in range(1, columns):
            same = right[i - 1] == typed[j - 1]
            best = min(cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (not same))
            if turned(right, typed, i, j):
                best = min(best, cost[i - 2][j - 2] + 1)
            cost[i][j] = best
    found: list[Slip] = []
    i, j = rows - 1, columns - 1
    while i or j:
        here = cost[i][j]
        if i and j and right[i - 1] == typed[j - 1] and here == cost[i - 1][j - 1]:
            i, j = i - 1, j - 1
        elif turned(right, typed, i, j) and here == cost[i - 2][j - 2] + 1:
            found.append(("turn", right[i - 2 : i], typed[j - 2 : j]))
            i, j = i - 2, j - 2
        elif i and j and here == cost[i - 1][j - 1] + 1:
            found.append(("change", right[i - 1], typed[j - 1]))
            i, j = i - 1, j - 1
        elif i and here == cost[i - 1][j] + 1:
            found.append(("drop", right[i - 2] if i > 1 else START, right[i - 1]))
            i -= 1
        else:
            found.append(("add", right[i - 1] if i else START, typed[j - 1]))
            j -= 1
    return tuple(reversed(found))


def turned(right: str, typed: str, i: int, j: int) -> bool:
    """Whether two letters stand in the other order before these places."""
    return i > 1 and j > 1 and right[i - 2 : i] == typed[j - 2 : j][::-1] and right[i - 1] != right[i - 2]


@dataclass(frozen=True)
class Mistyping:
    """Counts of slips, and of what they are given.

    letters  how many different ones there are
    """

    slips: Counter[Slip]
    given: Counter[str]
    letters: int

    def logprob(self, right: str, typed: str) -> float:
        """Of typing one for the other, in nats; minus infinity beyond two slips."""
        made = slips(right, typed)
        if len(made) > 2:
            return -math.inf
        return math.fsum(self.of_slip(slip) for slip in made)

    def of_slip(self, slip: Slip) -> float:
        """Of a single one, where it could be made."""
        kind, given, typed = slip
        context = given + typed if kind == "drop" else given
        kinds = self.letters if kind in ("add", "change") else 1
        return math.log((self.slips[slip] + HALF) / (self.given[context] + HALF * kinds + 1))


def learn_mistyping(pairs: Iterable[tuple[str, str]]) -> Mistyping:
    """Count over pairs (right, typed); those with more than two slips are left out."""
    seen: Counter[Slip] = Counter()
    given: Counter[str] = Counter()
    letters = set("abcdefghijklmnopqrstuvwxyz")
    for right, typed in pairs:
        made = slips(right, typed)
        if not 1 <= len(made) <= 2:
            continue
        seen.update(made)
        led = START + right
        given.update(led)
        given.update(led[place : place + 2] for place in range(len(right)))
        letters |= {*right, *typed}
    return Mistyping(seen, given, len(letters))
