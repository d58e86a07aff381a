"""A corrector that only counts: a noisy channel over words and Chinese characters.

Source    Kernighan, Church & Gale 1990 (what was meant is what makes prior times slip likeliest); Mays, Damerau & Mercer
          1991, Information Processing & Management 27:517, and Brill & Moore 2000, section 4 (the prior is a trigram
          model, and a word that exists can be wrong); for Chinese, characters that were mistaken for each other before,
          as the confusion sets of Wu, Liu & Lee 2013 (SIGHAN 2013)
Differs   Chinese confusions are learned from the training pairs alone, not from tables of sound and shape. A string that
          is no known word may be a new one: it is as likely as its letters are in words, times the share of words seen
          once (Good & Turing). How sure the corrector must be is chosen on a tenth of the training rows, 300 at most.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from langwright.data.kneser_ney import KneserNey, count, padded
from langwright.metrics.edits import HAN, Edit, applied, edits_between, pieces
from langwright.metrics.sets import f1_of
from langwright.tasks.correcting.mistyping import Mistyping, learn_mistyping
from langwright.tasks.correcting.nearby import Nearby

ORDER = 3
LETTERS = 4  # order of the model of letters
SEEN_BEFORE = math.log(0.1)  # of a mistake that training has, given its word: one in ten of that word's mistakes
SHORTEST = 3  # letters of a word that may be mistyped
HAN_RUN = re.compile(f"[{HAN}]")
ROUNDS = 2  # after a correction, its neighbours are looked at once more
SURE = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
HELD_OUT = 10  # at most every tenth row is to choose by
MOST_HELD = 300  # rows
Pair = tuple[str, str]  # text, correction
Option = tuple[str, float]  # what may have been meant, log-probability of the mistake


@dataclass(frozen=True)
class Found:
    """A correction, and how sure the corrector is of it."""

    edit: Edit
    confidence: float


@dataclass(frozen=True)
class Counted:
    """What was counted, as a corrector.

    words     how often each word, character and sign stands in right texts, in lower case
    mistakes  what stood for what in wrong ones: wrong -> right -> how often
    share     of the pieces of training texts that are wrong
    sure      from which confidence on a correction is made
    """

    words: Counter[str]
    mistakes: dict[str, Counter[str]]
    mistyping: Mistyping
    prior: KneserNey
    letters: KneserNey
    share: float
    sure: float = 0.5

    @cached_property
    def ids(self) -> dict[str, int]:
        """Numbers of the known pieces; those not known share the last one."""
        return {word: number for number, word in enumerate(self.words)}

    @cached_property
    def alphabet(self) -> dict[str, int]:
        """Numbers of letters; the last two are any other, and the end."""
        return alphabet_of(self.words)

    @cached_property
    def newness(self) -> float:
        """The chance that the next word is a new one: the share of those seen once (Good & Turing)."""
        return (sum(times == 1 for times in self.words.values()) + 1) / (self.words.total() + 1)

    @cached_property
    def nearby(self) -> Nearby:
        """The known words, to be looked up by what they are mistyped as."""
        return Nearby(word for word in self.words if is_word(word))

    @cached_property
    def confused(self) -> dict[str, dict[str, float]]:
        """Character -> what may have been meant, with the log-probability of this mistake for it."""
        made: Counter[str] = Counter()
        for rights in self.mistakes.values():
            made.update(rights)
        found: dict[str, dict[str, float]] = defaultdict(dict)
        for wrong, rights in self.mistakes.items():
            for right, times in rights.items():
                if is_character(wrong) and is_character(right):
                    found[wrong][right] = math.log(times / (made[right] + 1))
                    found[right].setdefault(wrong, math.log(0.5 / (made[wrong] + 1)))  # as much the other way round
        return found

    # --- correcting ------------------------------------------------------------------------------

    def correct(self, text: str, sure: float | None = None) -> list[Found]:
        """The corrections of a text, in order and apart.

        sure  least confidence; what was chosen in training when left out
        """
        parts = pieces(text)
        places = [place for place, part in enumerate(parts) if not part.isspace()]
        tokens = [parts[place].lower() for place in places]
        made: dict[int, tuple[str, float]] = {}
        for _ in range(ROUNDS):
            fresh = self.best(tokens, made, self.sure if sure is None else sure)
            if not fresh:
                break
            for number, (meant, confidence) in fresh.items():
                made[number] = (meant, confidence)
                tokens[number] = meant
        starts = [0]
        for part in parts:
            starts.append(starts[-1] + len(part))
        return [
            Found(Edit(starts[places[n]], starts[places[n] + 1], cased(parts[places[n]], meant)), confidence)
            for n, (meant, confidence) in sorted(made.items())
        ]

    def from_table(self, text: str) -> list[Edit]:
        """What a table of the mistakes of training does: each becomes what it most often was a mistake for."""
        parts, place, found = pieces(text), 0, []
        for part in parts:
            rights = self.mistakes.get(part.lower())
            if rights and part.lower() not in rights and self.words[part.lower()] < rights.total():
                found.append(Edit(place, place + len(part), cased(part, rights.most_common(1)[0][0])))
            place += len(part)
        return found

    def best(
        self, tokens: Sequence[str], made: dict[int, tuple[str, float]], bound: float
    ) -> dict[int, tuple[str, float]]:
        """New corrections that are sure enough, none within the reach of a surer one."""
        asked = [
            (number, option)
            for number, token in enumerate(tokens)
            if number not in made
            for option in [(token, 0.0), *self.options(token)]
        ]
        scores: dict[int, dict[str, float]] = defaultdict(dict)
        values = self.windows(tokens, [(number, meant) for number, (meant, _) in asked])
        for (number, (meant, slip)), value in zip(asked, values, strict=True):
            kept = meant == tokens[number]
            scores[number][meant] = value + (math.log1p(-self.share) if kept else math.log(self.share) + slip)
        likely = {number: likeliest(found) for number, found in scores.items() if len(found) > 1}
        ranked = sorted(likely, key=lambda number: -likely[number][1])
        taken: dict[int, tuple[str, float]] = {}
        for number in ranked:
            meant, confidence = likely[number]
            apart = all(abs(number - other) >= ORDER for other in taken)
            if meant != tokens[number] and confidence >= bound and apart:
                taken[number] = (meant, confidence)
        return taken

    def options(self, token: str) -> list[Option]:
        """What may have been meant by a piece, and how likely it then becomes this."""
        if is_character(token):
            return list(self.confused.get(token, {}).items())
        seen = dict.fromkeys(self.mistakes.get(token, ()), SEEN_BEFORE)
        if is_word(token) and len(token) >= SHORTEST and token not in self.words:
            for word in self.nearby.of(token):
                seen[word] = max(seen.get(word, -math.inf), self.mistyping.logprob(word, token))
        return [(meant, slip) for meant, slip in seen.items() if meant != token and slip > -math.inf]

    def windows(self, tokens: Sequence[str], options: Sequence[tuple[int, str]]) -> list[float]:
        """Log-probability of each option and of what follows it within the model's reach."""
        ids = [self.ids.get(token, len(self.ids)) for token in tokens]
        documents, own = [], []
        for number, meant in options:
            begin = max(0, number - ORDER + 1)
            middle = [self.ids.get(part, len(self.ids)) for part in meant.split()]
            documents.append([*ids[begin:number], *middle, *ids[number + 1 : number + ORDER]])
            own.append(number - begin)
        width = len(self.ids) + 1
        logs_T = np.log(self.prior.probabilities(padded(documents, width, ORDER)))
        found, place = [], 0
        for (_, meant), document, first in zip(options, documents, own, strict=True):
            place += ORDER - 1
            value = math.fsum(logs_T[place + first : place + len(document)].tolist())
            if document[first] == len(self.ids) and is_word(meant):
                value += self.new_word(meant) - float(logs_T[place + first])
            found.append(value)
            place += len(document)
        return found

    def new_word(self, word: str) -> float:
        """Log-probability of a word that was never seen."""
        ids = [self.alphabet.get(letter, len(self.alphabet)) for letter in word] + [len(self.alphabet) + 1]
        return math.log(self.newness) + math.fsum(self.letters.logprobs(ids).tolist())


