"""Perplexity and bits per byte against closed forms."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.metrics.likelihood import DocumentScore, assistant_loss, bits_per_byte, next_token_accuracy, perplexity

documents = st.lists(
    st.builds(
        DocumentScore, nats=st.floats(0, 100), tokens=st.integers(1, 50), bytes=st.integers(1, 99), hits=st.just(1)
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.spec("EV5", "perplexity and bits per byte of a uniform model have their closed forms")
@given(st.integers(2, 70000), st.lists(st.integers(1, 40), min_size=1, max_size=9))
def test_a_uniform_model_has_perplexity_v_and_log2_v_bits_a_token(size, lengths):
    scores = [DocumentScore(nats=n * math.log(size), tokens=n, bytes=4 * n) for n in lengths]
    assert perplexity(scores).value == pytest.approx(size)
    assert bits_per_byte(scores).value == pytest.approx(math.log2(size) / 4)


def test_100_nats_over_120_bytes():
    assert bits_per_byte([DocumentScore(100.0, 30, 120)]).value == pytest.approx(1.2022458674074694, rel=1e-12)


@given(documents)
def test_bits_per_byte_is_log2_perplexity_times_tokens_a_byte(scores):
    tokens, size = sum(s.tokens for s in scores), sum(s.bytes for s in scores)
    assert bits_per_byte(scores).value == pytest.approx(math.log2(perplexity(scores).value) * tokens / size, abs=1e-9)


@given(documents)
def test_cutting_or_ordering_documents_changes_no_value(scores):
    joined = [
        DocumentScore(
            sum(s.nats for s in scores),
            sum(s.tokens for s in scores),
            sum(s.bytes for s in scores),
            sum(s.hits for s in scores),
        )
    ]
    for measure in (perplexity, bits_per_byte, next_token_accuracy, assistant_loss):
        assert measure(scores).value == pytest.approx(measure(joined).value)
        assert measure(scores[::-1]).value == pytest.approx(measure(scores).value)


def test_next_token_accuracy_counts_hits():
    measure = next_token_accuracy([DocumentScore(1.0, 4, 4, hits=1), DocumentScore(1.0, 6, 6, hits=4)])
    assert measure.value == 0.5
    assert measure.n == 10


def test_assistant_loss_is_per_token():
    assert assistant_loss([DocumentScore(3.0, 2, 9), DocumentScore(1.0, 6, 9)]).value == 0.5


def test_intervals_surround_the_value_and_rest_on_documents():
    scores = [DocumentScore(float(10 + i), 10, 30 + i, hits=i % 7) for i in range(40)]
    for measure in (perplexity(scores), bits_per_byte(scores), next_token_accuracy(scores)):
        assert measure.low < measure.value < measure.high
        assert "40 documents" in measure.method
    assert bits_per_byte(scores[:4]).low is None


def test_nothing_to_count_is_refused():
    with pytest.raises(ValueError, match="no token"):
        perplexity([])
    with pytest.raises(ValueError, match="hits"):
        next_token_accuracy([DocumentScore(1.0, 1, 1)])


def test_with_one_byte_a_token_the_intervals_agree_too():
    scores = [DocumentScore(float(5 + i % 11), 10 + i % 3, 10 + i % 3) for i in range(30)]
    bits, times = bits_per_byte(scores, seed=4), perplexity(scores, seed=4)
    assert (math.log2(times.low), math.log2(times.high)) == pytest.approx((bits.low, bits.high))
