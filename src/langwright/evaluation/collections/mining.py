"""What a collection of texts is made of: counts, words and their laws, collocations, keywords, what stands together.

Sources   Dunning 1993, Computational Linguistics 19(1):61 (collocations; words that set one group apart from the others,
          as Rayson & Garside 2000, ACL workshop on comparing corpora)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from langwright.data.dataset import text_of
from langwright.data.duplicates import SeenKeys, content_key
from langwright.data.passages import sentences
from langwright.data.schemas import Row
from langwright.data.terms import Term, terms
from langwright.measures import Measure
from langwright.metrics.readability import chinese_readability, reading_ease
from langwright.metrics.units import language_of
from langwright.metrics.word_statistics import duplicates, growth, log_likelihood_ratio, zipf
from langwright.tasks.extraction.background import Background
from langwright.tasks.extraction.keywords import together

SAMPLED = 1000  # texts kept for keywords and readability, the first ones
PLACES = 60  # of the curve of vocabulary
KEYWORDS_A_TEXT = 5
RAREST = 3  # a pair of words that stands together less often is no collocation
MOST_TERMS = 400  # content words of a text whose pairs are counted


@dataclass
class Mined:
    """Counts that grow text by text."""

    texts: int = 0
    empty: int = 0
    repeated: int = 0
    characters: int = 0
    sentences: int = 0
    languages: Counter[str] = field(default_factory=Counter)
    lengths: list[int] = field(default_factory=list)  # words of each text
    words: Counter[str] = field(default_factory=Counter)
    having: Counter[str] = field(default_factory=Counter)  # texts in which a content word stands
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)  # side by side
    firsts: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    near: Counter[tuple[str, str]] = field(default_factory=Counter)  # content words in a sentence
    groups: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    curve: list[tuple[int, int]] = field(default_factory=list)  # words read, kinds of words
    sample: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Words."""
        return sum(self.lengths)

    @property
    def background(self) -> Background:
        """The collection itself, by which its texts' words are rare or common."""
        return Background(self.texts, self.having)


@dataclass(frozen=True)
class Collocation:
    """Two words that stand side by side more often than by chance; `surprise` is Dunning's ratio."""

    words: tuple[str, str]
    times: int
    surprise: float


def mine(rows: Iterable[Row], group: str = "") -> Mined:
    """Read rows once.

    group  name of a column whose values part the texts; "" parts nothing
    """
    found, seen = Mined(), SeenKeys()
    step = 1.15  # of the words between two places of the curve
    for row in rows:
        text = text_of(row)
        words = terms(text)
        found.repeated += not seen.add(content_key(row))
        add(found, text, words)
        value = str(getattr(row, group, "") or "") if group else ""
        if value:
            found.groups[value].update(term.key for term in words if term.content)
        if found.total and (not found.curve or found.total >= found.curve[-1][0] * step):
            found.curve.append((found.total, len(found.words)))
    if found.curve and found.curve[-1][0] != found.total:
        found.curve.append((found.total, len(found.words)))
    return found


def add(found: Mined, text: str, words: Sequence[Term]) -> None:
    """Count one text."""
    found.texts += 1
    found.empty += not text.strip()
    found.characters += len(text)
    found.sentences += len(sentences(text))
    found.languages[language_of(text)] += 1
    found.lengths.append(len(words))
    found.words.update(term.key for term in words)
    content = {term.key for term in words if term.content}
    found.having.update(content)
    for one, other in pairwise(words):
        if text[one.end : other.start].strip(" -") == "":
            found.pairs[one.key, other.key] += 1
            found.firsts[one.key] += 1
            found.seconds[other.key] += 1
    if len(content) <= MOST_TERMS:
        found.near.update(together(text, words))
    if len(found.sample) < SAMPLED and text.strip():
        found.sample.append(text)


# --- what comes of it --------------------------------------------------------------------------------


def measures(found: Mined) -> tuple[Measure, ...]:
    """The numbers that have a law or an interval, where there are enough words for them."""
    made: list[Measure] = [duplicates(found.repeated, found.texts)] if found.texts else []
    if len(found.words) > 1:
        made.append(zipf(list(found.words.values())))
    if len(found.curve) > 1:
        made.append(growth(found.curve))
    for language, judge in (("en", reading_ease), ("zh", chinese_readability)):
        texts = [text for text in found.sample if language_of(text) == language]
        try:
            made += judge(texts) if texts else ()
        except ValueError:  # no words of that language in any of them
            continue
    return tuple(made)


def collocations(found: Mined, count: int) -> list[Collocation]:
    """Pairs of content words that stand side by side, the most surprising first."""
    from langwright.data.terms import has_content

    total = sum(found.pairs.values())
    made = []
    for (one, other), times in found.pairs.items():
        first, second = found.firsts[one], found.seconds[other]
        if times >= RAREST and times * total > first * second and has_content(one) and has_content(other):
            made.append(Collocation((one, other), times, log_likelihood_ratio(times, first, second, total)))
    return sorted(made, key=lambda pair: (-pair.surprise, pair.words))[:count]


def common_keywords(found: Mined, count: int) -> list[tuple[str, int]]:
    """Phrases that are among the five keywords of most texts of the sample, with the number of those."""
    from langwright.tasks.extraction.keywords import tf_idf

    background, often = found.background, Counter[str]()
    named: dict[str, str] = {}
    for text in found.sample:
        for phrase in tf_idf(text, KEYWORDS_A_TEXT, background):
            key = phrase.text.casefold()
            named.setdefault(key, phrase.text)
            often[key] += 1
    return [(named[key], times) for key, times in sorted(often.items(), key=lambda one: (-one[1], one[0]))[:count]]


def apart(found: Mined, count: int) -> dict[str, list[tuple[str, int, float]]]:
    """Of each group, the words that it has more of than the others: (word, times in it, Dunning's ratio)."""
    if len(found.groups) < 2:
        return {}
    sizes = {name: sum(words.values()) for name, words in found.groups.items()}
    whole: Counter[str] = Counter()
    for words in found.groups.values():
        whole.update(words)
    total, made = sum(sizes.values()), {}
    for name, words in found.groups.items():
        rated = [
            (word, times, log_likelihood_ratio(times, sizes[name], whole[word], total))
            for word, times in words.items()
            if times >= RAREST and times * total > sizes[name] * whole[word]
        ]
        made[name] = sorted(rated, key=lambda one: (-one[2], one[0]))[:count]
    return made


def graph(found: Mined, count: int) -> tuple[list[str], dict[tuple[str, str], float]]:
    """The content words of most texts, and how often two of them stand in one sentence."""
    names = [word for word, _ in sorted(found.having.items(), key=lambda one: (-one[1], one[0]))[:count]]
    kept = set(names)
    return names, {pair: float(times) for pair, times in found.near.items() if set(pair) <= kept and times > 1}
