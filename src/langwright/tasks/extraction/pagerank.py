"""PageRank of a graph without directions whose edges have weights.

Source    Brin & Page 1998, Computer Networks 30:107; Mihalcea & Tarau 2004, EMNLP, section 2.2 (weights)
Differs   ranks add up to 1, where Mihalcea and Tarau's add up to the number of nodes; a node without edges gives its
          rank to all alike, as the chain of a surfer who starts again anywhere
Shapes    N nodes    E edges
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.int64]

DAMPING = 0.85
ROUNDS = 500


def pagerank(
    nodes: int, ends_E2: Numbers, weights_E: Floats, *, damping: float = DAMPING, tolerance: float = 1e-10
) -> Floats:
    """The rank of each node, shape (N,), adding up to 1.

    ends_E2    numbers of the two nodes of each edge, each pair once
    weights_E  not negative
    tolerance  largest change of a rank in the last round; after `ROUNDS` rounds it ends in any case
    """
    import numpy as np

    sources_D = np.concatenate([ends_E2[:, 0], ends_E2[:, 1]])
    targets_D = np.concatenate([ends_E2[:, 1], ends_E2[:, 0]])
    weights_D = np.concatenate([weights_E, weights_E])
    out_N = np.bincount(sources_D, weights_D, minlength=nodes).astype(float)  # of no edge it is int
    shares_D = weights_D / np.maximum(out_N[sources_D], np.finfo(float).tiny)
    lonely_N = out_N == 0
    ranks_N = np.full(nodes, 1 / max(1, nodes))  # of no nodes, none
    for _ in range(ROUNDS):
        received_N = np.bincount(targets_D, shares_D * ranks_N[sources_D], minlength=nodes).astype(float)
        received_N += ranks_N[lonely_N].sum() / max(1, nodes)
        found_N = (1 - damping) / max(1, nodes) + damping * received_N
        change = float(np.abs(found_N - ranks_N).max(initial=0))
        ranks_N = found_N
        if change < tolerance:
            break
    return ranks_N
