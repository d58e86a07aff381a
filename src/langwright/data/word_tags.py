"""Spans of characters as tags of tokens, and back.

A word is judged by the first token that stands in it; a Chinese character is a word, and so is a mark. A token that
holds several words is judged once. A span that begins or ends inside a token cannot be said exactly, and is counted.

Source    Devlin et al. 2019, arXiv:1810.04805, section 5.3; tags as in `data.tags`, IOB2
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from langwright.data.schemas import Span
from langwright.data.tags import OUTSIDE, spans_of

CHINESE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
WORD = re.compile(rf"[{CHINESE}]|[^\W{CHINESE}]+|[^\w\s]")

Place = tuple[int, int]


def judged(text: str, places: Sequence[Place]) -> list[int]:
    """Which tokens are judged: those in which a word begins that no token before has begun.

    places  (start, end) of each token in the text, in order; several tokens may share one, as bytes of a character do
    """
    starts = [match.start() for match in WORD.finditer(text)]
    found, word = [], 0
    for number, (_, end) in enumerate(places):
        if word < len(starts) and starts[word] < end:
            found.append(number)
        while word < len(starts) and starts[word] < end:
            word += 1
    return found


@dataclass(frozen=True)
class Tagged:
    """Tags of a text's judged tokens.

    tokens  their numbers
    tags    of each, IOB2
    lost    spans that these tags cannot say exactly
    """

    tokens: list[int]
    tags: list[str]
    lost: int


def tagged(text: str, places: Sequence[Place], spans: Sequence[Span]) -> Tagged:
    """What the tokens are to be tagged as: each by the span in which its word begins."""
    tokens = judged(text, places)
    begins = [word_start(text, places[token]) for token in tokens]
    tags = [OUTSIDE] * len(tokens)
    for span in spans:
        inside = [place for place, start in enumerate(begins) if span.start <= start < span.end]
        for place in inside:
            tags[place] = f"{'B' if place == inside[0] else 'I'}-{span.label}"
    found = set(untagged(text, places, tokens, tags))
    return Tagged(tokens, tags, sum(span not in found for span in spans))


def untagged(text: str, places: Sequence[Place], tokens: Sequence[int], tags: Sequence[str]) -> list[Span]:
    """The spans that tags of judged tokens say, without spaces at their ends."""
    found = []
    for first, last, label in spans_of(tags):
        after = tokens[last] if last < len(tokens) else len(places)
        start = word_start(text, places[tokens[first]])
        end = max(end for _, end in places[tokens[last - 1] : after])
        if last < len(tokens):  # the next word may begin inside the same stretch of spaces
            end = min(end, word_start(text, places[after]))
        end -= len(text[start:end]) - len(text[start:end].rstrip())
        found.append(Span(start=start, end=end, label=label))
    return found


def word_start(text: str, place: Place) -> int:
    """Where the first word in a token begins; the token's own start where none does."""
    match = WORD.search(text, *place)
    return match.start() if match else place[0]
