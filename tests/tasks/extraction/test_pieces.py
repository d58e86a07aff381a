"""Sentences and clauses by hand."""

from __future__ import annotations

import doctest

from langwright.tasks.extraction import pieces
from langwright.tasks.extraction.pieces import candidates


def texts(text: str) -> list[str]:
    return [text[a:b] for a, b in candidates(text)]


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(pieces).failed == 0


def test_marks_inside_numbers_end_nothing_and_chinese_needs_no_space() -> None:
    assert texts("It rose to 1,000.5 in May. Then it fell") == ["It rose to 1,000.5 in May", "Then it fell"]
    assert texts("本文研究了去噪,提出了方法.结果良好！") == [
        "本文研究了去噪",
        "本文研究了去噪,提出了方法",
        "提出了方法",
        "结果良好",
    ]
    assert texts("#A#: Hello there.\n#B#: Good day") == ["#A#: Hello there", "Hello there", "#B#: Good day", "Good day"]


def test_a_text_without_pieces_is_its_own() -> None:
    assert texts("雨") == ["雨"] and texts("...") == ["..."]
