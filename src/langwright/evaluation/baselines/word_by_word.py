"""Translating word for word by a dictionary that is learned from pairs of sentences.

Source    Brown, Della Pietra, Della Pietra & Mercer 1993, CL 19(2), J93-2003, section 4.1 (Model 1: expectation
          maximisation from equal probabilities; an empty word that any word may come from)
Differs   Chinese is cut into characters; where in more than half of the sentences with a word the same character stands
          beside the one that it is translated by, that is written too, so that 医 becomes 医生
          words come from words and marks from marks, or from nothing: else a word with many forms, such as an article,
          becomes the full stop
          case is set aside on the side that is read, and kept on the one that is written
Shapes    P pairs of a word read and a word written    L links: such pairs in sentences    W words written, in all sentences
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langwright.data.characters import CHARACTERS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNIT = re.compile(rf"[{CHARACTERS}]|[^\W_{CHARACTERS}]+(?:['’][^\W_{CHARACTERS}]+)*|\S")
CHINESE = re.compile(f"[{CHARACTERS}]")
ROUNDS = 5
LONGEST = 4  # characters that one word becomes
EMPTY = ""  # the word that words without a match come from
Words = list[str]
Sentences = Sequence[tuple[Words, Words]]


@dataclass(frozen=True)
class Likely:
    """How likely each word is written for each word read.

    sources, targets  (P,) as numbers in `read` and `written`
    shares            (P,)
    """

    read: Words
    written: Words
    sources: NDArray[np.int64]
    targets: NDArray[np.int64]
    shares: NDArray[np.float64]

    def of(self, word: str) -> dict[str, float]:
        """The words that may be written for one, each with its probability."""
        inside = self.sources == self.read.index(word)
        return dict(zip([self.written[n] for n in self.targets[inside]], map(float, self.shares[inside]), strict=True))

    def best(self) -> dict[str, str]:
        """The likeliest of each word; of equal ones that which comes first in the alphabet."""
        import numpy as np

        order = np.lexsort((self.targets, -self.shares, self.sources))
        _, first = np.unique(self.sources[order], return_index=True)
        return {self.read[self.sources[n]]: self.written[self.targets[n]] for n in order[first]}


def learned(sentences: Sentences, rounds: int = ROUNDS, *, empty: bool = True) -> Likely:
    """IBM's Model 1 of pairs of sentences, after so many rounds.

    empty  let words come from nothing
    """
    import numpy as np

    read = sorted({word for one, _ in sentences for word in one} | ({EMPTY} if empty else set()))
    written = sorted({word for _, other in sentences for word in other})
    number_read, number_written = ({word: n for n, word in enumerate(words)} for words in (read, written))
    sources, targets, places = [], [], []
    place = 0
    for one, other in sentences:
        for word in other:
            kin = [near for near in one if is_mark(near) == is_mark(word)]
            ids = [number_read[near] for near in ([EMPTY, *kin] if empty else kin)]
            sources += ids
            targets += [number_written[word]] * len(ids)
            places += [place] * len(ids)
            place += 1
    links_L: Any = np.array(sources, dtype=np.int64) * len(written) + np.array(targets, dtype=np.int64)
    places_L = np.array(places, dtype=np.int64)
    pairs_P, pair_L = np.unique(links_L, return_inverse=True)
    source_P, shares_P = pairs_P // len(written), np.ones(len(pairs_P))
    for _ in range(rounds):
        weights_L = shares_P[pair_L]
        expected_L = weights_L / np.bincount(places_L, weights_L)[places_L]
        counts_P = np.bincount(pair_L, expected_L, len(pairs_P))
        shares_P = counts_P / np.bincount(source_P, counts_P)[source_P]
    return Likely(read, written, source_P, pairs_P % len(written), shares_P)


class Dictionary:
    """What is written for each word."""

    def __init__(self, texts: Sequence[tuple[str, str]]) -> None:
        """Learned from pairs of texts."""
        sentences = [(pieces(one.casefold()), pieces(other)) for one, other in texts]
        self.entries = learned(sentences).best()
        self.entries.pop(EMPTY, None)
        self.entries |= dict(longer(self.entries, sentences))

    def __call__(self, text: str) -> str:
        """A text word for word; words that were never seen stay."""
        return joined([self.entries.get(word.casefold(), word) for word in pieces(text)])


def pieces(text: str) -> Words:
    """Words, marks and Chinese characters.

    >>> pieces("Don't, 我们2")
    ["Don't", ',', '我', '们', '2']
    """
    return UNIT.findall(text)


def is_mark(word: str) -> bool:
    """Whether a piece is no word."""
    return not word[0].isalnum()


def longer(entries: dict[str, str], sentences: Sentences) -> Iterator[tuple[str, str]]:
    """Entries of one Chinese character with those that mostly stand beside it where the word is read."""
    seen: defaultdict[str, list[str]] = defaultdict(list)
    for one, other in sentences:
        text = "".join(other)
        for word in {word for word in one if CHINESE.fullmatch(entries.get(word, ""))}:
            if entries[word] in text:
                seen[word].append(text)
    for word, texts in seen.items():
        yield word, grown(entries[word], texts)


def grown(run: str, texts: Sequence[str]) -> str:
    """A run of Chinese characters with the neighbours that more than half of the texts have, one after the other.

    >>> grown("医", ["医生来了", "看医生", "一个医生", "医院"])
    '医生'
    """
    while len(run) < LONGEST and len(texts) > 1:
        beside: Counter[str] = Counter()
        for text in texts:
            at = text.find(run)
            beside.update({text[max(0, at - 1) : at] + run, run + text[at + len(run) : at + len(run) + 1]} - {run})
        best = max(sorted(beside), key=lambda one: beside[one], default="")
        if 2 * beside[best] <= len(texts) or not all(CHINESE.match(letter) for letter in best):
            return run
        run, texts = best, [text for text in texts if best in text]
    return run


def joined(words: Words) -> str:
    """Words as a text: no space beside a Chinese character, or before a mark that closes.

    >>> joined(["Ein", "Mann", ",", "der", "isst", "."])
    'Ein Mann, der isst.'
    """
    text = ""
    for word in words:
        apart = text and not (word[0] in ",.;:!?)»" or CHINESE.match(word[0]) or CHINESE.match(text[-1]))
        text += f" {word}" if apart else word
    return text
