"""ROUGE against rouge-score on English, against its published vectors, and on Chinese."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langwright.metrics.rouge import WHAT, rouge, rouge_l, rouge_lsum, rouge_n, rouge_scores

KINDS = {"1": "rouge1", "2": "rouge2", "L": "rougeL", "Lsum": "rougeLsum"}
english = st.lists(st.sampled_from(["w1", "w2", "W3", "don't", "3.5", "\n", "-", "a_b"]), max_size=14).map(" ".join)


@pytest.mark.spec("EV5", "ROUGE-1, -2, -L and -Lsum equal rouge-score's on English")
@given(english, english)
@settings(max_examples=150, deadline=None)
def test_english_is_as_rouge_score_counts(said: str, right: str) -> None:
    rouge_scorer = pytest.importorskip("rouge_score.rouge_scorer")
    theirs = rouge_scorer.RougeScorer(list(KINDS.values())).score(right, said)
    ours = rouge(said, [right])
    for kind, name in KINDS.items():
        assert ours[kind] == pytest.approx((theirs[name].precision, theirs[name].recall, theirs[name].fmeasure)), kind


def test_published_vectors() -> None:
    assert rouge_n("testing", "testing one two", 1) == pytest.approx((1, 1 / 3, 0.5))
    assert rouge_l("testing two", "testing one two") == pytest.approx((1, 2 / 3, 0.8))
    said, right = "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5", "w1 w2 w3 w4 w5"
    assert rouge_n(said, right, 1) == pytest.approx((0.4, 0.8, 0.53333), abs=1e-5)
    assert rouge_n(said, right, 2) == pytest.approx((1 / 9, 0.25, 0.15385), abs=1e-5)
    assert rouge_lsum(said, right) == pytest.approx((0.4, 0.8, 0.53333), abs=1e-5)


def test_chinese() -> None:
    same = rouge("今天天气很好。\n我们去公园", ["今天天气很好。\n我们去公园"])
    assert all(score == (1, 1, 1) for score in same.values())
    # 天气 of two pieces in three, in order; 很 and 好 apart
    assert rouge_n("天气好", "天气很好", 1) == pytest.approx((1, 3 / 4, 6 / 7))
    assert rouge_n("天气好", "天气很好", 2) == pytest.approx((1 / 2, 1 / 3, 0.4))
    assert rouge_l("好天气", "天气很好").f1 == pytest.approx(2 * 2 / 7)
    assert rouge("", ["天气"])["L"] == (0, 0, 0)


def test_the_best_of_several_right_texts_counts() -> None:
    found = rouge_scores(["a b", "c"], [["x", "a b"], ["c d"]])
    assert [measure.name for measure in found] == [f"ROUGE-{kind}" for kind in WHAT]
    assert [measure.value for measure in found] == pytest.approx(
        [(1 + 2 / 3) / 2, 0.5, (1 + 2 / 3) / 2, (1 + 2 / 3) / 2]
    )
    with pytest.raises(ValueError, match="no right text"):
        rouge("a", [])
    with pytest.raises(ValueError, match="1 texts for 0"):
        rouge_scores(["a"], [])
