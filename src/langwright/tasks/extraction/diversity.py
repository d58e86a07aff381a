"""Choosing several things that matter and are unlike each other.

Source    Carbonell & Goldstein 1998, SIGIR, section 2: maximal marginal relevance
Shapes    N things
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def marginal_relevance(relevance_N: Floats, likeness_NN: Floats, count: int, relevance_share: float) -> list[int]:
    """Numbers of at most `count` things in the order in which they are chosen.

    relevance_share  λ: 1 goes by relevance alone, 0 by being unlike what was chosen before
    """
    import numpy as np

    chosen: list[int] = []
    nearest_N = np.zeros(len(relevance_N))
    left_N = np.ones(len(relevance_N), dtype=bool)
    while len(chosen) < count and left_N.any():
        marginal_N = relevance_share * relevance_N - (1 - relevance_share) * nearest_N
        best = int(np.where(left_N, marginal_N, -np.inf).argmax())
        nearest_N = np.maximum(nearest_N, likeness_NN[best]) if chosen else likeness_NN[best].copy()
        chosen.append(best)
        left_N[best] = False
    return chosen
