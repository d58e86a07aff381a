"""How generated text relates to the text a model was trained on: copied runs, common characters, whole characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Set

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_ratio, wilson
from langwright.metrics.units import ngrams, units
from langwright.metrics.yardsticks import Yardstick

COPIED = Yardstick(
    name="copied {n}-grams", unit="share", better="neither",
    method="share of {total} runs of {order} pieces (Chinese characters, words of other scripts, punctuation marks; casefolded) in {texts} generated texts that stand in {documents} training documents; interval: {draws} bootstrap draws over texts",
    does_not_show="whether what was copied is private or protected, as people copy set phrases and quotations too; text outside the documents searched",
)  # fmt: skip

FREQUENT = Yardstick(
    name="frequent characters", unit="share", better="higher",
    method="share of {total} generated characters, white space left out, among the {k} most frequent of the training text; interval: {draws} bootstrap draws over texts",
    does_not_show="whether the characters make sense together",
)  # fmt: skip

VALID = Yardstick(
    name="valid UTF-8", unit="share", better="higher",
    method="share of {n} generated texts without a broken character (undecodable bytes or U+FFFD); Wilson interval",
    does_not_show="anything about what the text says",
)  # fmt: skip


def copied(texts: Sequence[str], corpus: Iterable[str], n: int = 12, *, seed: int = 0) -> Measure:
    """Share of n-grams of generated text that stand in a corpus.

    The corpus is read once and not held: only the generated n-grams are.

    raises  ValueError when no text holds an n-gram
    """
    mine = [list(ngrams(units(text), n)) for text in texts]
    total = sum(len(m) for m in mine)
    if total == 0:
        raise ValueError(f"no text holds {n} pieces")
    found, documents = standing(set().union(*mine), corpus, n)
    hits = [sum(gram in found for gram in m) for m in mine]
    interval = bootstrap_ratio(hits, [len(m) for m in mine], seed=seed)
    return COPIED.measure(
        sum(hits) / total, interval, n=total, seed=seed, name=COPIED.name.format(n=n),
        order=n, total=total, texts=len(texts), documents=documents, draws=DRAWS,
    )  # fmt: skip


def standing(wanted: Set[tuple[str, ...]], corpus: Iterable[str], n: int) -> tuple[set[tuple[str, ...]], int]:
    """Which of the wanted n-grams stand in a corpus, and how many documents it has.

    A document's n-gram is looked up only where its first and last pieces are first and last of a wanted one.
    """
    firsts, lasts = {gram[0] for gram in wanted}, {gram[-1] for gram in wanted}
    found: set[tuple[str, ...]] = set()
    documents = 0
    for document in corpus:
        documents += 1
        pieces = units(document)
        for start, first in enumerate(pieces[: max(0, len(pieces) - n + 1)]):
            if first in firsts and pieces[start + n - 1] in lasts:
                gram = tuple(pieces[start : start + n])
                if gram in wanted:
                    found.add(gram)
    return found, documents


def frequent_characters(corpus: Iterable[str], k: int = 3500) -> frozenset[str]:
    """The k most frequent characters of a corpus, white space left out; ties go to the lower code point."""
    counts: Counter[str] = Counter()
    for text in corpus:
        counts.update(text)
    ranked = sorted((c for c in counts if not c.isspace()), key=lambda c: (-counts[c], c))
    return frozenset(ranked[:k])


def among_frequent(texts: Sequence[str], frequent: Set[str], *, k: int = 3500, seed: int = 0) -> Measure:
    """Share of generated characters among the frequent ones.

    k       how many frequent characters were asked for, as stated in the method
    raises  ValueError when the texts hold nothing but white space
    """
    written = [[c for c in text if not c.isspace()] for text in texts]
    total = sum(len(w) for w in written)
    if total == 0:
        raise ValueError("no character was generated")
    hits = [sum(c in frequent for c in w) for w in written]
    interval = bootstrap_ratio(hits, [len(w) for w in written], seed=seed)
    return FREQUENT.measure(sum(hits) / total, interval, n=total, seed=seed, total=total, k=k, draws=DRAWS)


def is_valid(text: str | bytes) -> bool:
    """True when bytes decode as UTF-8, or a text has neither U+FFFD nor half a surrogate pair."""
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        decoded.encode("utf-8")
    except UnicodeError:
        return False
    return "\ufffd" not in decoded


def valid_utf8(texts: Sequence[str | bytes]) -> Measure:
    """Share of texts that are whole characters; ValueError when there is none."""
    if not texts:
        raise ValueError("no text")
    good = sum(is_valid(text) for text in texts)
    return VALID.measure(good / len(texts), wilson(good, len(texts)), n=len(texts))
