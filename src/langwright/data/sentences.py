"""Rows of whole sentences of one document, for objectives about sentences.

A token ends a sentence when the text it stands for ends with a full stop, a question or exclamation mark, an ellipsis
or a line end, brackets and quotes after it included; Chinese signs count as English ones do. A stop inside a number or
after an abbreviation counts too.
"""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from langwright.data.packing import Indices, RowPlan
from langwright.data.store import TokenStore
from langwright.errors import UserError

ENDS = re.compile(r"(?:[.!?…。！？；]|\n)[\s\"'”’»）)」』\]]*$")
Flags = NDArray[np.bool_]


def sentence_ends(pieces: list[bytes]) -> Flags:
    """Which ids end a sentence, shape (V,).

    pieces  the bytes of each id's text; an id that stands for no text ends none
    """
    return np.array([bool(ENDS.search(piece.decode(errors="replace"))) for piece in pieces], dtype=np.bool_)


def plan_sentences(store: TokenStore, ends_V: Flags, length: int, *, single: bool = False) -> RowPlan:
    """Sentences of one document gathered into rows of at most `length` tokens; longer sentences are cut and counted.

    single  each sentence a row of its own
    raises  UserError when no row has two tokens
    """
    begins: list[int] = []
    lengths: list[int] = []
    truncated = 0
    for offset, after in pairwise(np.asarray(store.offsets).tolist()):
        cuts = np.flatnonzero(ends_V[np.asarray(store.tokens[offset:after])]) + 1
        edges = np.unique(np.concatenate([[0], cuts, [after - offset]])).tolist()
        first = 0
        for begin, end in pairwise(edges):
            if first < begin and (single or end - first > length):
                begins.append(offset + first)
                lengths.append(begin - first)
                first = begin
            truncated += max(0, end - first > length)
            while end - first > length:
                begins.append(offset + first)
                lengths.append(length)
                first += length
        if first < edges[-1]:
            begins.append(offset + first)
            lengths.append(edges[-1] - first)
    kept = np.array(lengths, dtype=np.int64) >= 2
    if not kept.any():
        raise UserError(
            "no sentence of this dataset has two tokens", fix="check what the dataset holds, and the row length"
        )
    return RowPlan(
        "blocks", length, np.array(begins, dtype=np.int64)[kept], np.array(lengths, dtype=np.int64)[kept],
        np.arange(int(kept.sum()) + 1, dtype=np.int64), truncated,
    )  # fmt: skip


def documents_of(store: TokenStore, plan: RowPlan) -> Indices:
    """The document of each row, shape (rows,)."""
    found: Indices = np.searchsorted(np.asarray(store.offsets), np.asarray(plan.begins), "right") - 1
    return found
