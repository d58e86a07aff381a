"""The expected phrase is found whatever the letter case, width and white space."""

from __future__ import annotations

import pytest

from langwright.metrics.containment import containment, contains, normalised
from langwright.metrics.intervals import wilson


@pytest.mark.parametrize(
    ("reply", "phrase"),
    [
        ("The answer is Paris.", "paris"),
        ("北京　是中国的首都", "北京是中国"),
        ("ＨＴＴＰ 协议", "http协议"),
        ("in  the\nmiddle", "in the middle"),
        ("答案：４２", "42"),
        ("等于 42 度", "等于42度"),
    ],
)
def test_found(reply, phrase):
    assert contains(reply, phrase)


@pytest.mark.parametrize(("reply", "phrase"), [("than apples", "an apple "), ("", "x"), ("南京", "北京")])
def test_not_found(reply, phrase):
    assert contains(reply, phrase) is (normalised(phrase) in normalised(reply))
    assert not contains(reply.replace("than apples", "thanapples"), phrase)


def test_blanks_between_words_are_kept():
    assert not contains("together", "to get her")
    assert normalised("A  b\t c") == "a b c"


def test_rate_has_wilsons_interval():
    measure = containment(["是北京", "不知道", "Beijing"], ["北京", "北京", "beijing"])
    assert measure.value == pytest.approx(2 / 3)
    assert (measure.low, measure.high) == wilson(2, 3)


def test_blank_phrases_and_unequal_sides_are_refused():
    with pytest.raises(ValueError, match="blank"):
        contains("x", " 　")
    with pytest.raises(ValueError, match="phrases"):
        containment(["a"], [])
