"""Which tokens begin a word, so that words can be taken whole: made once for a token store and kept beside it.

A run of letters and digits is a word, a sign is one, and a Chinese character is one; with `chinese`, runs of Chinese
characters are cut into words by jieba's dictionary. A token that reaches into two words joins them.

Source    jieba 0.42.1 (MIT licence): the likeliest path through a prefix dictionary, and a hidden Markov model for
          words that are not in it
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from langwright.data.store import TokenStore
from langwright.errors import UserError
from langwright.files import write_whole
from langwright.runlog import Progressed, RunLog
from langwright.tokenizers.pieces import pieces_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FORMAT = 1
REPORT_ROWS = 2000
HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"[{HAN}]+|(?:(?![{HAN}_])\w)+(?:['’](?:(?![{HAN}_])\w)+)*")
HAN_RUN = re.compile(f"[{HAN}]")
Cut = Callable[[str], Iterable[str]]


def saved_words(
    store: TokenStore, tokenizer: PreTrainedTokenizerBase, log: RunLog, *, chinese: bool
) -> NDArray[np.bool_]:
    """Aligned with the store's tokens, True where a word begins; mapped, not read.

    tokenizer  the one the store was cut with
    raises     UserError where jieba is wanted and not installed
    """
    file = store.folder / f"words-v{FORMAT}-{'chinese' if chinese else 'plain'}.bool"
    if not (file.is_file() and file.stat().st_size == store.facts.tokens):
        pieces = pieces_of(tokenizer)
        cut = chinese_words() if chinese else characters
        found = bytearray()
        for number in range(store.documents):
            found += words_begin([pieces[id] for id in store.document(number)], cut).tobytes()
            if number % REPORT_ROWS == 0:
                log.write(Progressed(what="finding words", done=number, total=store.documents))
        log.write(Progressed(what="finding words", done=store.documents, total=store.documents))
        write_whole(file, bytes(found))
    return np.memmap(file, dtype=np.bool_, mode="r")


def words_begin(pieces: Sequence[bytes], cut: Cut) -> NDArray[np.bool_]:
    """Which tokens of one text begin a word, shape (tokens,); the first always does.

    pieces  the bytes of each token
    cut     parts a run of Chinese characters

    >>> words_begin([b"to", b"ken", b" two", b"."], characters).tolist()
    [True, False, True, True]
    """
    text = b"".join(pieces).decode(errors="surrogateescape")
    edges = np.fromiter(accumulate(map(len, pieces), initial=0), dtype=np.int64)[:-1]
    inside = np.zeros(sum(map(len, pieces)) + 1, dtype=np.bool_)
    at, byte = 0, 0
    for begin, end in word_spans(text, cut):
        byte += utf8_length(text[at:begin])
        width = utf8_length(text[begin:end])
        inside[byte + 1 : byte + width] = True
        at, byte = end, byte + width
    begins: NDArray[np.bool_] = ~inside[np.minimum(edges, len(inside) - 1)]
    begins[:1] = True
    return begins


def utf8_length(text: str) -> int:
    """Bytes of a text; a byte that was no UTF-8 counts as the one it was."""
    return len(text.encode(errors="surrogateescape"))


def word_spans(text: str, cut: Cut) -> Iterable[tuple[int, int]]:
    """Begin and end of each word in characters; every other character is a word of its own."""
    for match in WORD.finditer(text):
        if not HAN_RUN.match(match[0]):
            yield match.span()
            continue
        at = match.start()
        for word in cut(match[0]):
            yield at, at + len(word)
            at += len(word)


def characters(run: str) -> Iterable[str]:
    """Each character is a word."""
    return run


@cache
def chinese_words() -> Cut:
    """jieba's cut of a run of Chinese characters into words; its dictionary is read once a process.

    raises  UserError when jieba is not installed
    """
    try:
        import jieba
    except ImportError:
        raise UserError(
            "Chinese words are found with jieba, which is not installed",
            fix="install it with `pip install 'langwright[chinese]'`; to mask words, choose word instead of chinese-word",
        ) from None
    dictionary: Any = jieba.Tokenizer()
    # What its own `initialize` does, without the copy that it keeps in the system's temporary folder.
    dictionary.FREQ, dictionary.total = dictionary.gen_pfdict(dictionary.get_dict_file())
    dictionary.initialized = True

    def cut(run: str) -> Iterable[str]:
        words: Iterable[str] = dictionary.cut(run)
        return words

    return cut
