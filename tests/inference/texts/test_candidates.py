"""Several texts of one prompt: no two alike, drawn without replacement, rated, or found by search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any

import pytest
import torch
from scipy import stats
from tests.inference.tiny import LLAMA, random_model
from transformers import PreTrainedModel

from langwright.errors import UserError
from langwright.inference.choosing.numbers import uniform
from langwright.inference.engine import TorchEngine
from langwright.inference.fake import letters, parrot
from langwright.inference.protocol import Beams, Contrastive, Sampling, Token
from langwright.inference.texts.candidates import drawn, searched
from langwright.inference.texts.text import TextModel
from langwright.inference.texts.written import TextCompletion


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    config = LLAMA.__class__(**{**LLAMA.to_dict(), "vocab_size": len(letters()), "max_position_embeddings": 64})
    return random_model(config, scale=4.0)


@pytest.fixture
def text(model: PreTrainedModel, engine_of: Callable[..., TorchEngine]) -> TextModel:
    return TextModel(engine_of(model), letters(), "tiny")


@pytest.mark.spec("G5", "candidates drawn with a temperature: as many as asked for, no two the same, the same by seed")
def test_candidates_are_different_and_repeatable(text: TextModel) -> None:
    sampling = Sampling(temperature=0.8, max_new_tokens=2, seed=5)  # short, so that texts come twice
    found = drawn(text, "ab", sampling, 12, 12)
    assert len(found) == len({made.text for made in found}) == 12
    assert [made.seed for made in found] == sorted(made.seed for made in found)
    assert found[-1].seed > 5 + 11  # some were drawn twice and left out
    assert [made.token_ids for made in drawn(text, "ab", sampling, 12, 12)] == [made.token_ids for made in found]
    assert text.complete("ab", sampling.model_copy(update={"seed": found[3].seed})).text == found[3].text


SHARES = {"a": 0.6, "b": 0.3, "c": 0.1}


class Urn:
    """Draws one of three texts with known probabilities, and counts."""

    def __init__(self) -> None:
        self.asked = 0

    def complete_each(self, prompt: Any, samplings: Sequence[Sampling], **options: Any) -> list[TextCompletion]:
        self.asked += len(samplings)
        made = []
        for sampling in samplings:
            number = uniform(sampling.seed or 0, 0)
            text = "a" if number < 0.6 else "b" if number < 0.9 else "c"
            made.append(TextCompletion(text, (), "stop", sampling.seed or 0, 0, (Token(0, -SHARES[text]),)))
        return made


def test_they_are_a_sample_without_replacement() -> None:
    found = Counter(
        tuple(made.text for made in drawn(Urn(), "", Sampling(temperature=1.0, seed=1000 * seed), 2, 2))
        for seed in range(4000)
    )
    tries = 8  # in which the second may come after the first did again
    expected = {
        (one, two): SHARES[one] * SHARES[two] * (1 - SHARES[one] ** (tries - 1)) / (1 - SHARES[one])
        for one, two in permutations("abc", 2)
    } | {(one,): share**tries for one, share in SHARES.items()}
    rare = [pair for pair, share in expected.items() if 4000 * share < 5]
    common = [pair for pair in expected if pair not in rare]
    counts = [found[pair] for pair in common] + [sum(found[pair] for pair in rare)]
    shares = [expected[pair] for pair in common] + [sum(expected[pair] for pair in rare)]
    assert sum(counts) == 4000
    assert stats.chisquare(counts, [4000 * share for share in shares]).pvalue > 1e-3


def test_fewer_where_there_are_no_more() -> None:
    urn = Urn()
    assert {made.text for made in drawn(urn, "", Sampling(temperature=1.0, seed=1), 5, 5)} == {"a", "b", "c"}
    assert urn.asked <= 20


@pytest.mark.spec("G5", "the best of several by the model's own score")
def test_the_likeliest_by_the_token_of_several(text: TextModel) -> None:
    sampling = Sampling(temperature=1.0, max_new_tokens=6, seed=3)
    all_of_them = drawn(text, "ab", sampling, 8, 8)
    best = drawn(text, "ab", sampling, 3, 8)
    by_score = sorted(all_of_them, key=lambda made: made.mean_logprob, reverse=True)
    assert [made.token_ids for made in best] == [made.token_ids for made in by_score[:3]]
    scored = text.engine.score([text.tokenize("ab") + list(best[0].token_ids)])[0][-len(best[0].token_ids) :]
    assert best[0].mean_logprob == pytest.approx(sum(scored) / len(scored), abs=1e-4)


@pytest.mark.spec("G5", "greedy with more than one candidate says why there is one only, and what to give")
def test_greedy_explains_itself() -> None:
    with pytest.raises(UserError, match="always writes the same text") as refused:
        drawn(parrot(), "ab", Sampling(), 3, 3)
    assert "3 beams" in refused.value.fix()
    (one,) = drawn(parrot(), "ab", Sampling(), 1, 1)
    assert one.text == "ab"


@pytest.mark.parametrize(("n", "best_of"), [(0, 1), (-1, -1), (3, 2)])
def test_numbers_that_mean_nothing_are_refused(n: int, best_of: int) -> None:
    with pytest.raises(UserError):
        drawn(parrot(), "ab", Sampling(temperature=1.0), n, best_of)


@pytest.mark.spec("G3", "beams as text: the best first, cut before a stop, no two the same")
def test_beams_as_text(text: TextModel, model: PreTrainedModel) -> None:
    sampling = Sampling(max_new_tokens=7)
    found = searched(text, "ab", sampling, 3, Beams(width=5))
    request = text.request_of(text.tokenize("ab"), sampling)
    raw = text.engine.search(request, Beams(width=5))  # type: ignore[attr-defined]
    assert [made.tokens for made in found] == [one.tokens for one in raw[:3]]
    assert [made.text for made in found] == [text.alphabet.text_of(made.token_ids) for made in found]
    stop = found[0].text[2]
    (cut,) = searched(text, "ab", sampling, 1, Beams(width=5), stop=[stop])
    assert cut.text == found[0].text[: found[0].text.index(stop)]
    assert cut.finish_reason == "stop"
    assert cut.token_ids == found[0].token_ids[: len(cut.token_ids)]


def test_what_a_search_cannot_give_is_refused(text: TextModel) -> None:
    with pytest.raises(UserError, match="more than this search finds"):
        searched(text, "ab", Sampling(), 5, Beams(width=4))
    with pytest.raises(UserError, match="more than this search finds"):
        searched(text, "ab", Sampling(), 2, Contrastive())
    with pytest.raises(UserError, match="cannot search"):
        searched(parrot(), "ab", Sampling(), 1, Beams())


def test_texts_stay_utf8(text: TextModel) -> None:
    torch.manual_seed(0)
    for made in searched(text, "你好", Sampling(max_new_tokens=12), 4, Beams(width=4)):
        assert "�" not in made.text
