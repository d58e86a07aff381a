"""Sentences and clauses of a text: what an encoder that was taught summaries chooses from.

Source    Galanis, Lampouras & Androutsopoulos 2012, COLING, C12-1056, section 3.1 (a model of a sentence's ROUGE with the
          written summary is what ranks sentences); Nallapati, Zhai & Zhou 2017, arXiv:1611.04230, section 3.2 (labels
          for extraction are made from written summaries)
Differs   clauses are rated beside sentences, since a title is shorter than a sentence; one piece is the summary; the
          model is an encoder that reads the piece alone
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from langwright.data.characters import CHARACTERS
from langwright.metrics.units import units

LAST = rf"(?=\s|$|[{CHARACTERS}])"  # what follows a mark that ends something, and none inside a number
SENTENCE = re.compile(rf"[^\n]+?(?:[。！？!?]+|\.{LAST}|(?=\n)|$)")
CLAUSE = re.compile(rf"[^\n]+?(?:[，；：。！？]+|[.,;:!?]+{LAST}|(?=\n)|$)")
MARKS = " \t，；：。！？.,;:!?"
SHORTEST = 2  # characters or words


def candidates(text: str) -> list[tuple[int, int]]:
    """Start and end of every sentence and every clause, marks at their ends left out, each once; the whole text where there is none.

    >>> text = "We did much, and more. Here it is."
    >>> [text[a:b] for a, b in candidates(text)]
    ['We did much', 'We did much, and more', 'and more', 'Here it is']
    """
    found = {place for cut in (SENTENCE, CLAUSE) for place in cuts(text, cut)}
    return sorted(found) or [(0, len(text))]


def cuts(text: str, cut: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """The places of one kind of piece."""
    for match in cut.finditer(text):
        inside = match[0].strip(MARKS)
        if sum(unit[0].isalnum() for unit in units(inside)) >= SHORTEST:
            start = match.start() + len(match[0]) - len(match[0].lstrip(MARKS))
            yield start, start + len(inside)
