"""Penalties against transformers' own processors, and against their formulas."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    LogitsProcessor,
    MinNewTokensLengthLogitsProcessor,
    NoBadWordsLogitsProcessor,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor,
)

from langwright.inference.choosing.history import History
from langwright.inference.choosing.penalties import penalised
from langwright.inference.protocol import Request, Sampling

V = 12
STOP = frozenset({2, 5})
few_ids = st.lists(st.integers(0, V - 1), min_size=1, max_size=20)


def theirs(logits_V: torch.Tensor, sampling: Sampling, prompt: list[int], written: list[int]) -> torch.Tensor:
    """In the order of transformers' `generate`."""
    processors: list[LogitsProcessor] = []
    if sampling.logit_bias:
        processors.append(SequenceBiasLogitsProcessor({(id,): value for id, value in sampling.logit_bias.items()}))
    processors.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    if sampling.no_repeat_ngram:
        processors.append(NoRepeatNGramLogitsProcessor(sampling.no_repeat_ngram))
    if sampling.bad_words:
        processors.append(NoBadWordsLogitsProcessor([list(word) for word in sampling.bad_words]))
    processors.append(MinNewTokensLengthLogitsProcessor(len(prompt), sampling.min_new_tokens, sorted(STOP)))
    ids, scores = torch.tensor([prompt + written]), logits_V[None].clone()
    for processor in processors:
        scores = processor(ids, scores)
    return scores[0]


def ours(logits_V: torch.Tensor, sampling: Sampling, prompt: list[int], written: list[int]) -> torch.Tensor:
    history = History(Request(prompt, sampling, STOP), seed=0)
    for id in written:
        history.take(id)
    return penalised(logits_V, history)


@pytest.mark.spec("G2", "penalties, n-gram and word bans, bias and minimum length equal transformers' processors")
@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    prompt=few_ids,
    written=st.lists(st.integers(0, V - 1), max_size=20),
    sampling=st.builds(
        Sampling,
        repetition_penalty=st.floats(0.5, 2),
        no_repeat_ngram=st.integers(0, 4),
        logit_bias=st.dictionaries(st.integers(0, V - 1), st.floats(-5, 5), max_size=4),
        bad_words=st.lists(st.lists(st.integers(0, V - 1), min_size=1, max_size=3).map(tuple), max_size=4).map(tuple),
        min_new_tokens=st.integers(0, 12),
    ),
)
def test_penalties_equal_transformers_processors(
    seed: int, prompt: list[int], written: list[int], sampling: Sampling
) -> None:
    logits_V = torch.randn(V, generator=torch.Generator().manual_seed(seed)) * 3
    torch.testing.assert_close(ours(logits_V, sampling, prompt, written), theirs(logits_V, sampling, prompt, written))


@given(written=st.lists(st.integers(0, V - 1), max_size=20), presence=st.floats(-2, 2), frequency=st.floats(-2, 2))
def test_presence_and_frequency_by_their_formula(written: list[int], presence: float, frequency: float) -> None:
    logits_V = torch.linspace(-2, 2, V)
    expected = [
        value - written.count(id) * frequency - (id in written) * presence for id, value in enumerate(logits_V.tolist())
    ]
    sampling = Sampling(presence_penalty=presence, frequency_penalty=frequency)
    assert ours(logits_V, sampling, [3, 3, 4], written).tolist() == pytest.approx(expected, abs=1e-5)


def test_ids_beyond_the_logits_are_passed_over() -> None:
    sampling = Sampling(repetition_penalty=2.0, logit_bias={V: 1.0, 0: 1.0}, bad_words=((V,), (1,)))
    logits_V = ours(torch.ones(V), sampling, [V, 3], [V + 1])
    assert logits_V.tolist() == [2.0, -torch.inf, 1.0, 0.5, *[1.0] * (V - 4)]


def test_a_fork_goes_on_by_itself() -> None:
    sampling = Sampling(no_repeat_ngram=2, repetition_penalty=1.5, presence_penalty=1.0)
    history = History(Request([1, 2], sampling), seed=0)
    twin = history.fork()
    history.take(1)
    twin.take(3)
    assert (history.ids, twin.ids) == ([1, 2, 1], [1, 2, 3])
    assert history.ruled_out() == {2}
    assert twin.ruled_out() == set()
    assert list(twin.seen) == [1, 2, 3]
    assert twin.counts == {3: 1}
