"""How varied generated text is: distinct-n, repetition, and how much of a vocabulary it uses.

All three depend on how much text is counted, so a value means something only beside that of other text
of the same amount; people's text of the same amount is the natural one.

Sources   Li et al. 2016, arXiv:1510.03055 (distinct-1 and distinct-2: different n-grams over all generated tokens)
          Welleck et al. 2020, arXiv:1908.04319 (seq-rep-n: share of duplicate n-grams of a continuation)
Differs from Li et al.: the divisor is the number of n-grams, not of tokens, so that text without any repetition has 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence, Set

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_mean, jackknife
from langwright.metrics.units import ngrams, units
from langwright.metrics.yardsticks import Yardstick

DISTINCT = Yardstick(
    name="distinct-{n}", unit="share", better="neither",
    method="different {order}-grams over all {total} {order}-grams of {texts} texts, counted in Chinese characters, words of other scripts and punctuation marks (Li et al. 2016); interval: jackknife over texts",
    does_not_show="whether the text makes sense, as random characters score highest; other amounts of text, as it falls when more is counted",
)  # fmt: skip

REPETITION = Yardstick(
    name="repetition-{n}", unit="share", better="lower",
    method="share of {order}-grams that stood earlier in the same text, mean over {texts} texts, counted in Chinese characters, words of other scripts and punctuation marks (rep-n of Welleck et al. 2020); interval: {draws} bootstrap draws over texts",
    does_not_show="whether the text makes sense; that repeating is wrong, as people repeat too, the more the longer they write",
)  # fmt: skip

COVERAGE = Yardstick(
    name="vocabulary coverage", unit="share", better="neither",
    method="share of a reference vocabulary of {reference} entries ({kind}) that {texts} texts with {total} pieces use at least once; interval: jackknife over texts",
    does_not_show="whether words are used rightly; other amounts of text, as it grows when more is counted",
)  # fmt: skip


def distinct(texts: Sequence[str], n: int) -> Measure:
    """distinct-n: different n-grams over all n-grams of all texts together.

    raises  ValueError when no text is long enough to hold an n-gram
    """
    pieces = [list(ngrams(units(text), n)) for text in texts]
    total = sum(len(p) for p in pieces)
    if total == 0:
        raise ValueError(f"no text holds {n} pieces")
    different, own = novelty(pieces)
    # a text that holds every n-gram there is cannot be left out
    without = [(different - mine) / (total - len(p)) for mine, p in zip(own, pieces, strict=True) if total > len(p)]
    interval = jackknife(different / total, without, most=1.0) if len(without) == len(texts) else None
    return DISTINCT.measure(
        different / total, interval, n=total, name=DISTINCT.name.format(n=n), order=n, total=total, texts=len(texts)
    )  # fmt: skip


def novelty(pieces: Sequence[Sequence[Hashable]]) -> tuple[int, list[int]]:
    """How many different pieces there are, and for each text how many of them stand in no other text."""
    holders: Counter[Hashable] = Counter()
    for text in pieces:
        holders.update(set(text))
    return len(holders), [sum(holders[piece] == 1 for piece in set(text)) for text in pieces]


def repetition_share(text: str, n: int) -> float | None:
    """seq-rep-n of one text: 1 - different n-grams / n-grams; None when it is too short to hold one."""
    found = list(ngrams(units(text), n))
    return 1 - len(set(found)) / len(found) if found else None


def repetition(texts: Sequence[str], n: int = 4, *, seed: int = 0) -> Measure:
    """Mean seq-rep-n; texts too short to hold an n-gram are left out.

    raises  ValueError when every text is too short
    """
    shares = [share for text in texts if (share := repetition_share(text, n)) is not None]
    if not shares:
        raise ValueError(f"no text holds {n} pieces")
    interval = bootstrap_mean(shares, seed=seed)
    return REPETITION.measure(
        sum(shares) / len(shares), interval, n=len(shares), seed=seed,
        name=REPETITION.name.format(n=n), order=n, texts=len(shares), draws=DRAWS,
    )  # fmt: skip


def coverage(texts: Sequence[Sequence[Hashable]], vocabulary: Set[Hashable], *, kind: str) -> Measure:
    """Share of a reference vocabulary that texts use at least once.

    texts       pieces of each text: token ids, characters or words, the same things as in `vocabulary`
    vocabulary  the reference
    kind        English template without fields that says what the reference is
    raises      ValueError when the vocabulary or the sample is empty
    """
    total = sum(len(text) for text in texts)
    if not vocabulary or total == 0:
        raise ValueError("an empty vocabulary or sample")
    used, own = novelty([[piece for piece in text if piece in vocabulary] for text in texts])
    size = len(vocabulary)
    interval = jackknife(used / size, [(used - mine) / size for mine in own], most=1.0)
    return COVERAGE.measure(used / size, interval, n=total, reference=size, kind=kind, texts=len(texts), total=total)
