"""Truncation against transformers' own, the frequencies of what is drawn, and the limits of temperature."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from langwright.errors import UserError
from langwright.inference.protocol import Sampling, Token
from langwright.inference.sampling import Chooser, draw, tempered, truncated

V = 50


def ours(logits_BV: torch.Tensor, temperature: float, top_k: int, top_p: float) -> torch.Tensor:
    rows = len(logits_BV)
    tempered_BV = tempered(logits_BV.double(), torch.full((rows,), temperature, dtype=torch.float64))
    return truncated(tempered_BV, torch.full((rows,), top_k), torch.full((rows,), top_p, dtype=torch.float64))


def theirs(logits_BV: torch.Tensor, temperature: float, top_k: int, top_p: float) -> torch.Tensor:
    ids, scores = torch.zeros((len(logits_BV), 1), dtype=torch.long), logits_BV.double()
    warpers = [TemperatureLogitsWarper(temperature)]
    warpers += [TopKLogitsWarper(top_k)] if top_k else []
    warpers += [TopPLogitsWarper(top_p)] if top_p < 1 else []
    for warper in warpers:
        scores = warper(ids, scores)
    return scores.softmax(-1)


@pytest.mark.spec("G2", "temperature, top-k and nucleus sampling equal transformers' warpers, alone and together")
@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    temperature=st.floats(0.05, 5),
    top_k=st.integers(0, V),
    top_p=st.one_of(st.just(1.0), st.floats(0.01, 0.999)),
)
def test_truncation_equals_transformers_warpers(seed: int, temperature: float, top_k: int, top_p: float) -> None:
    logits_BV = torch.randn((3, V), generator=torch.Generator().manual_seed(seed)) * 3
    torch.testing.assert_close(
        ours(logits_BV, temperature, top_k, top_p), theirs(logits_BV, temperature, top_k, top_p), rtol=1e-9, atol=1e-12
    )


def test_nucleus_by_hand() -> None:
    logits_1V = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    for top_p, kept in [(0.4, [1, 0, 0, 0]), (0.6, [0.625, 0.375, 0, 0]), (0.9, [0.5263158, 0.3157895, 0.1578947, 0])]:
        torch.testing.assert_close(ours(logits_1V, 1.0, 0, top_p), torch.tensor([kept], dtype=torch.float64))


def test_rows_are_truncated_each_by_its_own_settings() -> None:
    logits_BV = torch.randn((4, V), generator=torch.Generator().manual_seed(3))
    temperature_B = torch.tensor([0.5, 1.0, 2.0, 1.3], dtype=torch.float64)
    top_k_B, top_p_B = torch.tensor([0, 3, 10, 0]), torch.tensor([0.5, 1.0, 0.7, 1.0], dtype=torch.float64)
    together_BV = truncated(tempered(logits_BV.double(), temperature_B), top_k_B, top_p_B)
    for row in range(4):
        settings_of_row = float(temperature_B[row]), int(top_k_B[row]), float(top_p_B[row])
        torch.testing.assert_close(together_BV[row : row + 1], theirs(logits_BV[row : row + 1], *settings_of_row))


def test_exactly_k_tokens_are_kept_when_probabilities_tie() -> None:
    flat_1V = torch.zeros((1, 8))
    assert ours(flat_1V, 1.0, 3, 1.0)[0].tolist() == pytest.approx([1 / 3] * 3 + [0] * 5)


@pytest.mark.parametrize("temperature", [1e-3, 1e-10, 1e-40, 1e-300, 5e-324])
def test_small_temperatures_end_in_greedy_and_never_in_nan(temperature: float) -> None:
    logits_BV = torch.randn((5, V), generator=torch.Generator().manual_seed(0)) * 100
    probability_BV = ours(logits_BV, temperature, 0, 1.0)
    assert torch.equal(probability_BV.argmax(-1), logits_BV.argmax(-1))
    torch.testing.assert_close(probability_BV.max(-1).values, torch.ones(5, dtype=torch.float64))


@pytest.mark.parametrize("uniform", [0.0, 0.25, 0.999, 1 - 2**-53])
def test_a_token_without_probability_is_never_drawn(uniform: float) -> None:
    probability_1V = torch.tensor([[0.0, 0.3, 0.0, 0.7, 0.0, 0.0]], dtype=torch.float64)
    assert draw(probability_1V, torch.tensor([uniform], dtype=torch.float64)).item() in (1, 3)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=1.0),
        Sampling(temperature=0.7, top_k=5),
        Sampling(temperature=1.5, top_p=0.8),
        Sampling(temperature=1.2, top_k=7, top_p=0.9),
    ],
)
@pytest.mark.spec("G2", "what is drawn has the frequencies of the truncated distribution")
def test_frequencies_of_what_is_drawn(sampling: Sampling) -> None:
    logits_1V = torch.randn((1, 12), generator=torch.Generator().manual_seed(5)) * 1.5
    expected_V = theirs(logits_1V, sampling.temperature, sampling.top_k, sampling.top_p)[0]
    draws, rows = 20_000, 500
    chooser = Chooser([sampling] * rows, [0] * rows, torch.device("cpu"))
    generators = [random.Random(seed) for seed in range(rows)]
    found_V = torch.zeros(12)
    for _ in range(draws // rows):
        found_V += torch.bincount(chooser(logits_1V.expand(rows, -1), generators).ids_B, minlength=12)
    possible = expected_V > 0
    assert found_V[~possible].sum() == 0
    p_value = stats.chisquare(found_V[possible], draws * expected_V[possible]).pvalue
    assert p_value > 1e-3


def test_log_probabilities_are_the_models_own_whatever_the_temperature() -> None:
    logits_BV = torch.randn((3, V), generator=torch.Generator().manual_seed(9))
    samplings = [Sampling(), Sampling(temperature=0.3, top_k=4), Sampling(temperature=2.0, top_p=0.5)]
    chosen = Chooser(samplings, [0, 3, 1], torch.device("cpu"))(logits_BV, [random.Random(i) for i in range(3)])
    logprob_BV = logits_BV.log_softmax(-1)
    for row, token in enumerate(chosen.tokens):
        assert isinstance(token, Token)
        assert token.id == chosen.ids_B[row]
        assert token.logprob == pytest.approx(logprob_BV[row, token.id].item(), abs=1e-6)
        wanted = [0, 3, 1][row]
        best = logprob_BV[row].topk(max(wanted, 1))
        assert [id for id, _ in token.top] == best.indices.tolist()[:wanted]
        assert [value for _, value in token.top] == pytest.approx(best.values.tolist()[:wanted], abs=1e-6)


def test_a_row_draws_the_same_whatever_its_neighbours_do() -> None:
    logits_BV = torch.randn((4, V), generator=torch.Generator().manual_seed(2))
    mine = Sampling(temperature=1.0)

    def drawn(others: list[Sampling]) -> list[int]:
        generator, chooser = random.Random(77), Chooser([*others, mine], [0] * (len(others) + 1), torch.device("cpu"))
        rows = [*(random.Random(i) for i in range(len(others))), generator]
        logits = torch.cat([logits_BV[: len(others)], logits_BV[3:]])
        return [int(chooser(logits, rows).ids_B[-1]) for _ in range(50)]

    alone = drawn([])
    assert drawn([Sampling()] * 3) == alone
    assert drawn([Sampling(temperature=0.5, top_k=3), Sampling(), Sampling(temperature=2.0)]) == alone
    assert len(set(alone)) > 5


def test_no_global_generator_is_touched() -> None:
    torch.manual_seed(0)
    random.seed(0)
    before = torch.get_rng_state(), random.getstate()
    Chooser([Sampling(temperature=1.0)], [0], torch.device("cpu"))(torch.zeros((1, V)), [random.Random(1)])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]


def test_a_row_that_is_not_finite_is_told_apart() -> None:
    logits_BV = torch.zeros((3, V))
    logits_BV[0, 4], logits_BV[2, 1] = float("nan"), float("inf")
    logits_BV[1, 3:] = -float("inf")  # excluded by the model itself: fine
    tokens = Chooser([Sampling()] * 3, [0] * 3, torch.device("cpu"))(logits_BV, [random.Random(0)] * 3).tokens
    assert [isinstance(token, UserError) for token in tokens] == [True, False, True]
