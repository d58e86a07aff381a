"""Random draws that belong to a row: the same for the same seed, epoch and row, whoever asks and when.

So masking, mixing and replay need no generator that would have to be wound forward after a resume, and no
two processes draw differently.

Source    Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3": Philox, a generator whose stream is a
          function of a key and a counter; numpy's Philox4x64-10
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np


def draws(seed: int, epoch: int, row: int, purpose: str = "") -> np.random.Generator:
    """The generator of a row in an epoch.

    purpose  keeps draws apart that must not be the same, such as which tokens are masked and what replaces them

    >>> int(draws(0, 0, 7).integers(1000)) == int(draws(0, 0, 7).integers(1000))
    True
    """
    digest = blake2b(f"{seed}/{purpose}".encode(), digest_size=16, person=b"langwright-draws").digest()
    key = np.frombuffer(digest, dtype="<u8")
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, epoch, row]))
