"""Beginnings of texts that were read before: keys and values in blocks, found again by what stands in them.

A block's name is the hash of its ids and of the name of the block before it, so that one name stands for
everything from the beginning of the text on. Blocks are copied when they are kept and when they are used:
nobody but the store ever holds one, there is nothing to count, and one can be dropped at any time. The
least recently used go first, of one text the last.

Differs from the tree of Zheng et al. 2024, arXiv:2312.07104, section 3, in that there is no tree: the
names of a text's blocks are looked up one after the other.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from langwright.inference.memory.shelves import Layout, Place

BLOCK = 64  # positions


def names_of(ids: Sequence[int], root: str = "") -> list[bytes]:
    """Names of the whole blocks of a text.

    root  what else keys and values depend on, such as an adapter
    """
    names: list[bytes] = []
    before = root.encode()
    numbers = array("q", ids)
    for begin in range(0, len(ids) - BLOCK + 1, BLOCK):
        before = hashlib.blake2b(before + numbers[begin : begin + BLOCK].tobytes(), digest_size=16).digest()
        names.append(before)
    return names


@dataclass
class Block:
    """What is kept of BLOCK positions.

    tensors  (L, K, BLOCK, H), as the layout has them
    scores   of its tokens, by what kind of scores they are; of the first token of a text there is none
    """

    tensors: list[Tensor]
    scores: dict[str, list[Any]] = field(default_factory=dict)


class PrefixStore:
    """Blocks within a number of bytes."""

    def __init__(self, layout: Layout, most_bytes: int) -> None:
        self.most = most_bytes // (layout.position_bytes * BLOCK)
        self._blocks: OrderedDict[bytes, Block] = OrderedDict()

    def __len__(self) -> int:
        return len(self._blocks)

    def known(self, names: Sequence[bytes], scored: str | None = None) -> int:
        """How many blocks from the first on are there, with scores of a kind where they are asked for."""
        for number, name in enumerate(names):
            block = self._blocks.get(name)
            if block is None or (scored is not None and scored not in block.scores):
                return number
        return len(names)

    def put(
        self, name: bytes, place: Place, number: int, scored: str | None = None, scores: Sequence[Any] = ()
    ) -> None:
        """Keep a block of a text that lies there, unless it is kept already, and its scores.

        Not one that is not finite: what overflows behind a beginning reaches back to it, as 0 × infinity.
        """
        if self.most == 0:
            return
        block = self._blocks.get(name)
        if block is None:
            at = slice(number * BLOCK, (number + 1) * BLOCK)
            block = Block([part[:, :, at].clone() for part in place.tensors()])
            if not all(bool(part.isfinite().all()) for part in block.tensors):
                return
            self._blocks[name] = block
            if len(self._blocks) > self.most:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(name)
        if scored is not None:
            block.scores[scored] = list(scores)

    def scores(self, name: bytes, kind: str) -> list[Any]:
        """The scores of a block that is there with them."""
        return self._blocks[name].scores[kind]

    def copy(self, names: Sequence[bytes], place: Place) -> None:
        """Bring blocks that are there to the beginning of a place."""
        parts = place.tensors()
        for number, name in enumerate(names):
            for part, block in zip(parts, self._blocks[name].tensors, strict=True):
                part[:, :, number * BLOCK : (number + 1) * BLOCK] = block
        for name in reversed(names):  # the first were used last, and so are dropped last
            self._blocks.move_to_end(name)
