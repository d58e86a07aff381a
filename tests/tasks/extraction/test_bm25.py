"""BM25 by hand."""

from __future__ import annotations

import math

import pytest

from langwright.tasks.extraction.bm25 import bm25


def test_by_hand() -> None:
    # three texts of 2, 1 and 3 words with content; storm stands in two of them, roof in one
    found = bm25("storm roof", ["storm storm", "cats", "storm broke roof"])
    storm, roof = math.log(1 + 1.5 / 2.5), math.log(1 + 2.5 / 1.5)
    longer = 1.2 * (0.25 + 0.75 * 3 / 2)
    assert found == [pytest.approx(storm * 2 * 2.2 / (2 + 1.2)), 0, pytest.approx((storm + roof) * 2.2 / (1 + longer))]


def test_nothing() -> None:
    assert bm25("storm", []) == []
    assert bm25("the of", ["storm", ""]) == [0, 0]
    assert bm25("屋顶", ["台风吹坏屋顶", "猫"])[0] > 0
