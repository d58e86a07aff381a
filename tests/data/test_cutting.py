"""Documents of bounded length out of a stream, the same wherever its chunks end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.data.cutting import documents_of, lines_of
from langwright.data.settings import Unit

TEXTS = st.text(st.sampled_from("ab。 \n"), max_size=200)


def in_chunks(text: str, size: int) -> Iterator[str]:
    return (text[i : i + size] for i in range(0, len(text), size))


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("file", ["one\ntwo\n\nthree\n \n\n  four"]),
        ("paragraph", ["one\ntwo", "three", "  four"]),
        ("line", ["one", "two", "three", "  four"]),
    ],
)
def test_units_by_hand(unit: Unit, expected: list[str]) -> None:
    assert list(documents_of(iter(["one\ntwo\n\nthree\n \n\n  four\n\n"]), unit, 1000)) == expected


@given(text=TEXTS, unit=st.sampled_from(["file", "paragraph", "line"]), limit=st.integers(100, 120))
def test_where_chunks_end_does_not_matter_below_the_limit(text: str, unit: Unit, limit: int) -> None:
    text = text[:limit]
    whole = list(documents_of(iter([text]), unit, limit))
    for size in (1, 3, 7):
        assert list(documents_of(in_chunks(text, size), unit, limit)) == whole


@given(
    text=TEXTS, unit=st.sampled_from(["file", "paragraph", "line"]), limit=st.integers(1, 20), size=st.integers(1, 9)
)
def test_nothing_is_lost_and_nothing_is_too_long(text: str, unit: Unit, limit: int, size: int) -> None:
    found = list(documents_of(in_chunks(text, size), unit, limit))
    assert all(0 < len(document) <= limit and document.strip() for document in found)
    assert "".join("".join(found).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("aaaa\n\nbbbb\ncccccccc", "aaaa\n\nbbbb"),  # no paragraph ends in the second half, but a line does
        ("aaaaaa\n\nbb\ncccccccc", "aaaaaa"),  # a paragraph's end is better than a later line's
        ("我们走吧。然后呢？再见吧朋友们", "我们走吧。然后呢？"),
        ("abcdefghijklmnop", "abcdefghijkl"),
        ("abcdefghijk\u0301\u0301lmnop", "abcdefghij"),  # an accent stays with its letter
    ],
)
def test_where_a_long_text_is_cut(text: str, first: str) -> None:
    assert next(documents_of(iter([text]), "file", 12)) == first


def test_lines_keep_their_numbers_and_long_ones_their_place_only() -> None:
    lines = list(lines_of(in_chunks("ab\n" + "x" * 50 + "\n\ncd", 4), 10))
    assert [(line.number, line.text, line.too_long) for line in lines] == [
        (1, "ab", False),
        (2, "", True),
        (3, "", False),
        (4, "cd", False),
    ]


@given(text=TEXTS, limit=st.integers(0, 30), size=st.integers(1, 9))
def test_lines_are_those_of_split(text: str, limit: int, size: int) -> None:
    expected = text.removesuffix("\n").split("\n") if text else []
    found = list(lines_of(in_chunks(text, size), limit))
    if expected and expected[-1] == "" and found:
        expected = expected[: len(found)]
    assert [line.text for line in found] == [line if len(line) <= limit else "" for line in expected]
    assert [line.too_long for line in found] == [len(line) > limit for line in expected]
