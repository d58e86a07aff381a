"""Modified Kneser-Ney: by hand, against a slow dictionary version, and as a probability distribution."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langwright.data.kneser_ney import FALLBACK, count, discounts_from
from langwright.errors import UserError


class Slow:
    """The formulas of Chen & Goodman 1999 written down as they stand, with dictionaries."""

    def __init__(self, documents, vocab_size, order):
        self.v, self.n = vocab_size, order
        self.counts = {k: Counter() for k in range(1, order + 1)}
        for ids in documents:
            padded = ["<s>"] * (order - 1) + list(ids)
            for end in range(order - 1, len(padded)):
                self.counts[order][tuple(padded[end - order + 1 : end + 1])] += 1
        for k in range(order - 1, 0, -1):  # continuation counts: in how many ways an n-gram is extended to the left
            for gram in self.counts[k + 1]:
                self.counts[k][gram[1:]] += 1
        self.discounts, self.followers = {}, {}
        for k, counts in self.counts.items():
            self.discounts[k] = discounts_from([sum(c == i for c in counts.values()) for i in (1, 2, 3, 4)])[0]
            self.followers[k] = defaultdict(dict)
            for gram, c in counts.items():
                self.followers[k][gram[:-1]][gram[-1]] = c

    def p(self, word, history):
        if history is None:
            return 1 / self.v
        k = len(history) + 1
        shorter = history[1:] if history else None
        followers = self.followers[k].get(history)
        if not followers:
            return self.p(word, shorter)
        total, d = sum(followers.values()), self.discounts[k]
        held = sum(d[min(c, 3) - 1] for c in followers.values())
        c = followers.get(word, 0)
        kept = c - d[min(c, 3) - 1] if c else 0
        return kept / total + held / total * self.p(word, shorter)

    def logprobs(self, ids):
        padded = ["<s>"] * (self.n - 1) + list(ids)
        return [math.log(self.p(padded[i], tuple(padded[i - self.n + 1 : i]))) for i in range(self.n - 1, len(padded))]


corpora = st.lists(st.lists(st.integers(0, 4), max_size=25), min_size=1, max_size=6).filter(any)


@given(corpora, st.lists(st.integers(0, 4), max_size=12), st.integers(1, 5))
@settings(max_examples=150, deadline=None)
def test_equals_the_formulas_written_with_dictionaries(corpus, held_out, order):
    fast, slow = count(corpus, vocab_size=5, order=order), Slow(corpus, 5, order)
    assert list(fast.logprobs(held_out)) == pytest.approx(slow.logprobs(held_out), abs=1e-12)


def test_equals_the_dictionaries_with_real_discounts():
    rng = np.random.default_rng(1)
    weights = 1 / np.arange(1, 31)
    corpus = [list(rng.choice(30, size=rng.integers(5, 60), p=weights / weights.sum())) for _ in range(60)]
    fast, slow = count(corpus, 30, order=3), Slow(corpus, 30, 3)
    assert not all(order.fallback for order in fast.orders[1:])
    held_out = list(rng.integers(0, 30, 40))
    assert list(fast.logprobs(held_out)) == pytest.approx(slow.logprobs(held_out), abs=1e-12)


@given(corpora, st.lists(st.integers(0, 4), max_size=8))
@settings(max_examples=60, deadline=None)
def test_probabilities_sum_to_one_over_the_vocabulary(corpus, history):
    model = count(corpus, vocab_size=5)
    total = sum(math.exp(model.logprobs([*history, word])[-1]) for word in range(5))
    assert total == pytest.approx(1, abs=1e-12)


def test_a_bigram_model_by_hand():
    # one document a b a c over {a, b, c, d}, led by one pad p; bigrams pa ab ba ac, each once
    # bigrams: only ones, so the fallback discounts: D1 = 0.5
    # unigram continuation counts: a 2 (after p and b), b 1, c 1; total 4; fallback: a keeps 2 - 1, b and c 1 - 0.5
    a, b, c, d = range(4)
    model = count([[a, b, a, c]], vocab_size=4, order=2)
    assert model.orders[0].discounts == model.orders[1].discounts == FALLBACK
    left = (1 + 0.5 + 0.5) / 4
    p1 = {a: 1 / 4 + left / 4, b: 0.5 / 4 + left / 4, c: 0.5 / 4 + left / 4, d: left / 4}
    assert sum(p1.values()) == pytest.approx(1)
    # after a: b and c once each, total 2, held 2 · 0.5 / 2 = 1/2
    after_a = {w: (0.5 / 2 if w in (b, c) else 0) + 0.5 * p1[w] for w in range(4)}
    # at the start: only a, held 1/2; after d nothing was seen: the unigram as it is
    expected = [0.5 + 0.5 * p1[a], after_a[d], p1[b]]
    assert np.exp(model.logprobs([a, d, b])) == pytest.approx(expected)


def test_discounts_by_hand():
    # n1..n4 = 10, 5, 3, 2: Y = 1/2; D1 = 1 - 2·½·5/10, D2 = 2 - 3·½·3/5, D3 = 3 - 4·½·2/3
    assert discounts_from([10, 5, 3, 2]) == (pytest.approx((0.5, 1.1, 3 - 4 / 3)), False)
    assert discounts_from([10, 5, 0, 2]) == (FALLBACK, True)
    assert discounts_from([1, 1, 9, 1]) == (FALLBACK, True)  # D2 would be negative


def test_it_learns_and_beats_knowing_nothing():
    rng = np.random.default_rng(0)
    step = rng.permutation(200)

    def walk(n):
        ids = [int(rng.integers(200))]
        for _ in range(n - 1):
            ids.append(int(step[ids[-1]]) if rng.random() < 0.9 else int(rng.integers(200)))
        return ids

    model = count([walk(100) for _ in range(100)], vocab_size=200)
    mean = -np.concatenate([model.logprobs(walk(100)) for _ in range(20)]).mean()
    entropy = -(0.9005 * math.log(0.9005) + 199 * 0.0005 * math.log(0.0005))  # of the walk itself
    assert entropy < mean < entropy + 0.5
    assert mean < 0.5 * math.log(200)


def test_what_a_document_begins_with_is_known():
    model = count([[3, 1, 2]] * 10 + [[3, 2, 1]] * 10, vocab_size=4)
    assert model.logprobs([3])[0] > math.log(0.9)


def test_documents_do_not_run_into_each_other():
    joined, apart = count([[0, 1, 2, 3]], 4, order=2), count([[0, 1], [2, 3]], 4, order=2)
    assert joined.logprobs([1, 2])[1] > apart.logprobs([1, 2])[1]


def test_nothing_to_count_and_wrong_ids_are_refused():
    with pytest.raises(UserError, match="no training text"):
        count([[], []], vocab_size=4)
    with pytest.raises(ValueError, match="vocabulary of 4"):
        count([[5]], vocab_size=4)


@pytest.mark.heavy
def test_ten_million_tokens_in_a_minute_and_four_gigabytes():
    import resource
    import time

    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, 8193)
    stream = rng.choice(8192, size=10_000_000, p=weights / weights.sum())
    began = time.monotonic()
    model = count(np.split(stream, np.arange(500, len(stream), 500)), vocab_size=8192)
    assert time.monotonic() - began < 60
    assert len(model.orders[-1].keys_U) > 9_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4_000_000  # kilobytes
