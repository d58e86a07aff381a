"""Words that must appear in a text, and words that must not.

What must not appear is found in the bytes, whatever tokens spell it: the words are an automaton (Aho & Corasick 1975,
Communications of the ACM 18(6), here with the borders of words in its states), and each state rules out the tokens
that complete one. Where words have spaces between them a word is no part of a longer one, and a token that ends with
a forbidden word is ruled out even though a longer word might have followed, so that there is always a way on.

What must appear: an end is ruled out while something is missing; where the model would end, the missing word is
written instead; and where the room that is left is just enough for what is missing, it is written out.

Shapes    S states    V ids of the tokenizer    L bytes of the longest token
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from langwright.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from transformers import PreTrainedModel

    from langwright.inference.control.vocabulary import Vocabulary

MOST_BYTES = 4096  # of all forbidden words together
KEPT_STATES = 64  # whose tokens are remembered
UNKNOWN, DEAD = -2, -1
LETTER = "[0-9A-Za-z\u00c0-\u1fff]"  # of scripts with spaces between words; with the bytes below they agree exactly
_LETTER = re.compile(LETTER)
State = tuple[frozenset[tuple[int, int]], bool]  # (words begun and how far, inside a word)


def spaced(text: str) -> tuple[bool, bool]:
    """Whether a word begins, and ends, with a letter of a script that has spaces between words."""
    return _LETTER.match(text[0]) is not None, _LETTER.match(text[-1]) is not None


def folded(byte: int) -> int:
    """A to Z as a to z."""
    return byte + 32 if 0x41 <= byte <= 0x5A else byte


def inside_word(byte: int, before: bool) -> bool:
    """Whether one stands inside a word of letters behind this byte."""
    if 0x80 <= byte <= 0xBF:
        return before  # as the byte that began the character has it
    if byte < 0x80:
        return chr(byte).isalnum()
    return 0xC3 <= byte < 0xE2  # first bytes of U+00C0 to U+1FFF


KINDS = (  # bytes that are alike where no word has them
    [byte for byte in range(0x80) if chr(byte).isalnum()],
    [byte for byte in range(0x80) if not chr(byte).isalnum()],
    list(range(0x80, 0xC0)),
    list(range(0xC0, 0xC3)),
    list(range(0xC3, 0xE2)),
    list(range(0xE2, 0x100)),
)


class Never:
    """`Constraint` that keeps words out."""

    def __init__(self, vocabulary: Vocabulary, words: Sequence[str]) -> None:
        self.words = [bytes(map(folded, word.strip().encode())) for word in words if word.strip()]
        if sum(map(len, self.words)) > MOST_BYTES:
            raise UserError(
                "the words that must not appear have {bytes} bytes together, and {most} is the most",
                fix="give fewer or shorter ones",
                bytes=sum(map(len, self.words)),
                most=MOST_BYTES,
            )
        self.borders = [spaced(word.strip()) for word in words if word.strip()]
        self.vocabulary = vocabulary
        self._firsts: dict[int, list[int]] = {}
        for number, data in enumerate(self.words):
            self._firsts.setdefault(data[0], []).append(number)
        own = {byte for data in self.words for byte in data}
        self._own = sorted(own | {byte for byte in range(256) if folded(byte) in own})
        self._classes = [[byte for byte in kind if byte not in self._own] for kind in KINDS]
        self._allowed: dict[State, NDArray[np.bool_]] = {}
        self._number: dict[State, int] = {}
        self._states: list[State] = []
        self._table_SB = np.full((64, 256), UNKNOWN, dtype=np.int32)

    def start(self) -> NeverCursor:
        return NeverCursor(self, (frozenset(), False))

    def step(self, state: State, byte: int) -> State | None:
        """The state behind a byte; None where a forbidden word is complete."""
        begun, inside = state
        small, now = folded(byte), inside_word(byte, inside)
        going = set()
        for word, at in [*begun, *((number, 0) for number in self._firsts.get(small, ()))]:
            data, (left, right) = self.words[word], self.borders[word]
            if at == len(data):  # complete, but perhaps the beginning of a longer word
                if not now:
                    return None
                continue
            if data[at] != small or (at == 0 and left and inside):
                continue
            if at + 1 == len(data) and not right:
                return None
            going.add((word, at + 1))
        return frozenset(going), now

    def closes(self, state: State) -> bool:
        """Whether a forbidden word stands at the end."""
        return any(at == len(self.words[word]) for word, at in state[0])

    def allowed(self, state: State) -> NDArray[np.bool_]:
        """Which ids may come next, shape (V,)."""
        if state not in self._allowed:
            if len(self._allowed) >= KEPT_STATES:
                self._allowed.pop(next(iter(self._allowed)))
            self._allowed[state] = self._walk(state)
        return self._allowed[state]

    def _walk(self, state: State) -> NDArray[np.bool_]:
        bytes_VL, lengths_V, order_V = self.vocabulary.matrix
        now_V = np.full(len(order_V), self._row(state), dtype=np.int32)
        for column in range(bytes_VL.shape[1]):
            longer = int(np.searchsorted(-lengths_V, -column))  # tokens stand longest first
            alive = np.flatnonzero(now_V[:longer] >= 0)
            if not len(alive):
                break
            for number in np.unique(now_V[alive]):
                self._fill(int(number))
            now_V[alive] = self._table_SB[now_V[alive], bytes_VL[alive, column]]
        closed = np.array([*map(self.closes, self._states), True], dtype=np.bool_)  # the last is -1, a dead end
        allowed_V = np.empty(len(order_V), dtype=np.bool_)
        allowed_V[order_V] = ~closed[now_V]
        return allowed_V

    def _row(self, state: State) -> int:
        if state not in self._number:
            self._number[state] = len(self._states)
            self._states.append(state)
            if len(self._states) > len(self._table_SB):
                self._table_SB = np.concatenate([self._table_SB, np.full_like(self._table_SB, UNKNOWN)])
        return self._number[state]

    def _fill(self, number: int) -> None:
        if self._table_SB[number, 0] != UNKNOWN:
            return
        row = np.empty(256, dtype=np.int32)
        for kind in [*([byte] for byte in self._own), *self._classes]:
            if kind:
                then = self.step(self._states[number], kind[0])
                row[kind] = DEAD if then is None else self._row(then)
        self._table_SB[number] = row


@dataclass(frozen=True)
class NeverCursor:
    """`Cursor` of forbidden words."""

    never: Never
    state: State
    ended = None

    def allowed(self) -> NDArray[np.bool_]:
        """Which ids may come next, shape (V,)."""
        return self.never.allowed(self.state)

    def after(self, id: int) -> NeverCursor:
        """The cursor behind a token."""
        state: State | None = self.state
        for byte in self.never.vocabulary.pieces[id]:
            assert state is not None  # the token was allowed
            state = self.never.step(state, byte)
        assert state is not None
        return NeverCursor(self.never, state)


class Must:
    """Words that appear, as the ids that write them.

    most  tokens that the text may have
    """

    def __init__(self, vocabulary: Vocabulary, words: Sequence[str], most: int) -> None:
        self.vocabulary = vocabulary
        self.words = tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
        self.found = [appears(word) for word in self.words]
        self.ids = [vocabulary.spelled(" " + word if spaced(word)[0] else word) for word in self.words]
        self.most = most
        need = sum(map(len, self.ids))
        if need + SLACK > most:
            raise UserError(
                "the words that must appear take {tokens} tokens, and there is room for {most}",
                fix="give fewer words, or a larger max_new_tokens",
                tokens=need + SLACK,
                most=most,
            )

    def missing(self, data: bytes) -> tuple[tuple[int, ...], ...]:
        """The ids of the words that do not appear in a text."""
        text = data.decode(errors="ignore")
        pairs = zip(self.found, self.ids, strict=True)
        return tuple(ids for found, ids in pairs if found.search(text) is None)

    def start(self) -> MustCursor:
        return MustCursor(self, b"", 0, ())


SLACK = 4  # tokens that an open character may take before a word can be written


def appears(word: str) -> re.Pattern[str]:
    """What finds a word in a text, by itself where words have spaces between them."""
    left, right = spaced(word)
    before, behind = (rf"(?<!{LETTER})" if left else ""), (rf"(?!{LETTER})" if right else "")
    return re.compile(before + re.escape(word) + behind, re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class MustCursor:
    """`Cursor` of words that appear.

    queue  ids of a word that is being written out
    """

    must: Must
    data: bytes
    tokens: int
    queue: tuple[int, ...]
    ended = None

    @cached_property
    def missing(self) -> tuple[tuple[int, ...], ...]:
        """The ids of the words that do not appear yet."""
        return self.must.missing(self.data)

    @cached_property
    def due(self) -> tuple[int, ...]:
        """What has to be written now: the rest of a word, or a missing one where there is room for no more."""
        if self.queue:
            return self.queue
        whole = len(self.data.decode(errors="ignore").encode()) == len(self.data)
        room = self.must.most - self.tokens
        if self.missing and whole and room <= sum(map(len, self.missing)) + SLACK:
            return self.missing[0]
        return ()

    def allowed(self) -> NDArray[np.bool_]:
        """Which ids may come next, shape (V,)."""
        size, ends = self.must.vocabulary.size, list(self.must.vocabulary.ends)
        if self.due:
            flags = np.zeros(size, dtype=np.bool_)
            flags[self.due[0]] = True
            return flags
        flags = np.ones(size, dtype=np.bool_)
        if self.missing:
            flags[ends] = False
        return flags

    def after(self, id: int) -> MustCursor:
        """Behind a token. A word that is begun where it was due is written to its end."""
        queue = self.due[1:] if self.due and self.due[0] == id else ()
        return MustCursor(self.must, self.data + self.must.vocabulary.pieces[id], self.tokens + 1, queue)


CERTAIN = 50.0  # nats: what is this much likelier is drawn at any temperature in use


@dataclass(frozen=True)
class Instead:
    """`Guide` of words that appear: where the model would end and one is missing, it is written instead."""

    must: Must

    def start(self, model: PreTrainedModel, prompt: Sequence[int]) -> InsteadGuidance:
        return InsteadGuidance(self.must, b"", ())


class InsteadGuidance:
    """`Guidance` of words that appear."""

    def __init__(self, must: Must, data: bytes, queue: tuple[int, ...]) -> None:
        """queue: ids that are still to come of a word that was begun."""
        self.must, self.data, self.queue = must, data, queue

    def steered(self, logits_V: Tensor) -> Tensor:
        """The logits, with the next token of the word far above the others."""
        if not self.queue and int(logits_V.argmax()) in self.must.vocabulary.ends:
            missing = self.must.missing(self.data)
            self.queue = missing[0] if missing else ()
        if not self.queue:
            return logits_V
        steered_V = logits_V.clone()
        steered_V[self.queue[0]] = logits_V.max() + CERTAIN
        return steered_V

    def after(self, id: int) -> InsteadGuidance:
        """Behind a token."""
        queue = self.queue[1:] if self.queue and self.queue[0] == id else ()
        return InsteadGuidance(self.must, self.data + self.must.vocabulary.pieces[id], queue)
