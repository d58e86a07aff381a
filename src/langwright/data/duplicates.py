"""Rows that say the same: a hash of what a row says, spacing, case and width aside, and a set of hashes."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from langwright.data.dataset import text_of
from langwright.data.schemas import Row

WIDE_FIRST, WIDE_LAST = 0xFF01, 0xFF5E  # ！ to ～
WIDE_SHIFT = np.uint32(0xFEE0)  # from ！ to !
FRESH = 1 << 20  # hashes kept as Python objects before they are packed


def content_key(row: Row) -> bytes:
    """16 bytes that are equal for rows that say the same: case folded, full-width forms made narrow, without spaces.

    Labels do not take part: the same text with another label is still the same text.
    """
    said = "".join(text_of(row).casefold().split())
    codes = np.frombuffer(said.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    wide = (codes >= WIDE_FIRST) & (codes <= WIDE_LAST)
    return blake2b((codes - wide * WIDE_SHIFT).tobytes(), digest_size=16).digest()


class SeenKeys:
    """A set of 16-byte keys in about 16 bytes each: the newest in a Python set, older ones in sorted arrays."""

    def __init__(self, fresh: int = FRESH) -> None:
        self._limit = fresh
        self._fresh: set[bytes] = set()
        self._packed: list[NDArray[np.uint64]] = []  # each of shape (keys, 2), sorted by the first column

    def add(self, key: bytes) -> bool:
        """Put a key in; whether it was new."""
        if key in self._fresh or self._in_packed(key):
            return False
        self._fresh.add(key)
        if len(self._fresh) >= self._limit:
            self._pack()
        return True

    def __len__(self) -> int:
        return len(self._fresh) + sum(len(keys) for keys in self._packed)

    def _in_packed(self, key: bytes) -> bool:
        if not self._packed:
            return False
        high, low = np.frombuffer(key, dtype=np.uint64)
        for keys in self._packed:
            begin, end = np.searchsorted(keys[:, 0], high, "left"), np.searchsorted(keys[:, 0], high, "right")
            if begin < end and (keys[begin:end, 1] == low).any():
                return True
        return False

    def _pack(self) -> None:
        keys = np.frombuffer(b"".join(self._fresh), dtype=np.uint64).reshape(-1, 2)
        self._fresh = set()
        # Arrays grow by doubling, so a key is sorted again only a logarithmic number of times.
        while self._packed and len(self._packed[-1]) <= len(keys):
            keys = np.concatenate([self._packed.pop(), keys])
        self._packed.append(keys[np.argsort(keys[:, 0])])