def likeliest(scores: dict[str, float]) -> tuple[str, float]:
    """The best option with its share of the probability of all."""
    most = max(scores.values())
    total = math.fsum(math.exp(value - most) for value in scores.values())
    best = max(scores, key=lambda meant: scores[meant])
    return best, 1 / total


def is_character(piece: str) -> bool:
    """Whether a piece is one Chinese character."""
    return len(piece) == 1 and HAN_RUN.fullmatch(piece) is not None


def is_word(piece: str) -> bool:
    """Whether a piece is a word of letters."""
    return piece.replace("'", "").replace("’", "").isalpha() and not is_character(piece)


def cased(original: str, meant: str) -> str:
    """A word with the capitals of the one it replaces.

    >>> cased("Teh", "the"), cased("TEH", "the"), cased("teh", "the")
    ('The', 'THE', 'the')
    """
    if len(original) > 1 and original.isupper():
        return meant.upper()
    return meant[:1].upper() + meant[1:] if original[:1].isupper() else meant


# --- learning --------------------------------------------------------------------------------------


def learn(rows: Iterable[Pair], texts: Iterable[str] = ()) -> Counted:
    """Count over texts with their corrections, and right texts besides.

    raises  UserError when there is no text
    """
    pairs = list(rows)
    every = max(HELD_OUT, len(pairs) // MOST_HELD)
    held = pairs[::every] if len(pairs) >= HELD_OUT * 10 else []
    kept = [pair for number, pair in enumerate(pairs) if number % every or not held]
    more = list(texts)
    found = counted(kept, more)
    if held:
        return replace(counted(pairs, more), sure=chosen(found, held))
    return found


def counted(pairs: Sequence[Pair], texts: Sequence[str]) -> Counted:
    """Words, mistakes, slips and both models."""
    right = [[piece.lower() for piece in pieces(text) if not piece.isspace()] for _, text in pairs]
    right += [[piece.lower() for piece in pieces(text) if not piece.isspace()] for text in texts]
    words = Counter(piece for text in right for piece in text)
    mistakes: dict[str, Counter[str]] = defaultdict(Counter)
    for wrong, meant in mistaken(pairs):
        mistakes[wrong][meant] += 1
    words.update({part: 0 for rights in mistakes.values() for meant in rights for part in meant.split()})
    ids = {word: number for number, word in enumerate(words)}
    prior = count(([ids[piece] for piece in text] for text in right), len(ids) + 1, ORDER)
    alphabet = alphabet_of(words)
    spelt = [[alphabet[letter] for letter in word] + [len(alphabet) + 1] for word in words if is_word(word)]
    letters = count(spelt or [[len(alphabet) + 1]], len(alphabet) + 2, LETTERS)
    slips = learn_mistyping(
        (meant, wrong) for wrong, rights in mistakes.items() for meant in rights if is_word(wrong) and is_word(meant)
    )
    total = sum(rights.total() for rights in mistakes.values())
    share = (total + 1) / (sum(map(len, right[: len(pairs)])) + 2)
    return Counted(words, dict(mistakes), slips, prior, letters, min(share, 0.5))


def mistaken(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """(wrong, right) of every piece that was corrected, in lower case."""
    for text, correction in pairs:
        for edit in edits_between(text, correction):
            wrong, right = text[edit.start : edit.end].lower(), edit.replacement.lower()
            if wrong.strip() == wrong and right.strip() == right and wrong and right and len(pieces(wrong)) == 1:
                yield wrong, right


def chosen(corrector: Counted, held: Sequence[Pair]) -> float:
    """How sure it must be for the best F1 of exact edits on held-out rows."""
    found = [corrector.correct(text, min(SURE)) for text, _ in held]
    right = [set(edits_between(text, correction)) for text, correction in held]

    def f1(sure: float) -> float:
        made = [{one.edit for one in some if one.confidence >= sure} for some in found]
        hits = sum(len(a & b) for a, b in zip(made, right, strict=True))
        return f1_of(hits, sum(map(len, made)), sum(map(len, right)))

    return max(SURE, key=f1)


def alphabet_of(words: Iterable[str]) -> dict[str, int]:
    """Numbers of the letters that words are written with."""
    return {
        letter: number
        for number, letter in enumerate(sorted({letter for word in words if is_word(word) for letter in word}))
    }


def corrected(text: str, found: Sequence[Found]) -> str:
    """The text with its corrections made."""
    return applied(text, [one.edit for one in found])
