"""Terms of a text: where they stand, and which have content."""

from __future__ import annotations

from langwright.data.stop_words import CHINESE, ENGLISH
from langwright.data.terms import can_be_noun, terms

TEXT = "The Neural networks don't learn 3.5 things; 神经网络的学习速度很快。"


def test_terms_stand_where_they_say_and_content_is_told_by_hand() -> None:
    found = terms(TEXT)
    assert all(TEXT[term.start : term.end].casefold() == term.key for term in found)
    assert [term.key for term in found if term.content] == ["neural", "networks", "learn", "神经网络", "学习", "速度", "很快"]  # fmt: skip
    assert [term.key for term in found if not term.content][:2] == ["the", "don't"]


def test_what_can_be_a_noun() -> None:
    assert [word for word in ("速度", "神经网络", "很快", "跑", "weight", "研究", "北京") if can_be_noun(word)] == [
        "速度", "神经网络", "weight", "研究", "北京"
    ]  # fmt: skip


def test_stop_words_are_of_their_language() -> None:
    assert all(word.isascii() for word in ENGLISH)
    assert not any(word.isascii() for word in CHINESE)
    assert {"the", "isn't", "的", "因为"} <= ENGLISH | CHINESE
