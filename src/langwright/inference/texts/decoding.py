"""Token ids to text, one at a time, without ever showing part of a character; and stop strings.

What a token adds to the text depends on the tokenizer:

byte-level BPE      each token is a run of bytes, whatever stands beside it (GPT-2, Llama 3, Qwen, ours)
byte fallback       single bytes are tokens `<0xE4>`, the rest is text (Llama 2, most SentencePiece models)
anything else       text, with spaces that depend on whether a token stands first

In all three a token is decoded beside the tokens before it, the prompt's included, so that the prompt
and its continuation joined are the text of all ids joined.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from langwright.inference.texts.characters import WholeCharacters
from langwright.tokenizers.pieces import Kind, bytes_of_token, kind_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BESIDE = 4  # tokens looked back at; one is enough for every decoder of `tokenizers`, special tokens left out


class Alphabet:
    """What the tokens of one tokenizer stand for. Made once per tokenizer, shared by all streams."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self.kind: Kind = kind_of(tokenizer)
        flagged = {id for id, token in tokenizer.added_tokens_decoder.items() if token.special}
        self.special = frozenset(flagged | set(tokenizer.all_special_ids))

    @cached_property
    def whole_characters(self) -> WholeCharacters | None:
        """What keeps a continuation UTF-8.

        None for a tokenizer whose tokens never split a character, and for one that can begin characters which
        none of its tokens ends.
        """
        if self.kind == "text":
            return None
        constraint = WholeCharacters(self)
        return constraint if constraint.ends else None

    def bytes_of(self, id: int) -> bytes | None:
        """The bytes of a token that may be part of a character; None for a token that is text."""
        token = self.tokenizer.convert_ids_to_tokens(id)
        if token is None:  # an id between the tokenizer's size and the model's: padding of the weights
            return b""
        return bytes_of_token(token, self.kind)

    def text_of(self, ids: Sequence[int]) -> str:
        """All ids as text, special tokens left out."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def token_bytes(self, id: int) -> bytes:
        """One token alone as bytes, for reports of log-probabilities; special tokens by their names."""
        if id in self.special:
            return str(self.tokenizer.convert_ids_to_tokens(id)).encode()
        found = self.bytes_of(id)
        if found is not None:
            return found
        beside = self.text_of([id, id])  # the second of two keeps the space that stands before it
        alone = self.text_of([id])
        return (beside[len(alone) :] if beside.startswith(alone) else alone).encode()


class TextDecoder:
    """Text of one continuation, a token at a time.

    Differs from `tokenizer.decode` in one case: where a model writes bytes that are no UTF-8, the
    decoder of byte-fallback tokenizers replaces every byte of the run, good characters beside it
    included; here only what is broken is replaced, since the rest has already been shown.
    """

    def __init__(self, alphabet: Alphabet, prompt: Sequence[int]) -> None:
        self.alphabet = alphabet
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._beside = [id for id in prompt if id not in alphabet.special][-BESIDE:]

    def push(self, id: int) -> str:
        """What becomes readable with this token: often a word, sometimes nothing yet."""
        if id in self.alphabet.special:
            return ""
        beside, self._beside = self._beside, [*self._beside, id][-BESIDE:]
        data = self.alphabet.bytes_of(id)
        if data is not None:
            return self._utf8.decode(data)
        broken = self._utf8.decode(b"", final=True)  # bytes that text follows will never be a character
        self._utf8.reset()
        before, after = self.alphabet.text_of(beside), self.alphabet.text_of([*beside, id])
        return broken + after[shared_length(before, after) :]


class StopStrings:
    """Cuts a stream of text before the first stop string, and holds back what may be the beginning of one.

    The first to be complete counts, the longest of those that end together, so the result does not
    depend on where the pieces were cut.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self.stops = [stop for stop in stops if stop]
        self.held = ""
        self.found = False

    def push(self, text: str) -> str:
        """What can be shown now. After a stop string was found, nothing more."""
        if self.found:
            return ""
        self.held += text
        hits = [(at + len(stop), at) for stop in self.stops if (at := self.held.find(stop)) >= 0]
        if hits:
            self.found = True
            shown, self.held = self.held[: min(hits)[1]], ""
            return shown
        keep = max((overlap(self.held, stop) for stop in self.stops), default=0)
        shown, self.held = self.held[: len(self.held) - keep], self.held[len(self.held) - keep :]
        return shown

    def flush(self) -> str:
        """What was held back and turned out not to be a stop string."""
        shown, self.held = self.held, ""
        return shown


def overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0


def shared_length(first: str, second: str) -> int:
    """Length of the beginning that two texts share: all of the first unless a token changed what stood before it."""
    if second.startswith(first):
        return len(first)
    return next(
        (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )
