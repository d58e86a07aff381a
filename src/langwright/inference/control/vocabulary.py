"""The tokens of one model as the bytes that they add to a text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from langwright.errors import UserError
from langwright.tokenizers.pieces import SPACE

if TYPE_CHECKING:
    from llguidance import LLTokenizer
    from numpy.typing import NDArray

    from langwright.inference.control.lengths import Measure
    from langwright.inference.texts.decoding import Alphabet


class Vocabulary:
    """Made once a model, since walking through a large one takes a while.

    pieces  the bytes of each id; none for a special token
    ends    ids that end a text
    """

    def __init__(self, alphabet: Alphabet, ends: Sequence[int]) -> None:
        self.alphabet = alphabet
        self.size = len(alphabet.tokenizer)
        self.special = frozenset(id for id in alphabet.special if id < self.size)
        self.ends = tuple(sorted(id for id in ends if id < self.size))
        self.measures: dict[str, Measure] = {}  # by unit, made when asked for
        self.pieces = [b"" if id in self.special else piece_of(alphabet, id) for id in range(self.size)]

    @cached_property
    def parser(self) -> LLTokenizer:
        """The trie of these tokens, for llguidance."""
        from llguidance import LLTokenizer, TokenizerWrapper

        tokens = Tokens(self)
        return LLTokenizer(TokenizerWrapper(tokens), eos_token=tokens.ends)

    @cached_property
    def _known(self) -> dict[bytes, int]:
        return {piece: id for id, piece in reversed(list(enumerate(self.pieces))) if piece}

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self.pieces), default=0)

    @cached_property
    def matrix(self) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """(bytes of the pieces, shape (V, L), their lengths, their ids), the longest first."""
        lengths_V = np.array([len(piece) for piece in self.pieces], dtype=np.int64)
        order_V = np.argsort(-lengths_V, kind="stable")
        bytes_VL = np.zeros((len(order_V), int(lengths_V.max(initial=0))), dtype=np.uint8)
        for row, id in enumerate(order_V):
            bytes_VL[row, : lengths_V[id]] = np.frombuffer(self.pieces[id], dtype=np.uint8)
        return bytes_VL, lengths_V[order_V], order_V

    def spelled(self, text: str) -> tuple[int, ...]:
        """Ids that add exactly this text: the tokenizer's own where they do, else the longest pieces from the left.

        raises  UserError where no ids do
        """
        data = text.encode()
        own = self.alphabet.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        for ids in (own, own[1:]):  # a space of its own before the first word
            if ids and b"".join(self.pieces[id] for id in ids) == data:
                return tuple(ids)
        found = self.greedy(data)
        if found is None:
            raise UserError(
                "{text!r} cannot be written with the tokens of this model",
                fix="leave it out, or use a model whose tokenizer knows its characters",
                text=text.strip(),
            )
        return found

    def greedy(self, data: bytes) -> tuple[int, ...] | None:
        """Always the longest piece from the left; None where there is none."""
        found: list[int] = []
        while data:
            sizes = range(min(len(data), self._longest), 0, -1)
            size = next((size for size in sizes if data[:size] in self._known), None)
            if size is None:
                return None
            found.append(self._known[data[:size]])
            data = data[size:]
        return tuple(found)


class Tokens:
    """A vocabulary in the shape that llguidance asks for."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        alphabet = vocabulary.alphabet
        names = {id: alphabet.token_bytes(id) for id in vocabulary.special}
        self.tokens = [names.get(id, piece) for id, piece in enumerate(vocabulary.pieces)]
        self.special_token_ids = sorted(vocabulary.special)
        self.ends = list(vocabulary.ends)
        if not self.ends:  # a number behind the last id stands for the end that this tokenizer does not have
            self.ends = [len(self.tokens)]
            self.special_token_ids += self.ends
            self.tokens.append(b"<end>")
        self.eos_token_id = self.ends[0]
        self.bos_token_id = None

    def __call__(self, text: bytes | str) -> list[int]:
        """The tokens of a text that the grammar leaves no choice about."""
        if isinstance(text, bytes):
            text = text.decode(errors="ignore")
        try:
            return list(self.vocabulary.spelled(text)) if text else []
        except UserError:  # then the mask finds that no token can go on
            return []


def piece_of(alphabet: Alphabet, id: int) -> bytes:
    """What a token adds to a text that it does not begin."""
    found = alphabet.bytes_of(id)
    if found is not None:
        return found
    token = str(alphabet.tokenizer.convert_ids_to_tokens(id))
    if SPACE in token or alphabet.kind == "byte-fallback":
        return token.replace(SPACE, " ").encode()
    return alphabet.token_bytes(id)
