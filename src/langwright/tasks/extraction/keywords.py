"""Keywords: terms and phrases of a text that say what it is about, each where it stands.

textrank   Mihalcea & Tarau 2004, EMNLP, section 3: words that stand near each other make a graph, PageRank weighs it,
           words that stand side by side become phrases
tf-idf     how often a word stands in the text times how rare it is in a background (Spärck Jones 1972; Salton & Buckley
           1988, Information Processing & Management 24:513)
rake       Rose et al. 2010, Text Mining: Applications and Theory, chapter 1: runs between stop words, each word weighed
           by its degree over its frequency
embedding  candidates like the whole text by a model's vectors and unlike each other, by maximal marginal relevance
           (Carbonell & Goldstein 1998; Bennani-Smires et al. 2018, arXiv:1801.04470, sections 3 and 4)

Differs   textrank filters words by stop words, and of parts of speech only asks whether a Chinese word that stands alone
          can be a noun; edges are weighed by how often two words stand near each other. In textrank and tf-idf a phrase
          has the sum of its words' weights over the root of their number, times how often it stands in the text: plain
          sums prefer long phrases whatever they say, and means single words (docs/log.md has the figures)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from langwright.data.terms import Term, can_be_noun, terms
from langwright.tasks.extraction.background import Background
from langwright.tasks.extraction.diversity import marginal_relevance
from langwright.tasks.extraction.pagerank import pagerank

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Embed = Callable[[Sequence[str]], NDArray[np.float32]]

WINDOW = 3  # words that stand at most so many places apart are near
LONGEST = 4  # words of a phrase
MOST_CANDIDATES = 400  # that a model is asked about, most frequent first


@dataclass(frozen=True)
class Phrase:
    """A keyword with its weight and every place where it stands, in characters, the end not included."""

    text: str
    score: float
    places: tuple[tuple[int, int], ...]


# --- candidates --------------------------------------------------------------------------------------


def runs(text: str, words: Sequence[Term]) -> list[list[Term]]:
    """Terms with content that stand side by side: Chinese ones without anything between, others with spaces or hyphens."""
    found: list[list[Term]] = []
    for word in words:
        if not word.content:
            continue
        before = found[-1][-1] if found else None
        between = text[before.end : word.start] if before else "\n"
        if before and (between == "" or (between.strip(" -") == "" and "\n" not in between)) and found[-1]:
            found[-1].append(word)
        else:
            found.append([word])
    return found


def key_of(words: Sequence[Term]) -> tuple[str, ...]:
    """What a phrase is counted by."""
    return tuple(word.key for word in words)


def phrases(text: str, words: Sequence[Term], longest: int = LONGEST) -> dict[tuple[str, ...], list[tuple[int, int]]]:
    """Every run of at most `longest` terms side by side, with its places; a term alone only where it can be a noun."""
    found: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
    for run in runs(text, words):
        for size in range(1, min(longest, len(run)) + 1):
            for first in range(len(run) - size + 1):
                part = run[first : first + size]
                if size == 1 and not can_be_noun(part[0].key):
                    continue
                found[key_of(part)].append((part[0].start, part[-1].end))
    return found


def best_phrases(text: str, words: Sequence[Term], weights: Mapping[str, float], count: int) -> list[Phrase]:
    """The phrases whose words weigh most, none inside another that is given or holding one.

    A phrase has to stand as one: as a run of the text, or with several words at least twice as a part of runs.
    """
    whole = {key_of(run) for run in runs(text, words)}
    found = phrases(text, words)
    worth = {
        key: len(places) * sum(weights.get(word, 0.0) for word in key) / len(key) ** 0.5
        for key, places in found.items()
        if key in whole or (len(key) > 1 and len(places) > 1)
    }
    ordered = sorted(worth, key=lambda key: (-worth[key], found[key][0]))
    return without_parts(text, [(key, worth[key]) for key in ordered], found, count)


def without_parts(
    text: str,
    ranked: Sequence[tuple[tuple[str, ...], float]],
    places: Mapping[tuple[str, ...], Sequence[tuple[int, int]]],
    count: int,
) -> list[Phrase]:
    """The first of them, leaving out what is a part of one that was taken before or has one as a part."""
    taken: list[tuple[str, ...]] = []
    chosen: list[Phrase] = []
    for key, score in ranked:
        if len(chosen) == count:
            break
        if score > 0 and not any(is_part(key, other) or is_part(other, key) for other in taken):
            taken.append(key)
            start, end = places[key][0]
            chosen.append(Phrase(text[start:end], float(score), tuple(places[key])))
    return chosen


def is_part(key: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether words stand side by side in others."""
    return any(other[first : first + len(key)] == key for first in range(len(other) - len(key) + 1))


