"""Rolling windows: each token once, the windows of lm-evaluation-harness, and closed forms of a bigram table."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.tables import Bigrams, table

from langwright.errors import UserError
from langwright.evaluation.measuring.perplexity import Document, blocks_of, score_documents, text_documents, windows
from langwright.inference.fake import Parrot, letters
from langwright.metrics.likelihood import bits_per_byte, next_token_accuracy, perplexity

shapes = st.tuples(st.integers(0, 60), st.integers(2, 17)).flatmap(
    lambda case: st.tuples(st.just(case[0]), st.just(case[1]), st.integers(1, case[1] - 1))
)


@given(shapes)
def test_every_id_but_the_first_is_scored_once_in_order(case):
    n, length, stride = case
    ids = list(range(n))
    scored = []
    for number, window in enumerate(windows(ids, length, stride)):
        assert 2 <= len(window.ids) <= length
        if number:
            assert len(window.ids) == length
            assert window.scored <= stride
            # at least length - stride tokens stand before the first one scored
            assert len(window.ids) - window.scored >= length - stride
        scored += list(window.ids)[-window.scored :]
    assert scored == ids[1:]


@given(shapes)
@settings(deadline=None)
def test_windows_are_those_of_lm_eval(case):
    lm_eval = pytest.importorskip("lm_eval.utils")
    n, length, stride = case
    tokens = list(range(1, n + 1))
    theirs = [
        (context + continuation, len(continuation))
        for context, continuation in map(
            lm_eval.make_disjoint_window,
            lm_eval.get_rolling_token_windows(tokens, prefix_token=0, max_seq_len=length - 1, context_len=length - stride),
        )
    ]  # fmt: skip
    assert [(list(w.ids), w.scored) for w in windows([0, *tokens], length, stride)] == theirs


def chain(logp_VV: np.ndarray, ids: list[int]) -> float:
    return -sum(logp_VV[a, b] for a, b in itertools.pairwise(ids))


@pytest.mark.spec("EV5", "perplexity of a table model equals its closed form, whatever window and stride")
@given(
    st.lists(st.lists(st.integers(0, 6), min_size=0, max_size=40), min_size=1, max_size=5),
    st.integers(2, 12).flatmap(lambda length: st.tuples(st.just(length), st.integers(1, length - 1))),
)
def test_sums_equal_the_tables_chain_rule_whatever_the_window(rows, cut):
    logp_VV = table(7)
    engine = Bigrams(logp_VV, context=12)
    documents = [Document(ids, bytes=3 * len(ids)) for ids in rows]
    length, stride = cut
    scores = list(score_documents(engine, documents, length=length, stride=stride))
    assert [s.nats for s in scores] == pytest.approx([chain(logp_VV, ids) for ids in rows])
    assert [s.tokens for s in scores] == [max(0, len(ids) - 1) for ids in rows]
    assert [s.bytes for s in scores] == [3 * len(ids) for ids in rows]
    best_V = logp_VV.argmax(axis=1)
    assert [s.hits for s in scores] == [
        sum(best_V[a] == b for a, b in itertools.pairwise(ids)) for ids in rows
    ]  # fmt: skip


def test_measures_of_a_table_by_hand():
    # two tokens; after 0 comes 1 with probability 3/4, after 1 comes 0 with probability 1/2
    logp_VV = np.log([[1 / 4, 3 / 4], [1 / 2, 1 / 2]])
    engine = Bigrams(logp_VV, context=3)
    scores = list(score_documents(engine, [Document([0, 1, 0, 1, 1], bytes=4)]))
    nats = -math.log(3 / 4 * 1 / 2 * 3 / 4 * 1 / 2)
    assert perplexity(scores).value == pytest.approx(math.exp(nats / 4))
    assert bits_per_byte(scores).value == pytest.approx(nats / math.log(2) / 4)
    # likeliest after 0 is 1 (twice right); after 1 it is 0, the first of two equals (right once, wrong once)
    assert next_token_accuracy(scores).value == pytest.approx(3 / 4)


def test_only_counted_tokens_are_summed():
    logp_VV = table(5)
    engine = Bigrams(logp_VV, context=4)
    ids = [0, 3, 1, 4, 2, 2, 0]
    counted = [False, True, False, False, True, True]
    (score,) = score_documents(engine, [Document(ids, 9, counted)])
    wanted = -sum(logp_VV[ids[i], ids[i + 1]] for i in range(6) if counted[i])
    assert score.nats == pytest.approx(wanted)
    assert score.tokens == 3
    assert score.hits == sum(logp_VV[ids[i]].argmax() == ids[i + 1] for i in range(6) if counted[i])


def test_defaults_are_the_engines_context_and_half_of_it():
    engine = Bigrams(table(4), context=8)
    list(score_documents(engine, [Document([0, 1, 2, 3] * 4, 1)]))
    assert [len(row) for row in engine.rows_scored] == [8, 8, 8]
    assert engine.rows_scored[1] == ([0, 1, 2, 3] * 4)[4:12]


def test_the_first_token_follows_the_separator_or_costs_log_v():
    tokenizer = letters()
    (document,) = text_documents(tokenizer, ["你a"])
    assert document.ids[0] == tokenizer.eos_token_id
    assert (len(document.ids), document.bytes, document.charge) == (5, 4, 0.0)
    tokenizer.eos_token = None
    bare, empty = text_documents(tokenizer, ["你a", ""])
    assert len(bare.ids) == 4
    first, second = score_documents(Parrot(), [bare, empty])
    assert first.tokens == 4
    assert first.nats == pytest.approx(3 + math.log(len(tokenizer)))
    assert (second.tokens, second.nats) == (0, 0.0)


def test_names_of_special_tokens_in_a_text_are_text():
    (document,) = text_documents(letters(), ["a<|endoftext|>b"])
    assert len(document.ids) == 1 + len("a<|endoftext|>b")


@given(st.lists(st.text(max_size=5), max_size=9), st.integers(1, 12))
def test_blocks_hold_every_text_in_order(texts, most):
    blocks = list(blocks_of(texts, most))
    assert [text for block in blocks for text in block] == texts
    assert all(sum(map(len, block[:-1])) < most for block in blocks)


def test_an_engine_that_only_scores_gives_no_hits():
    (score,) = score_documents(Parrot(), [Document([1, 2, 3], 3)])
    assert score.hits is None


def test_windows_that_do_not_fit_are_refused():
    engine = Bigrams(table(4), context=8)
    with pytest.raises(UserError, match="do not fit a model with a context of 8"):
        list(score_documents(engine, [Document([1, 2], 1)], length=9))
    with pytest.raises(UserError, match="stride of 8"):
        list(score_documents(engine, [Document([1, 2], 1)], length=8, stride=8))


def test_a_probability_of_zero_is_an_error_and_not_a_number():
    logp_VV = table(4)
    logp_VV[1, 2] = -np.inf
    with pytest.raises(UserError, match="probability of zero"):
        list(score_documents(Bigrams(logp_VV, context=8), [Document([0, 1, 2], 1)]))
    logp_VV[1, 2] = np.nan
    with pytest.raises(UserError, match="probability of zero"):
        list(score_documents(Bigrams(logp_VV, context=8), [Document([0, 1, 2], 1)]))


def test_documents_are_answered_as_they_come_and_few_rows_are_held():
    engine = Bigrams(table(4), context=8)
    taken = 0

    def stream():
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield Document([0, 1, 2, 3], 4)

    scores = score_documents(engine, stream())
    next(scores)
    assert taken < 100
