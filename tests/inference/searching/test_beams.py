"""Beam search against transformers' own, token for token; groups and constraints by what they promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.inference.tiny import GPT2, LLAMA, VOCAB, prompts_of, random_model
from transformers import MambaConfig, MistralConfig, PreTrainedModel, Qwen2Config

from langwright.errors import UserError
from langwright.inference.engine import TorchEngine
from langwright.inference.protocol import Beams, Candidate, Request, Sampling
from langwright.settings import read_settings

EngineOf = Callable[..., TorchEngine]
SMALL: dict[str, Any] = {
    "vocab_size": VOCAB, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 96, "bos_token_id": None, "eos_token_id": None, "pad_token_id": 0,
}  # fmt: skip
CONFIGS = {
    "llama": LLAMA,
    "gpt2": GPT2,
    "mistral with a window": MistralConfig(**{**SMALL, "sliding_window": 6}),
    "qwen2": Qwen2Config(**SMALL),
}
STOPS = frozenset(range(3, VOCAB, 5))  # many, so that some beams end early


@pytest.fixture(scope="module")
def models() -> dict[str, PreTrainedModel]:
    return {name: random_model(config, scale=5.0) for name, config in CONFIGS.items()}


def theirs(model: PreTrainedModel, prompt: list[int], search: Beams, stops: frozenset[int], **more: Any) -> Any:
    ids = torch.tensor([prompt])
    return model.generate(
        ids, attention_mask=torch.ones_like(ids), num_beams=search.width, num_return_sequences=search.width,
        length_penalty=search.length_penalty, early_stopping=search.early_stopping, eos_token_id=sorted(stops),
        pad_token_id=0, do_sample=False, return_dict_in_generate=True, output_scores=True, **more,
    )  # fmt: skip


def ids_of(found: list[Candidate]) -> list[list[int]]:
    return [[token.id for token in one.tokens] for one in found]


def assert_the_same(found: list[Candidate], expected: Any, prompt: list[int], stops: frozenset[int]) -> None:
    assert len(found) == len(expected.sequences)
    for one, row, score in zip(found, expected.sequences.tolist(), expected.sequences_scores.tolist(), strict=True):
        continuation = row[len(prompt) :]
        end = next((at for at, id in enumerate(continuation) if id in stops), len(continuation))
        assert [token.id for token in one.tokens] == continuation[:end]
        assert one.finish_reason == ("stop" if end < len(continuation) else "length")
        assert one.score == pytest.approx(score, rel=1e-4)


@pytest.mark.spec("G3", "beam search gives transformers' own continuations and scores, token for token, every beam")
@pytest.mark.parametrize("length_penalty", [-1.5, 0.0, 1.0, 2.0])
@pytest.mark.parametrize("early_stopping", [True, False, "never"])
@pytest.mark.parametrize("name", list(CONFIGS))
def test_beam_search_equals_transformers(
    models: dict[str, PreTrainedModel], engine_of: EngineOf, name: str, early_stopping: Any, length_penalty: float
) -> None:
    model, prompt = models[name], prompts_of((7,), seed=len(name))[0]
    engine = engine_of(model)
    ended = 0
    for width in (2, 5):
        search = Beams(width=width, length_penalty=length_penalty, early_stopping=early_stopping)
        found = engine.search(Request(prompt, Sampling(max_new_tokens=9), STOPS), search)
        assert_the_same(found, theirs(model, prompt, search, STOPS, max_new_tokens=9), prompt, STOPS)
        ended += sum(one.finish_reason == "stop" for one in found)
    assert ended or length_penalty > 0, "no beam ended by itself: the test shows little"


@pytest.mark.parametrize("settings", [
    {"no_repeat_ngram": 2}, {"repetition_penalty": 1.7}, {"bad_words": ((5,), (7, 9)), "logit_bias": {11: 3.0}},
    {"min_new_tokens": 5},
])  # fmt: skip
@pytest.mark.spec("G3", "penalties, bans and a minimum length act in beam search as in transformers'")
def test_penalties_act_as_in_transformers(
    models: dict[str, PreTrainedModel], engine_of: EngineOf, settings: dict[str, Any]
) -> None:
    names = {"no_repeat_ngram": "no_repeat_ngram_size"}
    more: dict[str, Any] = {names.get(key, key): value for key, value in settings.items()}
    if "bad_words" in more:
        more = {"bad_words_ids": [[5], [7, 9]], "sequence_bias": [[[11], 3.0]]}
    search, prompt = Beams(width=3), prompts_of((6,), seed=4)[0]
    found = engine_of(models["llama"]).search(Request(prompt, Sampling(max_new_tokens=10, **settings), STOPS), search)
    expected = theirs(models["llama"], prompt, search, STOPS, max_new_tokens=10, **more)
    assert_the_same(found, expected, prompt, STOPS)


def test_a_model_that_keeps_a_running_state(engine_of: EngineOf) -> None:
    config = MambaConfig(vocab_size=VOCAB, hidden_size=16, state_size=4, num_hidden_layers=2, pad_token_id=0)
    model, prompt, search = random_model(config, scale=4.0), prompts_of((6,))[0], Beams(width=3)
    try:
        found = engine_of(model, context=64).search(Request(prompt, Sampling(max_new_tokens=7), STOPS), search)
    except UserError as error:
        pytest.skip(error.problem())
    assert_the_same(found, theirs(model, prompt, search, STOPS, max_new_tokens=7), prompt, STOPS)


def test_the_score_is_the_sum_of_log_probabilities_over_the_length(
    models: dict[str, PreTrainedModel], engine_of: EngineOf
) -> None:
    model, prompt = models["gpt2"], prompts_of((5,))[0]
    engine = engine_of(model)
    for one in engine.search(Request(prompt, Sampling(max_new_tokens=6)), Beams(width=3, length_penalty=0.5)):
        ids = [token.id for token in one.tokens]
        scored = engine.score([prompt + ids])[0][-len(ids) :]
        assert [token.logprob for token in one.tokens] == pytest.approx(scored, abs=1e-4)
        assert one.score == pytest.approx(sum(scored) / len(ids) ** 0.5, abs=1e-4)


# --- groups ------------------------------------------------------------------------------------------


def by_hand(model: PreTrainedModel, prompt: list[int], groups: int, diversity: float, steps: int) -> list[list[int]]:
    """Groups of one beam each, without a cache: each takes its best token, less what earlier groups took."""
    texts: list[list[int]] = [[] for _ in range(groups)]
    for _ in range(steps):
        taken = torch.zeros(VOCAB)
        for text in texts:
            with torch.no_grad():
                logits_V = model(input_ids=torch.tensor([prompt + text])).logits[0, -1]
            id = int((logits_V.log_softmax(-1) - diversity * taken).argmax())
            taken[id] += 1
            text.append(id)
    return texts


@pytest.mark.spec("G3", "diverse beam search: later groups pay for the tokens of earlier ones, as algorithm 1 has it")
@pytest.mark.parametrize("diversity", [0.7, 5.0])
def test_groups_of_one_beam_by_hand(models: dict[str, PreTrainedModel], engine_of: EngineOf, diversity: float) -> None:
    prompt = prompts_of((6,), seed=2)[0]
    search = Beams(width=4, groups=4, diversity=diversity)
    found = engine_of(models["llama"]).search(Request(prompt, Sampling(max_new_tokens=6)), search)
    assert sorted(ids_of(found)) == sorted(by_hand(models["llama"], prompt, 4, diversity, 6))


def test_the_first_group_is_beam_search_and_the_others_differ_from_it(
    models: dict[str, PreTrainedModel], engine_of: EngineOf
) -> None:
    prompt, request = prompts_of((6,), seed=3)[0], Sampling(max_new_tokens=8)
    engine = engine_of(models["gpt2"])
    plain = ids_of(engine.search(Request(prompt, request, STOPS), Beams(width=2)))
    found = ids_of(engine.search(Request(prompt, request, STOPS), Beams(width=6, groups=3, diversity=100.0)))
    assert all(one in found for one in plain)
    firsts = {tuple(one[:1]) for one in found}
    assert len(firsts) >= 3  # groups do not begin alike when that costs so much


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"width": 5, "groups": 2, "diversity": 1.0}, "beams-cannot-be-parted-into-groups-of-one"),
        ({"width": 4, "groups": 2}, "groups-of-beams-with-diversity-0-all-find"),
        ({"diversity": 0.5}, "diversity-keeps-groups-of-beams-apart-and-there"),
        ({"width": 1}, "setting-is-not-allowed"),
    ],
)
def test_what_contradicts_itself_is_refused(given: dict[str, Any], code: str) -> None:
    with pytest.raises(UserError) as refused:
        read_settings(Beams, given=given)
    assert refused.value.code == code


# --- beside streams ----------------------------------------------------------------------------------


def test_a_search_and_streams_do_not_disturb_each_other(
    models: dict[str, PreTrainedModel], engine_of: EngineOf
) -> None:
    engine = engine_of(models["llama"])
    prompts = prompts_of((9, 5, 4), seed=7)
    sampling = Sampling(max_new_tokens=40)
    alone = engine.generate([Request(prompts[1], sampling)])[0].ids
    searched = ids_of(engine.search(Request(prompts[0], Sampling(max_new_tokens=20), STOPS), Beams(width=4)))
    stream = engine.submit(Request(prompts[1], sampling))
    assert ids_of(engine.search(Request(prompts[0], Sampling(max_new_tokens=20), STOPS), Beams(width=4))) == searched
    assert [token.id for token in stream] == alone


def test_a_deadline_ends_a_search_with_what_it_has(models: dict[str, PreTrainedModel], engine_of: EngineOf) -> None:
    request = Request(prompts_of((5,))[0], Sampling(max_new_tokens=50), deadline_s=0.0)
    found = engine_of(models["llama"]).search(request, Beams(width=3))
    assert [one.finish_reason for one in found] == ["deadline"] * 3
    assert [len(one.tokens) for one in found] == [1, 1, 1]


def test_what_draws_is_refused(models: dict[str, PreTrainedModel], engine_of: EngineOf) -> None:
    with pytest.raises(UserError, match="draws tokens"):
        engine_of(models["llama"]).search(Request([1], Sampling(temperature=0.5)), Beams())


def test_a_search_of_which_every_token_is_ruled_out(models: dict[str, PreTrainedModel], engine_of: EngineOf) -> None:
    sampling = Sampling(bad_words=tuple((id,) for id in range(VOCAB)))
    with pytest.raises(UserError, match="every token is ruled out"):
        engine_of(models["llama"]).search(Request([1], sampling), Beams())


def test_a_watermark_is_refused(models: dict[str, PreTrainedModel], engine_of: EngineOf) -> None:
    class Mark:
        def marked(self, logits_V: torch.Tensor, ids: Any, begin: int) -> torch.Tensor:
            return logits_V

    with pytest.raises(UserError, match="a watermark would have others"):
        engine_of(models["llama"]).search(Request([1], Sampling(), watermark=Mark()), Beams())  # type: ignore[arg-type]
