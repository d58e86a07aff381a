"""Entities, answers and numbers: by hand, by the published rules, and in the limit."""

from __future__ import annotations

import re
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import f1_score

from langwright.metrics.answers import answer_f1, answer_scores, answer_words, cmrc_f1, cmrc_scores, matches
from langwright.metrics.sets import entity_scores, labels_f1
from langwright.metrics.values import value_scores

# --- entities --------------------------------------------------------------------------------------


def test_entities_by_hand() -> None:
    """seqeval's own example: of two entities one is exact, and one is one word too short."""
    right = [[(3, 6, "MISC")], [(0, 2, "PER")]]
    named = [[(2, 6, "MISC")], [(0, 2, "PER")]]
    f1, precision, recall = entity_scores(named, right)
    assert (f1.value, precision.value, recall.value) == (0.5, 0.5, 0.5)
    assert entity_scores([[(0, 2, "LOC")]], [[(0, 2, "PER")]])[0].value == 0
    f1, precision, recall = entity_scores([[(0, 1, "a"), (2, 3, "a"), (5, 6, "b")]], [[(0, 1, "a")]])
    assert (f1.value, precision.value, recall.value) == pytest.approx((0.5, 1 / 3, 1.0))
    assert entity_scores([[]], [[]])[0].value == 0 and entity_scores([[(1, 2, "a")]], [[]])[0].value == 0


@given(st.lists(st.tuples(st.sets(st.sampled_from("abcd")), st.sets(st.sampled_from("abcd"))), min_size=1, max_size=12))
def test_labels_are_as_scikit_learn_counts_them(pairs: list[tuple[set[str], set[str]]]) -> None:
    named, right = ([[label in one for label in "abcd"] for one in side] for side in zip(*pairs, strict=True))
    found = labels_f1(*map(list, zip(*pairs, strict=True)))
    assert found.value == pytest.approx(f1_score(np.array(right), np.array(named), average="micro", zero_division=0))


def test_an_interval_is_around_the_value() -> None:
    right = [[(0, 1, "a")], [(1, 2, "b")]] * 20
    named = [[(0, 1, "a")], [(1, 2, "a")]] * 20
    f1 = entity_scores(named, right)[0]
    assert f1.value == 0.5 and f1.low is not None and f1.high is not None and f1.low < 0.5 < f1.high
    with pytest.raises(ValueError, match="1 predictions for 2"):
        entity_scores([[]], [[], []])


# --- answers ---------------------------------------------------------------------------------------


def normalised_as_published(text: str) -> str:
    """SQuAD's evaluation script in its own order: lower, punctuation, articles, white space."""
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


@given(st.text(alphabet="aAnthe THE.,'-é“” 12", max_size=30))
def test_english_follows_the_published_rules(text: str) -> None:
    assert " ".join(answer_words(text)) == normalised_as_published(text)


@pytest.mark.spec("F4", "exact match and F1 by SQuAD's published rules for English and by characters for Chinese")
@pytest.mark.parametrize(
    ("said", "right", "exact", "f1"),
    [
        ("The Eiffel Tower", ["eiffel tower."], True, 1.0),
        ("in the Eiffel Tower", ["Eiffel Tower"], False, 0.8),
        ("Paris", ["London", "Paris, France"], False, 2 / 3),
        ("Rome", ["Paris"], False, 0.0),
        ("", [], True, 1.0),
        ("x", [], False, 0.0),
        ("", ["x"], False, 0.0),
        ("a b b", ["b b c c"], False, 2 * 2 / (2 + 4)),  # the article is set aside
        ("光荣和ω-force。", ["光荣和ω-force"], True, 1.0),
        ("《战国无双》", ["战国无双3"], False, 2 * 4 / 9),
        ("北京", ["北京市", "上海"], False, 0.8),
    ],
)
def test_answers_by_hand(said: str, right: list[str], exact: bool, f1: float) -> None:
    assert matches(said, right) == exact and answer_f1(said, right) == pytest.approx(f1)


def test_answers_together() -> None:
    exact, f1 = answer_scores(["Paris", "a dog", ""], [["paris"], ["dog house"], []])
    assert exact.value == pytest.approx(2 / 3) and f1.value == pytest.approx((1 + 2 / 3 + 1) / 3)
    with pytest.raises(ValueError, match="1 answers for 0"):
        answer_scores(["x"], [])


@pytest.mark.spec("EV6", "Chinese answers by the longest run of characters shared, as CMRC 2018 scores them")
@pytest.mark.parametrize(
    ("said", "right", "f1"),
    [
        ("光荣和ω。", ["《光荣和ω》"], 1.0),
        ("北京市", ["北京"], 0.8),
        ("京北", ["北京"], 0.5),  # one character in a row, though both are shared
        ("甲乙丙丁", ["甲乙戊丙丁"], 2 * 2 / (4 + 5)),
        ("1990年3月", ["3月"], 2 * 2 / (4 + 2)),
        ("上海", ["北京", "在上海"], 0.8),
        ("天津", ["北京"], 0.0),
        ("", [], 1.0),
        ("", ["北京"], 0.0),
    ],
)
def test_chinese_answers_by_hand(said: str, right: list[str], f1: float) -> None:
    assert cmrc_f1(said, right) == pytest.approx(f1)


def test_chinese_answers_together() -> None:
    exact, f1 = cmrc_scores(["北京", "京北"], [["北京。"], ["北京"]])
    assert (exact.value, f1.value) == (0.5, 0.75)


# --- numbers ---------------------------------------------------------------------------------------


def test_numbers_by_hand() -> None:
    said, right = [1.0, 2.0, 2.0, 5.0, 4.0], [1.0, 3.0, 2.0, 4.0, 5.0]
    error, rank = value_scores(said, right)
    assert error.value == pytest.approx(3 / 5) and rank.value == pytest.approx(spearmanr(said, right).statistic)
    assert rank.low is not None and rank.high is not None and rank.low < rank.value < rank.high
    assert (
        value_scores([1.0, 2.0], [3.0, 9.0])[1].value == pytest.approx(1)
        and value_scores([1.0, 1.0], [3.0, 9.0])[1].value == 0
    )
    with pytest.raises(ValueError, match="1 numbers for 1"):
        value_scores([1.0], [1.0])
