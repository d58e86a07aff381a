"""Tagged words, one a line, sentences apart by an empty line: the layout of the CoNLL shared tasks.

The word stands first and its tag last, with spaces or a tab between; what stands between those two is not used.
Where every line holds a character and its place in its word, as in 口0 腔1, the places are left out.

Sources   Tjong Kim Sang & De Meulder 2003, cs/0306050, section 2.1
          Peng & Dredze 2015, EMNLP D15-1064, section 4.1 (characters with their place in the word)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from langwright.data.cutting import lines_of
from langwright.data.records import COLUMNS, TOO_LONG, Record

DOCUMENT = "-DOCSTART-"
PLACED = re.compile(r"\D\d+")


def sentences(chunks: Iterator[str], limit: int) -> Iterator[Record]:
    """One record a sentence, with its words and tags; its row is the number of its first line."""
    words: list[str] = []
    tags: list[str] = []
    first, problem, detail = 0, None, ""
    for line in lines_of(chunks, limit):
        cells = line.text.split("\t") if "\t" in line.text else line.text.split()
        if line.text.strip() and cells[0] != DOCUMENT:
            first = first or line.number
            if line.too_long or len(cells) < 2:
                problem, detail = (TOO_LONG if line.too_long else COLUMNS), line.text[:40]
            words.append(cells[0].strip())
            tags.append(cells[-1].strip())
        elif first:
            yield Record(first, {"tokens": unplaced(words), "tags": tags}, problem, detail)
            words, tags, first, problem, detail = [], [], 0, None, ""
    if first:
        yield Record(first, {"tokens": unplaced(words), "tags": tags}, problem, detail)


def unplaced(words: list[str]) -> list[str]:
    """Characters without their places in words, where all have one; other words as they are.

    >>> unplaced(["口0", "腔1", "。0"])
    ['口', '腔', '。']
    >>> unplaced(["A1", "B0"])
    ['A1', 'B0']
    """
    if not all(PLACED.fullmatch(word) for word in words):
        return words
    places = [int(word[1:]) for word in words]
    before = [-1, *places]
    return (
        [word[0] for word in words]
        if all(place in (0, last + 1) for place, last in zip(places, before, strict=False))
        else words
    )


def joined(words: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """A text of words, and where each stands in it.

    No space stands beside a Chinese character, nor anywhere in a sentence whose words are single characters.
    """
    by_character = all(len(word) <= 1 for word in words)
    text, places = "", []
    for word in words:
        apart = text and word and not (by_character or is_chinese(text[-1]) or is_chinese(word[0]))
        text += " " if apart else ""
        places.append((len(text), len(text) + len(word)))
        text += word
    return text, places


def is_chinese(character: str) -> bool:
    """Whether words of this character's script stand without spaces: Chinese characters and full-width marks."""
    return "\u2e80" <= character <= "\u9fff" or "\uf900" <= character <= "\uffef" or character >= "\U00020000"
