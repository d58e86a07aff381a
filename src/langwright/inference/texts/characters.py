"""Tokens that break a character are never chosen: what a model writes is UTF-8 whatever the model does.

Source    The Unicode Standard 16.0, section 3.9, table 3-7: well-formed UTF-8 byte sequences
States    0 between characters; the others say which bytes the character still needs
Shapes    S states    V ids of the tokenizer

Vocabularies of bytes hold pieces of characters, and a model that is small, little trained or sampled at a
high temperature joins pieces that do not fit. Masking those leaves the other probabilities in proportion
and changes nothing where the model would have written whole characters. An end of text is masked while a
character is open, so a text that ends by itself is whole; one that is cut by its length may have an open
character, which the decoder leaves out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from langwright.inference.texts.decoding import Alphabet

BETWEEN = 0
ONE, TWO, THREE = 1, 2, 3  # any continuation bytes, so many
AFTER_E0, AFTER_ED, AFTER_F0, AFTER_F4 = 4, 5, 6, 7  # leads whose second byte is limited
_STATES = 8
_MOVES = (  # (state, first byte, last byte, next state)
    (BETWEEN, 0x00, 0x7F, BETWEEN),
    (BETWEEN, 0xC2, 0xDF, ONE),
    (BETWEEN, 0xE0, 0xE0, AFTER_E0),
    (BETWEEN, 0xE1, 0xEC, TWO),
    (BETWEEN, 0xED, 0xED, AFTER_ED),
    (BETWEEN, 0xEE, 0xEF, TWO),
    (BETWEEN, 0xF0, 0xF0, AFTER_F0),
    (BETWEEN, 0xF1, 0xF3, THREE),
    (BETWEEN, 0xF4, 0xF4, AFTER_F4),
    (ONE, 0x80, 0xBF, BETWEEN),
    (TWO, 0x80, 0xBF, ONE),
    (THREE, 0x80, 0xBF, TWO),
    (AFTER_E0, 0xA0, 0xBF, ONE),
    (AFTER_ED, 0x80, 0x9F, ONE),
    (AFTER_F0, 0x90, 0xBF, TWO),
    (AFTER_F4, 0x80, 0x8F, TWO),
)
_NEXT = {(state, byte): then for state, first, last, then in _MOVES for byte in range(first, last + 1)}


def after_bytes(state: int, data: bytes) -> int | None:
    """The state after these bytes; None when they can be part of no UTF-8 text.

    >>> after_bytes(BETWEEN, "山".encode()), after_bytes(BETWEEN, "山".encode()[:1]) == TWO
    (0, True)
    >>> after_bytes(BETWEEN, b"\\x80") is None
    True
    """
    found: int | None = state
    for byte in data:
        if found is None:
            break
        found = _NEXT.get((found, byte))
    return found


class WholeCharacters:
    """`Constraint` that keeps a continuation UTF-8. Made once per tokenizer, shared by all requests."""

    def __init__(self, alphabet: Alphabet) -> None:
        size = len(alphabet.tokenizer)
        self._then_SV = np.full((_STATES, size), -1, dtype=np.int8)
        for id in range(size):
            data = None if id in alphabet.special else alphabet.bytes_of(id)
            if data is None:  # text and special tokens stand between characters
                self._then_SV[BETWEEN, id] = BETWEEN
                continue
            inside = data[:1] and 0x80 <= data[0] <= 0xBF
            for state in range(ONE, _STATES) if inside else (BETWEEN,):
                then = after_bytes(state, data)
                self._then_SV[state, id] = -1 if then is None else then
        self._allowed_SV = self._then_SV >= 0
        self.cursors = [InCharacter(self._allowed_SV[state], self._then_SV[state], self) for state in range(_STATES)]
        reached = np.unique(self._then_SV[self._allowed_SV])
        self.ends = bool(self._allowed_SV[reached].any(axis=1).all())  # whatever begins can be ended

    def start(self) -> InCharacter:
        """Between characters."""
        return self.cursors[BETWEEN]


class InCharacter:
    """`Cursor` in one of the states; each is made once."""

    ended = None

    def __init__(self, allowed_V: NDArray[np.bool_], then_V: NDArray[np.int8], whole: WholeCharacters) -> None:
        self._allowed_V, self._then_V, self._whole = allowed_V, then_V, whole

    def allowed(self) -> NDArray[np.bool_]:
        """Which ids may come next, shape (V,)."""
        return self._allowed_V

    def ending(self) -> NDArray[np.bool_]:
        """Which of them leave no character open, shape (V,)."""
        return np.asarray(self._then_V == BETWEEN)

    def after(self, id: int) -> InCharacter:
        """The cursor after an allowed id."""
        return self._whole.cursors[int(self._then_V[id])]
