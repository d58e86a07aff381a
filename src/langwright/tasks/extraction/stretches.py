"""The stretch of a text that says most of what a summary of it says: what an extractive model is to learn.

Source    Nallapati, Zhai & Zhou 2017, arXiv:1611.04230, section 3.2 (labels for extraction are made from written
          summaries, by what gives the highest ROUGE)
Differs   one stretch of neighbouring words, of any length, in place of a choice of sentences; the sum of the F1 of single
          words and of pairs is what is highest; it neither begins nor ends with a mark
Shapes    N pieces of the text
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from langwright.metrics.units import placed_units

LONGER = 2  # times the summary's length that a stretch may have


def best_stretch(text: str, summary: str) -> tuple[int, int] | None:
    """Start and end in characters, of equally good stretches the first and shortest; None where they share no word.

    >>> text = "We did much. Here we show that mills grind slowly."
    >>> text[slice(*best_stretch(text, "Mills grind slowly"))]
    'mills grind slowly'
    """
    places = placed_units(text)
    wanted = [piece for piece, _, _ in placed_units(summary)]
    pieces = [piece for piece, _, _ in places]
    best, found = 0.0, None
    for first, (piece, start, _) in enumerate(places):
        if piece not in wanted or not piece[0].isalnum():
            continue
        scores = growing(pieces[first : first + LONGER * len(wanted)], wanted)
        for (word, _, end), score in zip(places[first:], scores, strict=False):
            if score > best and word[0].isalnum():
                best, found = score, (start, end)
    return found


def growing(pieces: Sequence[str], wanted: Sequence[str]) -> list[float]:
    """F1 of words plus F1 of pairs with what is wanted, of the first piece, of the first two, and so on."""
    words, pairs = Counter(wanted), Counter(pairwise(wanted))
    hits = both = 0
    scores = []
    for number, piece in enumerate(pieces):
        if words[piece] > 0:
            words[piece] -= 1
            hits += 1
        pair = (pieces[number - 1], piece) if number else None
        if pair and pairs[pair] > 0:
            pairs[pair] -= 1
            both += 1
        of_words = 2 * hits / (number + 1 + len(wanted))
        of_pairs = 2 * both / (number + len(wanted) - 1) if number + len(wanted) > 1 else 0.0
        scores.append(of_words + of_pairs)
    return scores
