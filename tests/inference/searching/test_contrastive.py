"""Contrastive search against the paper's rule, computed from whole texts without a cache."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.inference.tiny import VOCAB, prompts_of, reference
from transformers import PreTrainedModel

from langwright.errors import UserError
from langwright.inference.engine import TorchEngine
from langwright.inference.protocol import Contrastive, Request, Sampling

EngineOf = Callable[..., TorchEngine]


@torch.no_grad()
def by_hand(model: PreTrainedModel, prompt: list[int], k: int, alpha: float, steps: int) -> list[int]:
    text = list(prompt)
    for _ in range(steps):
        probability_V = model(input_ids=torch.tensor([text])).logits[0, -1].softmax(-1)
        rated = []
        for id in probability_V.topk(k).indices.tolist():
            hidden_TW = model(input_ids=torch.tensor([[*text, id]]), output_hidden_states=True).hidden_states[-1][0]
            likeness = max(
                torch.cosine_similarity(hidden_TW[-1], hidden_TW[at], dim=0).item() for at in range(len(text))
            )
            rated.append(((1 - alpha) * probability_V[id].item() - alpha * likeness, id))
        text.append(max(rated)[1])
    return text[len(prompt) :]


@pytest.mark.parametrize(("k", "alpha"), [(4, 0.6), (2, 0.9), (6, 0.3)])
def test_each_token_is_the_one_of_equation_5(model: PreTrainedModel, engine_of: EngineOf, k: int, alpha: float) -> None:
    prompt = prompts_of((6,), seed=k)[0]
    (found,) = engine_of(model).search(Request(prompt, Sampling(max_new_tokens=8)), Contrastive(top_k=k, alpha=alpha))
    assert [token.id for token in found.tokens] == by_hand(model, prompt, k, alpha, 8)
    assert found.finish_reason == "length"


def test_without_weight_on_being_unlike_it_is_greedy(model: PreTrainedModel, engine_of: EngineOf) -> None:
    prompt = prompts_of((6,))[0]
    (found,) = engine_of(model).search(Request(prompt, Sampling(max_new_tokens=10)), Contrastive(alpha=0.0))
    assert [token.id for token in found.tokens] == reference(model, prompt, 10)


def test_a_stop_ends_it_and_log_probabilities_are_the_models_own(model: PreTrainedModel, engine_of: EngineOf) -> None:
    prompt, engine = prompts_of((6,))[0], engine_of(model)
    (whole,) = engine.search(Request(prompt, Sampling(max_new_tokens=8)), Contrastive())
    ids = [token.id for token in whole.tokens]
    scored = engine.score([prompt + ids])[0][-len(ids) :]
    assert [token.logprob for token in whole.tokens] == pytest.approx(scored, abs=1e-4)
    stop = frozenset({ids[4]})
    (found,) = engine.search(Request(prompt, Sampling(max_new_tokens=8), stop), Contrastive())
    assert [token.id for token in found.tokens] == ids[: ids.index(ids[4])]
    assert found.finish_reason == "stop"


def test_of_which_every_token_is_ruled_out(llama: PreTrainedModel, engine_of: EngineOf) -> None:
    sampling = Sampling(bad_words=tuple((id,) for id in range(VOCAB)))
    with pytest.raises(UserError, match="every token is ruled out"):
        engine_of(llama).search(Request([1], sampling), Contrastive())
