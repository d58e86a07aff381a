"""Readability by published examples."""

from __future__ import annotations

import pytest

from langwright.metrics.readability import chinese_readability, common_characters, reading_ease, syllables


def test_flesch_by_published_examples() -> None:
    """Two examples that stand in many handbooks, with 6 and 24 syllables."""
    ease, grade = reading_ease(["The cat sat on the mat."])
    assert ease.value == pytest.approx(206.835 - 1.015 * 6 - 84.6) and round(ease.value) == 116
    assert grade.value == pytest.approx(0.39 * 6 + 11.8 - 15.59)
    ease, _ = reading_ease(["The Australian platypus is seemingly a hybrid of a mammal and reptilian creature."])
    assert ease.value == pytest.approx(37.5, abs=0.05)


SYLLABLES = {
    1: "the cat make asked makes fire hour played eyes whole sea tea thing moved clothes rich",
    2: "people nation special science lion being create hundred wanted boxes churches table needed judges ages little something doing lately moment prism giant quiet",
    3: "platypus seemingly idea radio area serious piano opinion poetry creating video element beautiful",
    4: "geography calculator",
}


@pytest.mark.parametrize(("count", "words"), SYLLABLES.items())
def test_syllables(count: int, words: str) -> None:
    assert {word: syllables(word) for word in words.split()} == dict.fromkeys(words.split(), count)


def test_sentences_are_counted() -> None:
    ease, _ = reading_ease(["Mr 3.5 is a number. It is! \n Is it?", "", "no end"])
    assert "10 words, 4 sentences" in ease.method
    with pytest.raises(ValueError, match="no English words"):
        reading_ease(["天气"])


def test_chinese_by_hand() -> None:
    clause, uncommon = chinese_readability(["今天天气很好，我们去公园。约3.5万人", "亍!"])
    assert clause.value == pytest.approx((6 + 5 + 3 + 1) / 4)
    assert uncommon.value == pytest.approx(1 / 15)
    with pytest.raises(ValueError, match="no Chinese"):
        chinese_readability(["only English"])


def test_common_characters_are_those_of_the_standard() -> None:
    assert len(common_characters()) == 3755
    assert {"啊", "座", "的"} <= common_characters() and not {"亍", "體", "A"} & common_characters()
