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

from torch import Tensor

from langwright.inference.shelves import Layout, Place

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


class PrefixStore:
    """Blocks within a number of bytes."""

    def __init__(self, layout: Layout, most_bytes: int) -> None:
        self.most = most_bytes // (layout.position_bytes * BLOCK)
        self._blocks: OrderedDict[bytes, list[Tensor]] = (
            OrderedDict()
        )  # tensors (L, K, BLOCK, H), as the layout has them

    def __len__(self) -> int:
        return len(self._blocks)

    def known(self, names: Sequence[bytes]) -> int:
        """How many blocks from the first on are there."""
        return next((number for number, name in enumerate(names) if name not in self._blocks), len(names))

    def put(self, name: bytes, place: Place, number: int) -> None:
        """Keep a block of a text that lies there, unless it is kept already."""
        if self.most == 0:
            return
        if name not in self._blocks:
            at = slice(number * BLOCK, (number + 1) * BLOCK)
            self._blocks[name] = [part[:, :, at].clone() for part in place.tensors()]
            if len(self._blocks) > self.most:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(name)

    def copy(self, names: Sequence[bytes], place: Place) -> None:
        """Bring blocks that are there to the beginning of a place."""
        parts = place.tensors()
        for number, name in enumerate(names):
            for part, block in zip(parts, self._blocks[name], strict=True):
                part[:, :, number * BLOCK : (number + 1) * BLOCK] = block
        for name in reversed(names):  # the first were used last, and so are dropped last
            self._blocks.move_to_end(name)
