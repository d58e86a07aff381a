"""Error rates by hand, and edits by trying everything."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.metrics.transcription import character_errors, edits, word_errors


@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_edits_are_the_fewest(one: str, other: str) -> None:
    @cache
    def fewest(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        return min(fewest(i - 1, j) + 1, fewest(i, j - 1) + 1, fewest(i - 1, j - 1) + (one[i - 1] != other[j - 1]))

    assert edits(one, other) == edits(other, one) == fewest(len(one), len(other))


def test_by_hand() -> None:
    # one word changed, one left out, of 6 + 2
    assert word_errors(["the cat sit on mat", "yes please"], ["the cat sat on the mat", "yes please"]).value == 2 / 8
    assert word_errors(["a b c d"], ["a"]).value == 3  # above 1
    assert character_errors(["今天天汽 很好", "他"], ["今天天气很好", "她们"]).value == pytest.approx(3 / 8)
    same = ["甲乙", "丙"] * 4
    assert character_errors(same, same).value == 0
    with pytest.raises(ValueError, match="nothing"):
        word_errors(["a"], [""])


def test_the_interval_is_over_texts() -> None:
    found = word_errors(["a b"] * 10 + ["a x"] * 10, ["a b"] * 20)
    assert found.value == 0.25 and 0.1 < found.low < 0.25 < found.high < 0.4
