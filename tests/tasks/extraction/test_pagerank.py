"""PageRank against networkx, and by hand."""

from __future__ import annotations

import networkx
import numpy as np
import pytest

from langwright.tasks.extraction.pagerank import pagerank


@pytest.mark.parametrize("damping", [0.85, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_ranks_equal_networkx(seed: int, damping: float) -> None:
    numbers = np.random.default_rng(seed)
    graph = networkx.Graph()
    graph.add_nodes_from(range(30))  # some without edges
    for _ in range(45):
        one, other = numbers.choice(26, 2, replace=False)
        graph.add_edge(int(one), int(other), weight=float(numbers.uniform(0.1, 3)))
    right = networkx.pagerank(graph, alpha=damping, tol=1e-13, max_iter=1000)
    edges = list(graph.edges(data="weight"))
    ends = np.array([(a, b) for a, b, _ in edges])
    found = pagerank(30, ends, np.array([weight for *_, weight in edges]), damping=damping)
    np.testing.assert_allclose(found, [right[node] for node in range(30)], atol=1e-8)


def test_by_hand() -> None:
    # A star: the middle has (1 - d)/3 + d (l + r), each end (1 - d)/3 + d m/2, with d = 1/2: m = 4/9, l = r = 5/18.
    found = pagerank(3, np.array([[0, 1], [0, 2]]), np.ones(2), damping=0.5)
    np.testing.assert_allclose(found, [4 / 9, 5 / 18, 5 / 18], atol=1e-9)


def test_no_nodes_and_no_edges() -> None:
    empty = np.zeros((0, 2), dtype=np.int64)
    assert pagerank(0, empty, np.zeros(0)).shape == (0,)
    np.testing.assert_allclose(pagerank(4, empty, np.zeros(0)), [0.25] * 4)
