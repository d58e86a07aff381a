"""Simple methods for tasks: what a dictionary, shared words, the first sentences and word-for-word translation achieve.

Each learns from the train rows alone and gives, of every row measured, what a model would say.

Sources   Richardson, Burges & Renshaw 2013, EMNLP D13-1020, section 3.1, algorithm 1 (sliding window, words weighted
          by inverse count); Rajpurkar et al. 2016, arXiv:1606.05250, section 4.1, use the same for spans
          Dice 1945, Ecology 26:297; as a measure of which words translate each other: Melamed 2000, CL 26(2), section 1
          Nenkova 2005, AAAI, on the first sentences as a summary
Differs   a span is as long as the train answers are on average; a window is the question's length on both sides of it
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from langwright.data.schemas import ChoiceRow, PairRow, QaRow, RegressionRow, SummaryRow, TaggingRow, TranslationRow
from langwright.evaluation.baselines import COMMONEST, WORDS
from langwright.evaluation.sampling import opening
from langwright.evaluation.word_counts import fit_word_counts
from langwright.metrics.units import language_of, units

Found = Iterator[tuple[str, list[Any]]]


def of_pairs(train: Sequence[PairRow], rows: Sequence[PairRow]) -> Found:
    """Word counts over both texts, and the commonest label."""
    labels = [row.label for row in train]
    if len(set(labels)) > 1:
        fitted = fit_word_counts([joined(row) for row in train], labels)
        yield WORDS, [guess.label for guess in fitted([joined(row) for row in rows])]
    yield COMMONEST, [Counter(labels).most_common(1)[0][0]] * len(rows)


def joined(row: PairRow) -> str:
    """Both texts of a pair."""
    return f"{row.text_a}\n{row.text_b}"


def of_similarities(train: Sequence[PairRow], rows: Sequence[PairRow]) -> Found:
    """The share of words that two texts have in common, put on the scale of the train scores by a straight line."""
    import numpy as np

    seen, told = np.array([overlap(row) for row in train]), np.array([row.score or 0.0 for row in train])
    slope, level = np.polyfit(seen, told, 1) if len(set(seen.tolist())) > 1 else (0.0, float(told.mean()))
    yield "shared words", [float(slope * overlap(row) + level) for row in rows]
    yield "always the mean", [float(told.mean())] * len(rows)


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
    yield "TF-IDF and ridge regression", list(map(float, fitted.predict(counts.transform([row.text for row in rows]))))
    yield "always the mean", [math.fsum(told) / len(told)] * len(rows)


def of_tags(train: Sequence[TaggingRow], rows: Sequence[TaggingRow]) -> Found:
    """A dictionary of the train spans with the commonest label of each, the longest match first."""
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in train:
        for span in row.spans:
            seen[row.text[span.start : span.end]][span.label] += 1
    known = {text: counts.most_common(1)[0][0] for text, counts in seen.items()}
    yield "dictionary tagger", [looked_up(row.text, known) for row in rows]


def looked_up(text: str, known: dict[str, str]) -> set[tuple[int, int, str]]:
    """(start, end, label) of the known names in a text, from left to right, the longest first; whole words where they are Latin.

    >>> looked_up("New York, Yorkshire", {"York": "a", "New York": "b"})
    {(0, 8, 'b')}
    """
    sizes = sorted({len(name) for name in known}, reverse=True)
    found, place = set(), 0
    while place < len(text):
        fitting = (size for size in sizes if place + size <= len(text) and text[place : place + size] in known)
        size = next((size for size in fitting if alone(text, place, place + size)), 0)
        if size:
            found.add((place, place + size, known[text[place : place + size]]))
        place += size or 1
    return found


def alone(text: str, start: int, end: int) -> bool:
    """Whether a stretch begins and ends where a Latin word does, or is not Latin there."""
    return not (
        (start > 0 and latin(text[start - 1]) and latin(text[start]))
        or (end < len(text) and latin(text[end - 1]) and latin(text[end]))
    )


def latin(letter: str) -> bool:
    """Whether a letter belongs to a word that is written without a break."""
    return letter.isascii() and letter.isalnum()


def of_questions(train: Sequence[QaRow], rows: Sequence[QaRow]) -> Found:
    """The span around which most words of the question stand, weighted by how rare they are in the passage."""
    sizes = [len(units(answer.text)) for row in train for answer in row.answers[:1]]
    size = max(1, round(sum(sizes) / len(sizes))) if sizes else 1
    yield "sliding window", [window_answer(row.question, row.context, size) for row in rows]


def window_answer(question: str, context: str, size: int) -> str:
    """The span of so many pieces, none of them the question's, with the most of the question around it.

    >>> window_answer("Who built the mill?", "Anna built the mill. It stands on a hill.", 1)
    'Anna'
    """
    places = places_of(context)
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


def places_of(text: str) -> list[tuple[str, int, int]]:
    """(piece, start, end) of the pieces of a text, as `units` cuts it."""
    found, place = [], 0
    for piece in units(text):
        place = text.casefold().index(piece, place) if len(text.casefold()) == len(text) else place
        found.append((piece, place, place + len(piece)))
        place += len(piece)
    return found


def of_choices(train: Sequence[ChoiceRow], rows: Sequence[ChoiceRow]) -> Found:
    """The answer that shares most words with question and context, and the first one."""
    yield "shared words", [most_shared(row) for row in rows]
    yield "always the first", [0] * len(rows)


def most_shared(row: ChoiceRow) -> int:
    """Which answer that is; the first of equals."""
    asked = set(units(f"{row.context}\n{row.question}"))
    scores = [len(asked & set(units(choice))) / max(1, len(units(choice))) for choice in row.choices]
    return scores.index(max(scores))


def of_translations(train: Sequence[TranslationRow], rows: Sequence[TranslationRow]) -> Found:
    """Each piece by the one it most goes together with in the train pairs of the same languages (Dice), in its place."""
    together: defaultdict[tuple[str, str], list[TranslationRow]] = defaultdict(list)
    for row in train:
        together[row.language, row.target_language].append(row)
    tables = {pair: dice_table(some) for pair, some in together.items()}
    said = []
    for row in rows:
        table = tables.get((row.language, row.target_language), {})
        pieces = [table.get(piece, piece) for piece in units(row.text)]
        said.append(("" if language_of("".join(pieces)) == "zh" else " ").join(pieces))
    yield "word for word", said


def dice_table(rows: Sequence[TranslationRow]) -> dict[str, str]:
    """Of each piece the piece of the other side with the highest 2 n(a, b) / (n(a) + n(b)) over pairs."""
    left: Counter[str] = Counter()
    right: Counter[str] = Counter()
    both: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        one, other = set(units(row.text)), set(units(row.translation))
        left.update(one)
        right.update(other)
        for piece in one:
            both[piece].update(other)
    return {
        piece: max(sorted(others), key=lambda one: 2 * others[one] / (left[piece] + right[one]))
        for piece, others in both.items()
    }


def of_summaries(train: Sequence[SummaryRow], rows: Sequence[SummaryRow]) -> Found:
    """The beginning of the text, as long as the train summaries are on average."""
    size = max(1, round(sum(len(units(row.summary)) for row in train) / len(train)))
    yield "the first words", [opening(row.text, size) for row in rows]
