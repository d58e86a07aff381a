"""Simple methods for tasks: what a dictionary, shared words, the first sentences and word-for-word translation achieve.

Each learns from the train rows alone and gives, of every row measured, what a model would say.

Sources   Richardson, Burges & Renshaw 2013, EMNLP D13-1020, section 3.1, algorithm 1 (sliding window, words weighted
          by inverse count); Rajpurkar et al. 2016, arXiv:1606.05250, section 4.1, use the same for spans
          Brown et al. 1993, CL 19(2), section 4.1, on which words translate each other (`word_by_word`)
          Nenkova 2005, AAAI, on the first sentences as a summary
Differs   a span is as long as the train answers are on average; a window is the question's length on both sides of it
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from langwright.data.gazetteer import Gazetteer
from langwright.data.schemas import (
    ChoiceRow,
    PairRow,
    QaRow,
    RegressionRow,
    RelationRow,
    SummaryRow,
    TaggingRow,
    TranslationRow,
)
from langwright.evaluation.baselines.language import COMMONEST, WORDS
from langwright.evaluation.baselines.word_by_word import Dictionary
from langwright.evaluation.baselines.word_counts import fit_word_counts
from langwright.evaluation.measuring.sampling import opening
from langwright.metrics.units import placed_units, units

Found = Iterator[tuple[str, list[Any]]]

DICTIONARY = "dictionary tagger"
WINDOW = "sliding window"
FIRST_WORDS = "the first words"
BY_WORD = "word for word"
SHARED = "shared words"
MEAN = "always the mean"
RIDGE = "TF-IDF and ridge regression"
FIRST = "always the first"
NAMES = (DICTIONARY, WINDOW, FIRST_WORDS, BY_WORD, SHARED, MEAN, RIDGE, FIRST)


def of_pairs(train: Sequence[PairRow], rows: Sequence[PairRow]) -> Found:
    """Word counts over both texts, and the commonest label."""
    labels = [row.label for row in train]
    if len(set(labels)) > 1:
        fitted = fit_word_counts([joined(row) for row in train], labels)
        yield WORDS, [guess.label for guess in fitted([joined(row) for row in rows])]
    yield COMMONEST, [Counter(labels).most_common(1)[0][0]] * len(rows)


def of_relations(train: Sequence[RelationRow], rows: Sequence[RelationRow]) -> Found:
    """Word counts over texts in which the two things are marked, and the commonest label."""
    from langwright.tasks.relation import NONE, marked_row

    labels = ["none" if row.label.casefold() in NONE else row.label for row in train]
    if len(set(labels)) > 1:
        fitted = fit_word_counts([marked_row(row) for row in train], labels)
        yield WORDS, [guess.label for guess in fitted([marked_row(row) for row in rows])]
    yield COMMONEST, [Counter(labels).most_common(1)[0][0]] * len(rows)


def joined(row: PairRow) -> str:
    """Both texts of a pair."""
    return f"{row.text_a}\n{row.text_b}"


def of_similarities(train: Sequence[PairRow], rows: Sequence[PairRow]) -> Found:
    """The share of words that two texts have in common, put on the scale of the train scores by a straight line."""
    import numpy as np

    seen, told = np.array([overlap(row) for row in train]), np.array([row.score or 0.0 for row in train])
    slope, level = np.polyfit(seen, told, 1) if len(set(seen.tolist())) > 1 else (0.0, float(told.mean()))
    yield SHARED, [float(slope * overlap(row) + level) for row in rows]
    yield MEAN, [float(told.mean())] * len(rows)


def overlap(row: PairRow) -> float:
    """Jaccard's coefficient of the pieces of two texts."""
    one, other = set(units(row.text_a)), set(units(row.text_b))
    return len(one & other) / max(1, len(one | other))


def of_values(train: Sequence[RegressionRow], rows: Sequence[RegressionRow]) -> Found:
    """Ridge regression over TF-IDF of one to three characters, and the mean."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge

    told = [row.score for row in train]
    counts = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3))
    fitted = Ridge().fit(counts.fit_transform([row.text for row in train]), told)
    yield RIDGE, list(map(float, fitted.predict(counts.transform([row.text for row in rows]))))
    yield MEAN, [math.fsum(told) / len(told)] * len(rows)


def of_tags(train: Sequence[TaggingRow], rows: Sequence[TaggingRow]) -> Found:
    """A dictionary of the train spans with the commonest label of each, the longest match first."""
    gazetteer = Gazetteer.of(train)
    yield DICTIONARY, [{(one.start, one.end, one.label) for one in gazetteer.found(row.text)} for row in rows]


def of_questions(train: Sequence[QaRow], rows: Sequence[QaRow]) -> Found:
    """The span around which most words of the question stand, weighted by how rare they are in the passage."""
    sizes = [len(units(answer.text)) for row in train for answer in row.answers[:1]]
    size = max(1, round(sum(sizes) / len(sizes))) if sizes else 1
    yield WINDOW, [window_answer(row.question, row.context, size) for row in rows]


def window_answer(question: str, context: str, size: int) -> str:
    """The span of so many pieces, none of them the question's, with the most of the question around it.

    >>> window_answer("Who built the mill?", "Anna built the mill. It stands on a hill.", 1)
    'Anna'
    """
    places = placed_units(context)
    words, asked = [word for word, _, _ in places], set(units(question))
    counts, reach = Counter(words), len(units(question))
    weights = [math.log(1 + 1 / counts[word]) if word in asked else 0.0 for word in words]
    best, span = -1.0, (0, 0)
    for first in range(len(words) - size + 1):
        last = first + size
        if any(word in asked or not word[0].isalnum() for word in words[first:last]):
            continue
        score = math.fsum(weights[max(0, first - reach) : last + reach])
        if score > best:
            best, span = score, (places[first][1], places[last - 1][2])
    return context[slice(*span)]


def of_choices(train: Sequence[ChoiceRow], rows: Sequence[ChoiceRow]) -> Found:
    """The answer that shares most words with question and context, and the first one."""
    yield SHARED, [most_shared(row) for row in rows]
    yield FIRST, [0] * len(rows)


def most_shared(row: ChoiceRow) -> int:
    """Which answer that is; the first of equals."""
    asked = set(units(f"{row.context}\n{row.question}"))
    scores = [len(asked & set(units(choice))) / max(1, len(units(choice))) for choice in row.choices]
    return scores.index(max(scores))


def of_translations(train: Sequence[TranslationRow], rows: Sequence[TranslationRow]) -> Found:
    """Each word by the likeliest in the train pairs of the same languages (IBM's Model 1), in its place."""
    pairs: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for row in train:
        pairs[row.language, row.target_language].append((row.text, row.translation))
    wanted = {(row.language, row.target_language) for row in rows} & pairs.keys()
    dictionaries = {languages: Dictionary(pairs[languages]) for languages in wanted}
    said = [(dictionaries.get((row.language, row.target_language)), row.text) for row in rows]
    yield BY_WORD, [dictionary(text) if dictionary else text for dictionary, text in said]


def of_summaries(train: Sequence[SummaryRow], rows: Sequence[SummaryRow]) -> Found:
    """The beginning of the text, as long as the train summaries are on average."""
    size = max(1, round(sum(len(units(row.summary)) for row in train) / len(train)))
    yield FIRST_WORDS, [opening(row.text, size) for row in rows]
