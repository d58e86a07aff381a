"""Characters are counted by kind."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.data.characters import Makeup, makeup


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Makeup(0, 0, 0, 0, 0, 0, 0, 0)),
        ("ab 12, é", Makeup(2, 3, 0, 2, 1, 0, 0, 0)),
        ("我们走。𠀀", Makeup(0, 4, 4, 0, 1, 0, 0, 0)),
        ("x = a[0] | #\n", Makeup(5, 2, 0, 1, 2, 3, 0, 0)),
        ("=" * 8 + "a" * 7 + " " * 20, Makeup(20, 7, 0, 0, 0, 8, 0, 8)),
        ("哈" * 9 + "\ufffd", Makeup(0, 9, 9, 0, 0, 0, 1, 9)),
        ("न्ही", Makeup(0, 4, 0, 0, 0, 0, 0, 0)),
    ],
)
def test_by_hand(text: str, expected: Makeup) -> None:
    assert makeup(text) == expected


@given(st.text())
def test_every_character_is_counted_once(text: str) -> None:
    made = makeup(text)
    assert made.spaces + made.written == len(text)
    assert made.chinese <= made.letters
    assert made.digits == sum(unicodedata.category(character) == "Nd" for character in text)
    assert made.in_runs <= made.written