# --- methods -----------------------------------------------------------------------------------------


def textrank(text: str, count: int, *, window: int = WINDOW) -> list[Phrase]:
    """At most `count` keywords by TextRank."""
    words = terms(text)
    return best_phrases(text, words, word_ranks(words, window), count)


def word_ranks(words: Sequence[Term], window: int = WINDOW) -> dict[str, float]:
    """The rank of each term with content in the graph of those that stand less than `window` words apart."""
    import numpy as np

    numbers = {key: number for number, key in enumerate(dict.fromkeys(word.key for word in words if word.content))}
    near: Counter[tuple[int, int]] = Counter()
    for place, word in enumerate(words):
        for other in words[place + 1 : place + window]:
            if word.content and other.content and word.key != other.key:
                one, two = sorted((numbers[word.key], numbers[other.key]))
                near[one, two] += 1
    if not numbers:
        return {}
    ends_E2 = np.array(list(near), dtype=np.int64).reshape(-1, 2)
    ranks_N = pagerank(len(numbers), ends_E2, np.array(list(near.values()), dtype=float))
    return {key: float(ranks_N[number]) for key, number in numbers.items()}


def tf_idf(text: str, count: int, background: Background) -> list[Phrase]:
    """At most `count` keywords by how often they stand in the text and how rare their words are in the background."""
    words = terms(text)
    return best_phrases(text, words, {word.key: background.rarity(word.key) for word in words if word.content}, count)


def rake(text: str, count: int) -> list[Phrase]:
    """At most `count` keywords by RAKE: the runs between stop words and marks, with the sum of their words' weights."""
    found = runs(text, terms(text))
    weights = degree_over_frequency([key_of(run) for run in found])
    places: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
    for run in found:
        places[key_of(run)].append((run[0].start, run[-1].end))
    worth = {key: sum(weights[word] for word in key) for key in places}
    ordered = sorted(worth, key=lambda key: (-worth[key], places[key][0]))
    return [
        Phrase(text[places[key][0][0] : places[key][0][1]], worth[key], tuple(places[key])) for key in ordered[:count]
    ]


def degree_over_frequency(candidates: Sequence[Sequence[str]]) -> dict[str, float]:
    """Of each word of the candidates: the words that stand in candidates with it, itself included, by how often it stands."""
    frequency: Counter[str] = Counter()
    degree: Counter[str] = Counter()
    for words in candidates:
        for word in words:
            frequency[word] += 1
            degree[word] += len(words)
    return {word: degree[word] / frequency[word] for word in frequency}


def by_embedding(
    text: str, count: int, embed: Embed, *, relevance_share: float = 0.7, longest: int = 3
) -> list[Phrase]:
    """At most `count` keywords that a model's vectors place near the text and apart from each other.

    embed            texts -> vectors (texts, width)
    relevance_share  λ of marginal relevance: 1 looks at nearness to the text alone
    """
    import numpy as np

    found = phrases(text, terms(text), longest)
    keys = sorted(found, key=lambda key: (-len(found[key]), found[key][0]))[:MOST_CANDIDATES]
    if not keys:
        return []
    said = [text[found[key][0][0] : found[key][0][1]] for key in keys]
    vectors = np.asarray(embed([text, *said]), dtype=float)
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(float).tiny)
    relevance_N, likeness_NN = unit[1:] @ unit[0], unit[1:] @ unit[1:].T
    chosen = marginal_relevance(relevance_N, likeness_NN, count, relevance_share)
    return [Phrase(said[number], float(relevance_N[number]), tuple(found[keys[number]])) for number in chosen]


def together(text: str, words: Sequence[Term]) -> Counter[tuple[str, str]]:
    """How often two different terms with content stand in the same sentence, each pair in alphabetical order."""
    from langwright.data.passages import sentences

    found: Counter[tuple[str, str]] = Counter()
    place = 0
    for start, end in sentences(text):
        here = set()
        while place < len(words) and words[place].start < end:
            if words[place].start >= start and words[place].content:
                here.add(words[place].key)
            place += 1
        found.update(combinations(sorted(here), 2))
    return found
