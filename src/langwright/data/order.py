"""The order of rows: a permutation per epoch that is computed, never stored, so a position is one integer.

Source    Luby and Rackoff 1988, "How to construct pseudorandom permutations": a Feistel network of keyed
          functions is a bijection whatever the functions are; cycle walking (Black and Rogaway 2002,
          "Ciphers with arbitrary finite domains", method 3) brings a power of two down to any count
Differs   the round function is the finaliser of SplitMix64 (Steele et al. 2014), fast and well mixed, not secret
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

ROUNDS = 6
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Order:
    """Which row stands at a position, over any number of epochs.

    >>> order = Order(seed=0, rows=5)
    >>> sorted(order.at(position) for position in range(5))
    [0, 1, 2, 3, 4]
    """

    seed: int
    rows: int

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise ValueError("an order needs at least one row")

    def at(self, position: int) -> int:
        """The row at a position counted from 0; position // rows is the epoch."""
        return int(self.many(np.array([position], dtype=np.int64))[0])

    def many(self, positions: Indices) -> Indices:
        """The rows at many positions; int64, the shape of `positions` (one axis)."""
        epochs, places = np.divmod(np.asarray(positions, dtype=np.int64), self.rows)
        found = np.empty_like(places)
        for epoch in np.unique(epochs):
            chosen = epochs == epoch
            found[chosen] = permute(places[chosen], self.rows, round_keys(self.seed, int(epoch)))
        return found

    def epoch(self, number: int) -> Indices:
        """All rows of one epoch, in order."""
        return self.many(np.arange(number * self.rows, (number + 1) * self.rows, dtype=np.int64))


@lru_cache(maxsize=1024)
def round_keys(seed: int, epoch: int) -> tuple[int, ...]:
    """Keys of 64 bits, one a round, a function of seed and epoch alone."""
    digest = blake2b(f"{seed}/{epoch}".encode(), digest_size=8 * ROUNDS, person=b"langwright-order").digest()
    return tuple(int.from_bytes(digest[8 * i : 8 * i + 8], "little") for i in range(ROUNDS))


def permute(places: Indices, rows: int, keys: tuple[int, ...]) -> Indices:
    """A bijection of 0 … rows-1, applied to each place."""
    bits = max(1, (rows - 1).bit_length())
    found = feistel(places.astype(np.uint64), bits, keys)
    outside = np.flatnonzero(found >= rows)
    while outside.size:  # fewer than half lie outside, and each walk ends where its cycle comes back inside
        found[outside] = feistel(found[outside], bits, keys)
        outside = outside[found[outside] >= rows]
    return found.astype(np.int64)


def feistel(values: NDArray[np.uint64], bits: int, keys: tuple[int, ...]) -> NDArray[np.uint64]:
    """A bijection of the integers below 2**bits: each round changes one part by a function of the other."""
    low_bits = np.uint64(bits - bits // 2)
    low_mask, high_mask = np.uint64((1 << int(low_bits)) - 1), np.uint64((1 << (bits // 2)) - 1)
    low, high = values & low_mask, values >> low_bits
    for number, key in enumerate(keys):
        if number % 2:
            high = high ^ (mix(low, key) & high_mask)
        else:
            low = low ^ (mix(high, key) & low_mask)
    return (high << low_bits) | low


def mix(values: NDArray[np.uint64], key: int) -> NDArray[np.uint64]:
    """SplitMix64's finaliser of value + key; uint64 arithmetic wraps by intention."""
    mixed = values * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
