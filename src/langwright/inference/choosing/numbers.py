"""Random numbers by counter: what a request draws at a position depends on its seed and that position alone.

Source    Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", SC '11, section 4 (Philox 4x64-10),
          as numpy implements it

The number at position p is the p-th that `numpy.random.Generator(numpy.random.Philox(key=[seed, stream])).random()`
gives, so neighbours, the order of work, or how often a request began again cannot change it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

AT_ONCE = 64  # numbers made together; four belong to one value of the counter
CHOICE = 0  # the stream that chooses tokens
ACCEPT, REPLACE, PROPOSE = 1, 2, 3  # the streams of speculation that draws for itself


def uniform(seed: int, position: int, stream: int = CHOICE) -> float:
    """A number in [0, 1), 53 bits of it."""
    return _numbers(seed, stream, position // AT_ONCE)[position % AT_ONCE]


@lru_cache(maxsize=1024)
def _numbers(seed: int, stream: int, block: int) -> tuple[float, ...]:
    key = np.array([seed, stream], dtype=np.uint64)
    counter = np.array([block * AT_ONCE // 4, 0, 0, 0], dtype=np.uint64)
    bits = np.random.Philox(key=key, counter=counter).random_raw(AT_ONCE)
    return tuple(((bits >> np.uint64(11)) * 2.0**-53).tolist())
