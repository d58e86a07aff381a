"""The frequencies of what is drawn, what a row's choice may not depend on, and settings that contradict each other."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from tests.inference.choosing.test_truncation import theirs

from langwright.errors import UserError
from langwright.inference.choosing.history import History
from langwright.inference.choosing.numbers import uniform
from langwright.inference.choosing.sampling import Chooser
from langwright.inference.protocol import Request, Sampling, Token
from langwright.settings import read_settings

V = 50
CPU = torch.device("cpu")


def chooser(samplings: Sequence[Sampling], top: Sequence[int] = (), seeds: Sequence[int] = ()) -> Chooser:
    top, seeds = top or [0] * len(samplings), seeds or range(len(samplings))
    return Chooser(
        [
            History(Request([1], sampling, top_logprobs=wanted), seed)
            for sampling, wanted, seed in zip(samplings, top, seeds, strict=True)
        ],
        CPU,
    )


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=1.0),
        Sampling(temperature=0.7, top_k=5),
        Sampling(temperature=1.5, top_p=0.8),
        Sampling(temperature=1.2, top_k=7, top_p=0.9),
        Sampling(temperature=1.4, min_p=0.1),
        Sampling(temperature=1.0, typical_p=0.7),
        Sampling(temperature=2.0, eta=0.2),
    ],
)
@pytest.mark.spec("G2", "what is drawn has the frequencies of the exact distribution (chi-square), whatever the rule")
def test_frequencies_of_what_is_drawn(sampling: Sampling) -> None:
    logits_1V = torch.randn((1, 12), generator=torch.Generator().manual_seed(5)) * 1.5
    expected_V = theirs(logits_1V, sampling)[0]
    draws, rows = 20_000, 500
    choose = chooser([sampling] * rows)
    found_V = torch.zeros(12)
    for _ in range(draws // rows):
        ids_B = choose(logits_1V.expand(rows, -1)).ids_B
        found_V += torch.bincount(ids_B, minlength=12)
        for history, id in zip(choose.histories, ids_B.tolist(), strict=True):
            history.take(id)
    possible = expected_V > 0
    assert 1 < possible.sum() < 13
    assert found_V[~possible].sum() == 0
    p_value = stats.chisquare(found_V[possible], draws * expected_V[possible]).pvalue
    assert p_value > 1e-3


def test_a_choice_is_that_of_the_seeds_number_at_its_place() -> None:
    logits_1V = torch.randn((1, V), generator=torch.Generator().manual_seed(5))
    choose = chooser([Sampling(temperature=1.0)], seeds=[31])
    cumulative_V = logits_1V[0].double().softmax(-1).cumsum(-1).numpy()
    for place in range(70):
        token = choose(logits_1V).tokens[0]
        assert isinstance(token, Token)
        assert token.id == np.searchsorted(cumulative_V, uniform(31, place), side="right")
        choose.histories[0].take(token.id)


def test_log_probabilities_are_the_models_own_whatever_the_temperature() -> None:
    logits_BV = torch.randn((3, V), generator=torch.Generator().manual_seed(9))
    samplings = [Sampling(), Sampling(temperature=0.3, top_k=4), Sampling(temperature=2.0, logit_bias={7: 3.0})]
    chosen = chooser(samplings, [0, 3, 1])(logits_BV)
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
        choose = chooser([*others, mine], seeds=[*range(len(others)), 77])
        logits = torch.cat([logits_BV[: len(others)], logits_BV[3:]])
        found = []
        for _ in range(50):
            found.append(int(choose(logits).ids_B[-1]))
            choose.histories[-1].take(found[-1])
        return found

    alone = drawn([])
    assert drawn([Sampling()] * 3) == alone
    assert drawn([Sampling(temperature=0.5, top_k=3), Sampling(no_repeat_ngram=1), Sampling(temperature=2.0)]) == alone
    assert len(set(alone)) > 5


def test_no_global_generator_is_touched() -> None:
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    chooser([Sampling(temperature=1.0)])(torch.zeros((1, V)))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.random.get_state()[1].tolist() == before[2]


def test_a_row_that_is_not_finite_is_told_apart() -> None:
    logits_BV = torch.zeros((4, V))
    logits_BV[0, 4], logits_BV[2, 1] = float("nan"), float("inf")
    logits_BV[1, 3:] = -float("inf")  # excluded by the model itself: fine
    logits_BV[3, 1] = float("nan")
    samplings = [Sampling(), Sampling(), Sampling(), Sampling(temperature=1.0, top_p=0.5)]
    tokens = chooser(samplings)(logits_BV).tokens
    assert [getattr(token, "code", "") for token in tokens] == [
        code := "the-model-s-output-is-not-a-finite", "", code, code
    ]  # fmt: skip
    assert isinstance(tokens[1], Token)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_row_of_which_every_token_is_ruled_out_fails_alone(temperature: float) -> None:
    all_bad = Sampling(temperature=temperature, bad_words=tuple((id,) for id in range(V)))
    tokens = chooser([all_bad, Sampling(temperature=temperature)])(torch.randn((2, V))).tokens
    assert isinstance(tokens[0], UserError)
    assert tokens[0].code == "after-tokens-every-token-is-ruled-out"
    assert isinstance(tokens[1], Token)


# --- mirostat --------------------------------------------------------------------------------------


def test_mirostat_step_by_step() -> None:
    logits_V = torch.randn(V, generator=torch.Generator().manual_seed(4)).double() * 2
    sampling = Sampling(temperature=1.0, mirostat=2.0, mirostat_rate=0.3)
    choose = chooser([Sampling(), sampling], seeds=[0, 9])
    probability_V = logits_V.softmax(-1).numpy()
    limit = 4.0
    for place in range(60):
        kept_V = np.where(-np.log2(probability_V) <= limit, probability_V, 0)
        if not kept_V.any():
            kept_V[probability_V.argmax()] = 1
        expected = int(np.searchsorted(kept_V.cumsum() / kept_V.sum(), uniform(9, place), side="right"))
        token = choose(logits_V.float().expand(2, -1)).tokens[1]
        assert isinstance(token, Token)
        assert token.id == expected
        limit -= 0.3 * (-math.log2(probability_V[expected]) - 2.0)
        assert choose.histories[1].surprise == pytest.approx(limit, abs=1e-4)
        choose.histories[1].take(token.id)
    assert choose.histories[0].surprise == 0


@pytest.mark.parametrize("target", [3.5, 4.5])
def test_mirostat_keeps_the_mean_surprise_near_its_target(target: float) -> None:
    generator = torch.Generator().manual_seed(1)
    choose = chooser([Sampling(temperature=1.0, mirostat=target)], seeds=[3])
    bits = []
    for _ in range(600):
        token = choose(torch.randn((1, 1000), generator=generator) * 2.5).tokens[0]  # entropy of about 5.6 bits
        assert isinstance(token, Token)
        bits.append(-token.logprob / math.log(2))
        choose.histories[0].take(token.id)
    assert np.mean(bits[100:]) == pytest.approx(target, abs=0.1)


# --- what contradicts itself -------------------------------------------------------------------------


@pytest.mark.spec("G2", "settings that contradict each other are refused, with what to do")
@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"top_k": 5}, "says-among-which-tokens-to-draw-and-temperature"),
        ({"eta": 0.1}, "says-among-which-tokens-to-draw-and-temperature"),
        ({"mirostat": 3.0}, "says-among-which-tokens-to-draw-and-temperature"),
        ({"temperature": 1.0, "mirostat": 3.0, "top_p": 0.9}, "mirostat-sets-its-own-limit-at-every-token"),
        ({"min_new_tokens": 9, "max_new_tokens": 8}, "min-new-tokens-is-more-than-max-new"),
        ({"repetition_penalty": 0}, "setting-is-not-allowed"),
        ({"min_p": 1.5}, "setting-is-not-allowed"),
        ({"typical_p": 0}, "setting-is-not-allowed"),
        ({"seed": 2**64}, "setting-is-not-allowed"),
        ({"bad_words": [5]}, "setting-is-not-allowed"),
    ],
)
def test_contradictions_are_refused(given: dict[str, Any], code: str) -> None:
    with pytest.raises(UserError) as refused:
        read_settings(Sampling, given=given)
    assert refused.value.code == code


def test_sampling_from_json_and_back() -> None:
    sampling = read_settings(
        Sampling, given={"temperature": 1, "logit_bias": {"5": -1.5}, "bad_words": [[1, 2], [3]], "seed": 2**63}
    )
    assert sampling.logit_bias == {5: -1.5}
    assert sampling.bad_words == ((1, 2), (3,))
    assert Sampling.model_validate_json(sampling.model_dump_json()) == sampling
