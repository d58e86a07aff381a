"""How hard a text is to read, by the lengths of what it is made of.

Sources   Flesch 1948, Journal of Applied Psychology 32:221 (reading ease); Kincaid et al. 1975, Naval Technical Training
          Command, report 8-75 (grade level), both for English
          Xu, Yao & Chen 2021, 会计研究 2021(3):28 (徐巍、姚振晔、陈冬华，中文年报可读性): characters a clause, for Chinese
          GB 2312-1980, level 1: the 3,755 characters in common use
Differs   syllables are counted by rules of spelling, with no dictionary, which err on words such as recipe and every. Of
          Xu et al.'s measures only the first is taken; their share of adverbs and conjunctions needs a tagger.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_ratio, bootstrap_sums
from langwright.metrics.units import language_of
from langwright.metrics.yardsticks import Yardstick

if TYPE_CHECKING:
    from langwright.metrics.intervals import Floats

READING_EASE = Yardstick(
    name="Flesch reading ease", unit="", better="neither",
    method="206.835 - 1.015 words a sentence - 84.6 syllables a word (Flesch 1948), all {n} texts together: {words} words, {sentences} sentences; syllables by rules of spelling; interval: {draws} bootstrap draws over texts",
    does_not_show="whether the text makes sense or is in order; languages other than English",
)  # fmt: skip
GRADE_LEVEL = Yardstick(
    name="Flesch-Kincaid grade level", unit="school years", better="neither",
    method="0.39 words a sentence + 11.8 syllables a word - 15.59 (Kincaid et al. 1975), all {n} texts together: {words} words, {sentences} sentences; syllables by rules of spelling; interval: {draws} bootstrap draws over texts",
    does_not_show="whether the text makes sense or is in order; languages other than English",
)  # fmt: skip
CLAUSE_LENGTH = Yardstick(
    name="characters a clause", unit="characters", better="neither",
    method="Chinese characters over the {clauses} clauses they stand in, cut at Chinese and English commas, stops and line ends, all {n} texts together (Xu et al. 2021); interval: {draws} bootstrap draws over texts",
    does_not_show="whether the text makes sense or its words are hard; languages other than Chinese",
)  # fmt: skip
UNCOMMON = Yardstick(
    name="uncommon characters", unit="share", better="neither",
    method="share of the {characters} Chinese characters of {n} texts that are not among the 3,755 of GB 2312 level 1; interval: {draws} bootstrap draws over texts",
    does_not_show="whether the text makes sense; traditional characters count as uncommon, whoever reads them",
)  # fmt: skip

_VOWELS = re.compile("[aeiouy]+")
_APART = re.compile(
    "(?<![aeioutscgln])i[aou]|^lio|^gia|[aeouy]ing|scie|crea(?=t(?!ur))|^rea(?=ct)|(?<=[aeiouy][^aeiouy])ea$"
    "|oe[mt]|uie|e[ou]m|thm$|sm$|eo(?![pu])"
)
_SILENT = re.compile(
    "(?<=[^aeiouyl])e$|(?<=[aeiouy]l)e$"  # make, whole; not table
    "|(?<=[^aeioutdyr])e(?=d$)|(?<=[aeiouy]r)e(?=d$)"  # asked, stared; not wanted, hundred
    "|(?<=[^aeiouysxzcghl])e(?=s$)|(?<=[aeiouyt]h)e(?=s$)|(?<=[aeiouy]l)e(?=s$)"  # makes, clothes, wholes; not boxes, tables
    "|(?<=[^aeiouyl])e(?=(?:ly|ful|less|ness|ment|thing|where|times?|body|one)$)"  # lately, something
)
_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*")
_SENTENCE_END = re.compile(r"[.!?…]+(?=[\s\"'”’)\]]|$)|\n+")
_CLAUSE_END = re.compile(r"(?:[，。！？；：…!?;\n]|[,.:](?!\d))+")
_CHARACTER = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def syllables(word: str) -> int:
    """Syllables of an English word, by its spelling: runs of vowels, at least one.

    One more for two vowels that are spoken apart (ra-dio, sci-ence), one less for an e that is not spoken (make, asked).

    >>> [syllables(word) for word in ("cat", "platypus", "make", "table", "radio", "wanted", "asked", "something")]
    [1, 3, 1, 2, 3, 2, 1, 2]
    """
    word = re.sub("[^a-z]", "", word.lower())
    count = len(_VOWELS.findall(word)) + len(_APART.findall(word))
    return max(1, count - len(_SILENT.findall(word)))


def english_counts(text: str) -> tuple[int, int, int]:
    """Sentences, words and syllables; a text with words has at least one sentence."""
    found = _WORD.findall(text)
    sentences = sum(bool(_WORD.search(part)) for part in _SENTENCE_END.split(text))
    return sentences, len(found), sum(map(syllables, found))


def reading_ease(texts: Sequence[str], *, seed: int = 0) -> tuple[Measure, Measure]:
    """Flesch's reading ease and Kincaid's grade level of English texts; ValueError when they have no words."""
    import numpy as np

    counts_N3 = np.array([english_counts(text) for text in texts], float).reshape(len(texts), 3)
    sums = counts_N3.sum(0)
    if not sums[1]:
        raise ValueError("no English words")
    found = []
    for kind, base, a, b in ((READING_EASE, 206.835, -1.015, -84.6), (GRADE_LEVEL, -15.59, 0.39, 11.8)):

        def formula(sums_R3: Floats, base: float = base, a: float = a, b: float = b) -> Floats:
            with np.errstate(invalid="ignore"):  # a draw of empty texts alone has no value
                values_R: Floats = base + a * sums_R3[:, 1] / sums_R3[:, 0] + b * sums_R3[:, 2] / sums_R3[:, 1]
            return values_R

        interval = bootstrap_sums(counts_N3, formula, seed=seed)
        found.append(
            kind.measure(
                formula(sums[None])[0], interval, n=len(texts), seed=seed, words=int(sums[1]), sentences=int(sums[0]), draws=DRAWS
            )
        )  # fmt: skip
    return found[0], found[1]


@cache
def common_characters() -> frozenset[str]:
    """GB 2312 level 1: rows 16 to 55, 94 to a row, the last with 89."""
    codes = (bytes([0xA0 + row, 0xA0 + cell]) for row in range(16, 56) for cell in range(1, 95))
    return frozenset(code.decode("gb2312") for code in codes if code < b"\xd7\xfa")


def chinese_readability(texts: Sequence[str], *, seed: int = 0) -> tuple[Measure, Measure]:
    """Characters a clause and share of uncommon ones, of Chinese texts; ValueError when they have no Chinese characters."""
    found = [_CHARACTER.findall(text) for text in texts]
    clauses = [sum(bool(_CHARACTER.search(part)) for part in _CLAUSE_END.split(text)) for text in texts]
    characters = list(map(len, found))
    rare = [sum(character not in common_characters() for character in text) for text in found]
    total = sum(characters)
    if not total:
        raise ValueError("no Chinese characters")
    long, seldom = (bootstrap_ratio(above, below, seed=seed) for above, below in ((characters, clauses), (rare, characters)))  # fmt: skip
    return (
        CLAUSE_LENGTH.measure(total / sum(clauses), long, n=len(texts), seed=seed, clauses=sum(clauses), draws=DRAWS),
        UNCOMMON.measure(sum(rare) / total, seldom, n=len(texts), seed=seed, characters=total, draws=DRAWS),
    )


def difficulty(text: str) -> float | None:
    """How hard one text is to read: Kincaid's grade level of English, characters a clause of Chinese; None without words.

    Of which language it is says `language_of`; the two numbers are not to be compared with each other.
    """
    if language_of(text) == "zh":
        clauses = sum(bool(_CHARACTER.search(part)) for part in _CLAUSE_END.split(text))
        return len(_CHARACTER.findall(text)) / clauses if clauses else None
    sentences, words, spoken = english_counts(text)
    return 0.39 * words / sentences + 11.8 * spoken / words - 15.59 if words else None
