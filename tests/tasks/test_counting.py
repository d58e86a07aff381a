"""The counting corrector: slips by hand, words nearby against going through the list, corrections in both languages."""

from __future__ import annotations

import gzip
import json
import math
import random
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.metrics.correcting import correction_scores
from langwright.metrics.edits import edits_between
from langwright.tasks.correcting.channel import cased, corrected, learn
from langwright.tasks.correcting.mistyping import learn_mistyping, slips
from langwright.tasks.correcting.nearby import Nearby

WORDS = st.text("abc", min_size=1, max_size=6)


@lru_cache
def distance(one: str, other: str) -> int:
    """Optimal string alignment by its recursion, as an oracle."""
    if not one or not other:
        return len(one) + len(other)
    found = min(
        distance(one[:-1], other) + 1, distance(one, other[:-1]) + 1, distance(one[:-1], other[:-1]) + (one[-1] != other[-1])
    )  # fmt: skip
    if len(one) > 1 and len(other) > 1 and one[-1] == other[-2] and one[-2] == other[-1]:
        found = min(found, distance(one[:-2], other[:-2]) + 1)
    return found


@given(WORDS, WORDS)
def test_slips_are_the_fewest(right: str, typed: str) -> None:
    assert len(slips(right, typed)) == distance(right, typed)


def test_slips_of_the_papers_example() -> None:
    # Kernighan, Church & Gale 1990, table 1: what acress may have been
    assert slips("actress", "acress") == (("drop", "c", "t"),)
    assert slips("cress", "acress") == (("add", "^", "a"),)
    assert slips("caress", "acress") == (("turn", "ca", "ac"),)
    assert slips("access", "acress") == (("change", "c", "r"),)
    assert slips("across", "acress") == (("change", "o", "e"),)
    assert len(slips("acres", "acress")) == 1


def test_probabilities_of_slips_by_hand() -> None:
    made = learn_mistyping([("ab", "aab"), ("ab", "b"), ("ab", "ba")])
    # slips: a added behind the start or a, a dropped at the start, ab turned; "a" was typed three times
    assert made.given["a"] == 3
    assert made.given["^a"] == 3
    assert made.logprob("ab", "b") == pytest.approx(math.log((1 + 0.5) / (3 + 0.5 + 1)))
    assert made.logprob("ab", "ba") == pytest.approx(math.log((1 + 0.5) / (3 + 0.5 + 1)))
    assert made.logprob("ab", "xx") < made.logprob("ab", "ax")
    assert made.logprob("abc", "xyz") == -math.inf


@given(
    st.lists(st.text("abcd", min_size=1, max_size=9), min_size=1, max_size=30), st.text("abcd", min_size=1, max_size=9)
)
def test_words_nearby_are_all_within_two_slips(words: list[str], typed: str) -> None:
    assert Nearby(words).of(typed) == sorted({word for word in words if word != typed and distance(word, typed) <= 2})


def test_capitals_are_kept() -> None:
    assert [cased(one, "the") for one in ("teh", "Teh", "TEH")] == ["the", "The", "THE"]


ENGLISH = ["The cat sat on the mat", "A dog ran in the house", "The house is near the river", "She sat in the garden"]


@pytest.mark.spec("G11", "mistakes are corrected with their place and confidence, in English and Chinese")
def test_mistakes_are_corrected_and_right_text_is_left_alone() -> None:
    rows = [(text, text) for text in ENGLISH * 5] + [("Teh cat sat", "The cat sat"), ("the huose", "the house")]
    corrector = learn(rows)
    found = corrector.correct("The dog sat near the hosue.")
    assert [(one.edit.start, one.edit.end, one.edit.replacement) for one in found] == [(21, 26, "house")]
    assert 0.5 < found[0].confidence <= 1
    assert corrected("Teh river", corrector.correct("Teh river")) == "The river"
    assert corrector.correct("The cat sat in the garden") == []
    chinese = [("我很高心见到你", "我很高兴见到你"), ("他很高心", "他很高兴"), ("我的心很好", "我的心很好")] * 6
    assert corrected("她今天高心", learn(chinese).correct("她今天高心")) == "她今天高兴"
    assert learn(chinese).correct("我的心很好") == []


def test_new_words_are_not_mended_into_others() -> None:
    corrector = learn([(text, text) for text in ENGLISH * 5])
    assert corrector.correct("Zanzibar is near the river") == []
    places = ("Ravenna", "Verona", "Modena", "Siena", "Genoa", "Ancona", "Catania", "Messina")
    told = learn([(text, text) for text in (*ENGLISH * 5, *(f"Visit {place} near the river" for place in places))])
    (found,) = told.correct("Visit Sienna near the river", 0.0)
    assert found.edit.replacement == "Siena"
    assert 0.5 < found.confidence < 0.99  # it may be one more place: words seen once make new words likely
    assert told.new_word("arena") > told.new_word("xqzjv")


@pytest.mark.spec("G11", "on held-out SIGHAN sentences the counting corrector is far above doing nothing")
def test_sighan(shared_data: Callable[[str], Path]) -> None:
    with gzip.open(shared_data("zh-typos-sighan") / "train.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = sorted({(row["text"], row["correct"]) for row in map(json.loads, file)})
    random.Random(0).shuffle(rows)
    corrector = learn(rows[:2000])
    test = rows[-150:]
    made = [[one.edit for one in corrector.correct(text)] for text, _ in test]
    right = [edits_between(text, correction) for text, correction in test]
    scores = {one.name: one for one in correction_scores(made, right)}
    assert scores["mistakes corrected, F1"].low is not None
    assert scores["mistakes corrected, F1"].low > 0.2
    assert scores["precision of corrections"].value > 0.6
