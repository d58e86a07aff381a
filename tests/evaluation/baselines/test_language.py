"""The compressor against lzma in one piece; the word-count classifier in both languages."""

from __future__ import annotations

import lzma

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langwright.errors import UserError
from langwright.evaluation.baselines import compression
from langwright.evaluation.baselines.compression import blocks, conditional_xz
from langwright.evaluation.baselines.word_counts import fit_word_counts
from langwright.runlog import Progressed, RunLog


@given(st.lists(st.text(max_size=50), max_size=20), st.integers(1, 64))
@settings(max_examples=40, deadline=None)
def test_blocks_are_the_texts_end_to_end(texts, size):
    before = compression.BLOCK
    compression.BLOCK = size
    try:
        assert b"".join(blocks(texts)) == "".join(texts).encode()
    finally:
        compression.BLOCK = before


def test_conditional_size_equals_lzma_in_one_piece():
    rng = np.random.default_rng(0)
    train = ["".join(rng.choice(list("天地玄黄宇宙洪荒"), 400)) for _ in range(20)]
    validation = [train[3][:200], "日月盈昃"]
    got = conditional_xz(train, validation)
    preset = 9 | lzma.PRESET_EXTREME
    whole_train, whole_validation = "".join(train).encode(), "".join(validation).encode()
    assert got.train_packed == len(lzma.compress(whole_train, preset=preset))
    assert got.both_packed == len(lzma.compress(whole_train + whole_validation, preset=preset))
    assert (got.train, got.validation) == (len(whole_train), len(whole_validation))
    assert got.bits_per_byte == 8 * (got.both_packed - got.train_packed) / len(whole_validation)


def test_what_was_seen_in_training_costs_little_and_noise_its_entropy():
    rng = np.random.default_rng(1)
    noise = ["".join(rng.choice(list("0123456789abcdef"), 60_000))]
    again = conditional_xz(noise, [noise[0][:50_000]])
    assert again.bits_per_byte < 0.05
    fresh = conditional_xz(noise, ["".join(rng.choice(list("0123456789abcdef"), 60_000))])
    assert 4.0 < fresh.bits_per_byte < 4.6  # 16 equal letters carry 4 bits each


def test_progress_is_reported():
    events = []
    conditional_xz(["a" * 100], ["b" * 10], RunLog(None, events.append))
    assert [e.done for e in events if isinstance(e, Progressed)] == [100, 110]


@pytest.mark.parametrize(
    ("good", "bad", "counted_in"),
    [("这家酒店非常好{}我很喜欢", "房间又脏又吵{}再也不来", "characters"), ("a lovely film {} I enjoyed", "dull and slow {} avoid", "words")],
)  # fmt: skip
def test_word_counts_learn_in_both_languages(good, bad, counted_in):
    rng = np.random.default_rng(0)
    texts = [(good if i % 2 else bad).format(rng.integers(1000)) for i in range(60)]
    labels = ["good" if i % 2 else "bad" for i in range(60)]
    model = fit_word_counts(texts, labels)
    assert model.counted_in == counted_in
    guesses = model([good.format(5), bad.format(6)])
    assert [g.label for g in guesses] == ["good", "bad"]
    for guess in guesses:
        assert sum(guess.probabilities.values()) == pytest.approx(1)
        assert max(guess.probabilities, key=guess.probabilities.get) == guess.label
    assert model([]) == []
    again = fit_word_counts(texts, labels)([good.format(5)])
    assert again[0].probabilities == guesses[0].probabilities


def test_chinese_is_not_taken_clause_by_clause():
    # the one clause never seen before still shares characters; words as scikit-learn cuts them would share nothing
    texts, labels = ["很好吃的菜", "服务态度差", "味道很好", "态度太差"], ["+", "-", "+", "-"]
    assert fit_word_counts(texts, labels)(["真是很好", "实在太差"])[0].label == "+"
    assert fit_word_counts(texts, labels)(["真是很好", "实在太差"])[1].label == "-"


def test_one_label_is_no_task():
    with pytest.raises(UserError, match="1 different labels"):
        fit_word_counts(["a", "b"], ["x", "x"])
