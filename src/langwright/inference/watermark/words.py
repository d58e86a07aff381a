"""Pseudo-random 64-bit words of a key, a context and a token: what both watermarks draw their marks from.

Source  Steele et al. 2014, "Fast Splittable Pseudorandom Number Generators", OOPSLA, section 3 (the mixing
        function of SplitMix64, with Stafford's constants); BLAKE2b (RFC 7693) with a key for contexts
Shapes  V candidate tokens

A context is hashed with the secret key, once; its seed is spread over the tokens by a fast mixing function. A
word is a function of key, context and token id alone, so that it does not depend on the size of the vocabulary,
the device or the batch, and one token can be looked up without the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mixed(words: Words) -> Words:
    """Words whose bits depend on all bits of those given, shape as given."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def seed_of(key: bytes, context: Sequence[int], purpose: bytes) -> np.uint64:
    """The secret seed of a context. `purpose` (16 bytes at most) keeps uses of one key apart."""
    data = np.asarray(context, dtype="<u8").tobytes()
    return np.uint64(int.from_bytes(blake2b(data, digest_size=8, key=key, person=purpose).digest(), "little"))


def words_after(seed: np.uint64 | Words, ids_V: NDArray[np.int64]) -> Words:
    """One word a token, shape (V,), after one seed or one seed a token."""
    return mixed(np.atleast_1d(seed) + mixed((ids_V.astype(np.uint64) + np.uint64(1)) * GOLDEN))


def shares(words: Words) -> NDArray[np.float64]:
    """Words as numbers in [0, 1), from their upper 53 bits."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
