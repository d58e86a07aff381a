"""distinct-n, repetition and coverage: by hand, limits, and the jackknife against leaving texts out one by one."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from langwright.metrics.intervals import jackknife
from langwright.metrics.units import language_of, ngrams, units
from langwright.metrics.variety import coverage, distinct, repetition, repetition_share

texts = st.lists(st.text(alphabet="ab你 ", min_size=0, max_size=12), min_size=5, max_size=8)


def test_units_of_mixed_text():
    assert units("《三体》 is Liu's novel, 2008年。") == [
        "《", "三", "体", "》", "is", "liu's", "novel", ",", "2008", "年", "。",
    ]  # fmt: skip
    assert units(" \n\t　") == []
    assert units("カタカナ 𠮷") == ["カ", "タ", "カ", "ナ", "𠮷"]


def test_language_is_guessed_from_the_script():
    assert language_of("我喜欢 Python 编程") == "zh"
    assert language_of("He said 好 and left the room") == "en"
    assert language_of("") == "en"


@given(st.lists(st.text(alphabet="ab", min_size=1, max_size=2), max_size=9), st.integers(1, 4))
def test_ngrams_are_every_run(pieces, n):
    assert list(ngrams(pieces, n)) == [tuple(pieces[i : i + n]) for i in range(len(pieces) - n + 1)]


@pytest.mark.spec("EV5", "distinct-n and repetition by hand, Chinese by characters and English by words")
def test_distinct_by_hand():
    # characters of 我是我 and 我是谁: 我是 是我 我是 是谁 -> 3 of 4 pairs differ
    assert distinct(["我是我", "我是谁"], 2).value == pytest.approx(3 / 4)
    assert distinct(["the cat the cat"], 1).value == pytest.approx(2 / 4)
    assert distinct(["the cat the cat"], 2).value == pytest.approx(2 / 3)
    assert distinct(["The cat", "the CAT"], 1).value == pytest.approx(1 / 2)
    assert distinct(["我是谁"], 2).name == "distinct-2"


@given(texts, st.integers(1, 3))
def test_distinct_interval_is_the_jackknife_over_texts(sample, n):
    grams = [list(ngrams(units(text), n)) for text in sample]
    total = sum(map(len, grams))
    assume(total and all(total > len(g) for g in grams))
    without = []
    for index in range(len(sample)):
        rest = [g for i, each in enumerate(grams) if i != index for g in each]
        without.append(len(set(rest)) / len(rest))
    measure = distinct(sample, n)
    wanted = jackknife(measure.value, without, most=1.0)
    assert (measure.low, measure.high) == pytest.approx(tuple(wanted))


def test_distinct_has_no_interval_where_one_text_holds_everything():
    assert distinct(["a b c", "", "", "", ""], 1).low is None


def test_repetition_by_hand_and_at_its_limits():
    assert repetition_share("a b c d e f g", 4) == 0
    assert repetition_share("一 二", 4) is None
    # 哈 ten times: 7 runs of four, all alike
    assert repetition_share("哈" * 10, 4) == pytest.approx(1 - 1 / 7)
    measure = repetition(["哈" * 10, "a b c d e f g", "x"], 4)
    assert measure.value == pytest.approx((1 - 1 / 7) / 2)
    assert (measure.n, measure.name) == (2, "repetition-4")


@pytest.mark.spec("EV3", "vocabulary coverage states its reference vocabulary and sample size")
def test_coverage_by_hand():
    measure = coverage([[1, 2, 2, 9], [2, 3]], {1, 2, 3, 4, 5}, kind="token ids")
    assert measure.value == pytest.approx(3 / 5)  # 9 is not in the reference
    assert "5 entries" in measure.method
    assert "6 pieces" in measure.method
    assert "token ids" in measure.method


@given(st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=5, max_size=8))
def test_coverage_interval_is_the_jackknife_over_texts(sample):
    assume(any(sample))
    reference = set(range(7))
    without = []
    for index in range(len(sample)):
        used = {p for i, each in enumerate(sample) if i != index for p in each}
        without.append(len(used & reference) / 7)
    measure = coverage(sample, reference, kind="digits")
    assert (measure.low, measure.high) == pytest.approx(tuple(jackknife(measure.value, without, most=1.0)))


def test_nothing_to_count_is_refused():
    with pytest.raises(ValueError, match="pieces"):
        distinct(["", " "], 1)
    with pytest.raises(ValueError, match="pieces"):
        repetition(["一"], 4)
    with pytest.raises(ValueError, match="empty"):
        coverage([[]], {1}, kind="x")
