"""Copied runs, frequent characters and whole characters, against plain searching."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.metrics.origin import among_frequent, copied, frequent_characters, is_valid, valid_utf8

chinese = st.text(alphabet="天地玄黄", max_size=30)


@given(st.lists(chinese, min_size=1, max_size=5), st.lists(chinese, max_size=5), st.integers(2, 4))
def test_copied_equals_searching_each_run_in_the_corpus(generated, corpus, n):
    runs = [text[i : i + n] for text in generated for i in range(len(text) - n + 1)]
    if not runs:
        with pytest.raises(ValueError, match="pieces"):
            copied(generated, corpus, n)
        return
    wanted = sum(any(run in document for document in corpus) for run in runs) / len(runs)
    assert copied(generated, corpus, n).value == pytest.approx(wanted)


def test_copied_does_not_reach_over_the_border_of_documents():
    assert copied(["天地玄黄"], ["天地", "玄黄"], 4).value == 0
    assert copied(["天地 玄黄"], ["天地\n玄黄"], 4).value == 1


def test_copied_counts_words_in_english():
    corpus = ["the quick brown fox jumps over the lazy dog"]
    measure = copied(["The quick brown FOX runs"], corpus, 4)
    assert measure.value == pytest.approx(1 / 2)
    assert measure.name == "copied 4-grams"


def test_a_corpus_is_read_once_and_may_be_a_stream():
    assert copied(["a b c"], iter(["a b c"]), 2).value == 1


def test_frequent_characters_by_hand():
    frequent = frequent_characters(["bbb aa", "c\n a"], k=2)
    assert frequent == {"a", "b"}
    assert frequent_characters(["ba"], k=1) == {"a"}  # a tie goes to the lower code point
    measure = among_frequent(["ab c", "a z"], frequent, k=2)
    assert measure.value == pytest.approx(3 / 5)
    with pytest.raises(ValueError, match="character"):
        among_frequent([" "], frequent)


def test_validity():
    assert is_valid("中文".encode())
    assert not is_valid("中文".encode()[:-1])
    assert not is_valid("坏\ufffd字")
    assert not is_valid("\ud800")
    measure = valid_utf8(["好", "坏\ufffd", b"\xff", b"ok"])
    assert measure.value == 0.5
    with pytest.raises(ValueError, match="no text"):
        valid_utf8([])
