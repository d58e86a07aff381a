"""Sentences with their places in both languages, and chunks: they cover the text, fit, overlap and go forward."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.data.passages import Chunk, chunks, sentences


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("", []),
        (" \n ", []),
        ("one", ["one"]),
        ("Dr. Li paid 3.50 dollars. She left!", ["Dr. Li paid 3.50 dollars.", "She left!"]),
        ("In the U.S. it rained, e.g. in May. No. 5 won.", ["In the U.S. it rained, e.g. in May.", "No. 5 won."]),
        ('"Stop!" he said. "Why?" J. R. Smith asked.', ['"Stop!"', "he said.", '"Why?"', "J. R. Smith asked."]),
        ("Version 2.13 came. It is at example.org now.", ["Version 2.13 came.", "It is at example.org now."]),
        ("他说：“走吧。”她不走！真的……是吗？", ["他说：“走吧。”", "她不走！", "真的……", "是吗？"]),
        ("研究了机制.目的是验证;结果好.", ["研究了机制.", "目的是验证;结果好."]),
        ("圆周率是3.14。它是无理数；", ["圆周率是3.14。", "它是无理数；"]),
        ("标题\n正文第一句。第二句", ["标题", "正文第一句。", "第二句"]),
        ("She said no. The sun set; see Fig. 3. Art won.", ["She said no.", "The sun set; see Fig. 3.", "Art won."]),
        ("Wait... what? So it ended...", ["Wait...", "what?", "So it ended..."]),
    ],
)
def test_sentences(text: str, right: list[str]) -> None:
    assert cut(text) == right


TEXTS = st.text(alphabet="ab 中文。.!？\n，", max_size=120)


@given(TEXTS)
def test_sentences_hold_every_character_that_is_no_space(text: str) -> None:
    places = sentences(text)
    assert all(text[a:b] == text[a:b].strip() != "" for a, b in places)
    inside = {at for a, b in places for at in range(a, b)}
    assert all(text[at].isspace() for at in range(len(text)) if at not in inside)
    assert all(one[1] <= two[0] for one, two in pairwise(places))


@given(TEXTS, st.integers(2, 30), st.integers(0, 29))
@pytest.mark.spec("DM9", "chunks fit the size, cover the text, share at most the overlap and always go forward")
def test_chunks_fit_cover_and_go_forward(text: str, size: int, overlap: int) -> None:
    found = chunks(text, size, min(overlap, size - 1))
    assert all(0 < one.end - one.start <= size for one in found)
    assert all(one.shared <= overlap and one.new > 0 for one in found)
    inside = {at for one in found for at in range(one.start, one.end)}
    assert all(text[at].isspace() for at in range(len(text)) if at not in inside)
    assert [(one.start, one.end) for one in found] == sorted((one.start, one.end) for one in found)


def test_chunks_by_hand() -> None:
    text = "一二三。四五。六七八九。十。"  # sentences of 4, 3, 5 and 2 characters
    assert chunks(text, 100) == [Chunk(0, 14)]
    assert chunks(text, 7) == [Chunk(0, 7), Chunk(7, 14)]
    # 四五。 begins the second chunk again: 3 + 5 characters fit 8, and 3 is the overlap that is allowed.
    assert chunks(text, 8, 3) == [Chunk(0, 7), Chunk(4, 12, shared=3), Chunk(12, 14)]


def test_chunks_are_measured_as_asked() -> None:
    words = "one two three. four five. six seven eight nine. ten."
    found = chunks(words, 5, 2, lambda part: len(part.split()))
    assert [words[one.start : one.end] for one in found] == [
        "one two three. four five.", "six seven eight nine. ten."
    ]  # fmt: skip


def test_a_sentence_that_is_too_long_is_cut_at_a_break() -> None:
    text = "这是一个没有句号的长句，" * 4
    assert all(text[one.start : one.end].endswith("，") for one in chunks(text, 30))


def test_chunks_refuse_an_overlap_that_leaves_nothing_new() -> None:
    with pytest.raises(ValueError, match="overlap of 5"):
        chunks("abc", 5, 5)
