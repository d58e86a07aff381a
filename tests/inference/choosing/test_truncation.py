"""Every rule against transformers' own, by hand, and rows that do not depend on each other to the last bit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    EtaLogitsWarper,
    LogitsProcessor,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from langwright.inference.choosing.sampling import Warper
from langwright.inference.choosing.truncation import draw, tempered, unsurprising
from langwright.inference.protocol import Sampling

V = 50
CPU = torch.device("cpu")


def ours(logits_BV: torch.Tensor, *samplings: Sampling) -> torch.Tensor:
    """Probabilities after temperature and truncation."""
    warper = Warper(samplings * (len(logits_BV) if len(samplings) == 1 else 1), CPU)
    return warper.truncated(warper.tempered(logits_BV)).softmax(-1)


def theirs(logits_BV: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    ids, scores = torch.zeros((len(logits_BV), 1), dtype=torch.long), logits_BV.double()
    warpers: list[LogitsProcessor] = [TemperatureLogitsWarper(sampling.temperature)]
    warpers += [TopKLogitsWarper(sampling.top_k)] if sampling.top_k else []
    warpers += [TopPLogitsWarper(sampling.top_p)] if sampling.top_p < 1 else []
    warpers += [MinPLogitsWarper(sampling.min_p)] if sampling.min_p else []
    warpers += [TypicalLogitsWarper(sampling.typical_p)] if sampling.typical_p < 1 else []
    warpers += [EtaLogitsWarper(sampling.eta)] if sampling.eta else []
    for warper in warpers:
        scores = warper(ids, scores)
    return scores.softmax(-1)


def logits_of(seed: int, rows: int = 3, vocabulary: int = V, scale: float = 3) -> torch.Tensor:
    return torch.randn((rows, vocabulary), generator=torch.Generator().manual_seed(seed)) * scale


@pytest.mark.spec(
    "G2", "temperature, top-k, top-p, min-p, typical and eta equal transformers' warpers, alone and together"
)
@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    sampling=st.builds(
        Sampling,
        temperature=st.floats(0.05, 5),
        top_k=st.integers(0, V),
        top_p=st.one_of(st.just(1.0), st.floats(0.01, 0.999)),
        min_p=st.one_of(st.just(0.0), st.floats(0.001, 1)),
        typical_p=st.one_of(st.just(1.0), st.floats(0.01, 0.99)),
        eta=st.one_of(st.just(0.0), st.floats(1e-5, 0.5)),
    ),
)
def test_truncation_equals_transformers_warpers(seed: int, sampling: Sampling) -> None:
    logits_BV = logits_of(seed)
    torch.testing.assert_close(ours(logits_BV, sampling), theirs(logits_BV, sampling), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("top_p", [0.2, 0.9, 0.9999])
@pytest.mark.parametrize("top_k", [0, 400, 1500])
def test_more_likely_tokens_than_are_looked_at_first(top_k: int, top_p: float) -> None:
    logits_BV = logits_of(1, vocabulary=2000, scale=0.5)  # flat: the nucleus is far wider than the first look
    sampling = Sampling(temperature=1.0, top_k=top_k, top_p=top_p)
    torch.testing.assert_close(ours(logits_BV, sampling), theirs(logits_BV, sampling), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (Sampling(temperature=1.0, top_p=0.4), [1, 0, 0, 0]),
        (Sampling(temperature=1.0, top_p=0.6), [0.625, 0.375, 0, 0]),
        (Sampling(temperature=1.0, top_p=0.9), [0.5263158, 0.3157895, 0.1578947, 0]),
        (Sampling(temperature=1.0, min_p=0.5), [0.625, 0.375, 0, 0]),
        # entropy 1.1421: surprises 0.693 1.204 1.897 2.996 lie 0.449 0.062 0.755 1.853 away
        (Sampling(temperature=1.0, typical_p=0.2), [0, 1, 0, 0]),
        (Sampling(temperature=1.0, typical_p=0.7), [0.625, 0.375, 0, 0]),
        # √0.4 · exp(−1.1421) = 0.2019
        (Sampling(temperature=1.0, eta=0.4), [0.625, 0.375, 0, 0]),
    ],
)
def test_by_hand(sampling: Sampling, kept: list[float]) -> None:
    logits_1V = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    torch.testing.assert_close(ours(logits_1V, sampling), torch.tensor([kept], dtype=torch.float64))


def test_what_surprises_more_than_so_many_bits_is_cut_off() -> None:
    logits_BV = torch.tensor([[0.5, 0.25, 0.125, 0.125]], dtype=torch.float64).log().expand(4, -1)
    kept_BV = unsurprising(logits_BV, torch.tensor([2.5, 1.5, 0.1, torch.inf], dtype=torch.float64)) > -torch.inf
    assert kept_BV.tolist() == [
        [True, True, False, False],
        [True, False, False, False],
        [True] + [False] * 3,
        [True] * 4,
    ]


VARIOUS = [
    Sampling(temperature=0.5, top_p=0.5),
    Sampling(temperature=1.0, top_k=3),
    Sampling(temperature=2.0, top_k=10, top_p=0.7),
    Sampling(temperature=1.3),
    Sampling(temperature=0.9, min_p=0.1),
    Sampling(temperature=1.0, typical_p=0.6),
    Sampling(temperature=1.0, eta=0.05),
    Sampling(temperature=0.7, top_p=0.95, min_p=0.01, typical_p=0.9, eta=0.001),
]


def test_rows_are_truncated_each_by_its_own_settings() -> None:
    logits_BV = logits_of(3, len(VARIOUS))
    together_BV = ours(logits_BV, *VARIOUS)
    for row, sampling in enumerate(VARIOUS):
        torch.testing.assert_close(together_BV[row : row + 1], theirs(logits_BV[row : row + 1], sampling))


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Callable[[], None]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_a_row_is_the_same_to_the_last_bit_beside_any_others() -> None:
    logits_BV = logits_of(4, 2 * len(VARIOUS) + 1, 40_001)  # long enough that torch would part one row among threads
    samplings = [*VARIOUS, *VARIOUS, VARIOUS[3]]
    together_BV = Warper(samplings, CPU)
    together_BV = together_BV.truncated(together_BV.tempered(logits_BV))
    number_1 = torch.tensor([0.73], dtype=torch.float64)
    drawn_B = draw(together_BV, number_1.expand(len(samplings)))
    for row, sampling in enumerate(samplings):
        alone = Warper([sampling], CPU)
        alone_1V = alone.truncated(alone.tempered(logits_BV[row : row + 1]))
        assert torch.equal(together_BV[row], alone_1V[0]), sampling
        assert torch.equal(together_BV.softmax(-1).cumsum(-1)[row], alone_1V.softmax(-1).cumsum(-1)[0])
        assert drawn_B[row] == draw(alone_1V, number_1)[0]
        log_BV = logits_BV.log_softmax(-1)
        assert torch.equal(log_BV[row], logits_BV[row : row + 1].log_softmax(-1)[0])


def test_exactly_k_tokens_are_kept_when_probabilities_tie() -> None:
    flat_1V = torch.zeros((1, 8))
    third = pytest.approx([1 / 3] * 3 + [0] * 5)
    assert ours(flat_1V, Sampling(temperature=1.0, top_k=3))[0].tolist() == third
    assert ours(flat_1V, Sampling(temperature=1.0, top_p=0.3))[0].tolist() == third


@pytest.mark.parametrize("temperature", [1e-3, 1e-10, 1e-40, 1e-300, 5e-324])
def test_small_temperatures_end_in_greedy_and_never_in_nan(temperature: float) -> None:
    logits_BV = logits_of(0, 5, scale=100)
    probability_BV = ours(logits_BV, Sampling(temperature=temperature))
    assert torch.equal(probability_BV.argmax(-1), logits_BV.argmax(-1))
    torch.testing.assert_close(probability_BV.max(-1).values, torch.ones(5, dtype=torch.float64))


@pytest.mark.parametrize("uniform", [0.0, 0.25, 0.999, 1 - 2**-53])
def test_a_token_without_probability_is_never_drawn(uniform: float) -> None:
    logits_1V = torch.tensor([[0.0, 0.3, 0.0, 0.7, 0.0, 0.0]], dtype=torch.float64).log()
    assert draw(logits_1V, torch.tensor([uniform], dtype=torch.float64)).item() in (1, 3)


def test_the_largest_tempered_logit_is_nought() -> None:
    assert tempered(torch.tensor([[1e308, 0.0]], dtype=torch.float64), torch.tensor([1e-3])).amax() == 0
