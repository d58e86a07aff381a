"""Guesses change no token: greedy, drawn, with penalties, beside others, to the last bit where a model is strict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.inference.tiny import CONTEXT, GPT2, LLAMA, VOCAB, Gate, prompts_of, random_model
from transformers import MambaConfig, MistralConfig, PreTrainedModel

from langwright.errors import UserError
from langwright.inference.engine import TorchEngine
from langwright.inference.guessing.acceptance import Proposal, decided
from langwright.inference.guessing.speculation import Stride, Trail
from langwright.inference.precision import Preparation
from langwright.inference.protocol import DraftModel, PromptLookup, Request, Sampling

EngineOf = Callable[..., TorchEngine]
DRAFT = DraftModel(model="draft", most=4)
SAMPLINGS = [
    Sampling(max_new_tokens=60),
    Sampling(max_new_tokens=50, temperature=0.4, seed=3),
    Sampling(max_new_tokens=40, temperature=1.0, top_p=0.8, seed=5, repetition_penalty=1.2),
    Sampling(max_new_tokens=40, temperature=1.0, mirostat=3.0, seed=8),
    Sampling(max_new_tokens=30, no_repeat_ngram=3, presence_penalty=0.5),
]


def near(model: PreTrainedModel, by: float) -> PreTrainedModel:
    """A model that is much like another."""
    other = random_model(model.config)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for mine, theirs in zip(other.parameters(), model.parameters(), strict=True):
            mine.copy_(theirs + by * theirs.std() * torch.randn(theirs.shape, generator=generator))
    return other


def repeating(length: int, seed: int = 0) -> list[int]:
    """A text whose parts come again."""
    part = prompts_of((7,), seed)[0]
    return (part * 10)[:length]


def requests() -> list[Request]:
    prompts = [repeating(9), prompts_of((5,))[0], repeating(20, 3), repeating(30, 5), prompts_of((8,), 2)[0]]
    return [Request(prompt, sampling) for prompt, sampling in zip(prompts, SAMPLINGS, strict=True)]


@pytest.mark.spec(
    "C8", "with guesses by lookup every text is the same, token for token; by a smaller model every greedy one"
)
@pytest.mark.parametrize("kind", ["lookup", "draft", "bad draft"])
def test_guesses_change_no_token(model: PreTrainedModel, engine_of: EngineOf, kind: str) -> None:
    asked, options = requests(), {"speculation": PromptLookup()}
    if kind != "lookup":
        asked = [request for request in asked if request.sampling.temperature == 0]
        options = {"speculation": DRAFT, "draft": near(model, 0.02 if kind == "draft" else 1.0)}
    plain = [done.ids for done in engine_of(model, max_batch=3).generate(asked)]
    engine = engine_of(model, max_batch=3, **options)
    assert [done.ids for done in engine.generate(asked)] == plain
    assert engine.guessed.made > 0
    assert engine.guessed.kept > 0 or kind == "bad draft"


def passes(engine: TorchEngine, gate: Gate, request: Request) -> int:
    before = len(gate.shapes)
    assert len(engine.generate([request])[0].ids) == request.sampling.max_new_tokens
    return len(gate.shapes) - before


def test_good_guesses_save_passes(
    llama: PreTrainedModel, engine_of: EngineOf, gate_of: Callable[[PreTrainedModel], Gate]
) -> None:
    gate, request = gate_of(llama), Request(repeating(9), Sampling(max_new_tokens=60))
    assert passes(engine_of(llama), gate, request) == 60
    same = near(llama, 0.0)
    assert passes(engine_of(llama, speculation=DRAFT, draft=same), gate, request) <= 18
    # greedy, a small random model soon goes round in a circle
    assert passes(engine_of(llama, speculation=PromptLookup()), gate, request) < 58


def test_with_a_window_over_a_shelfs_end_and_a_preemption(engine_of: EngineOf) -> None:
    config = MistralConfig(
        vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=160, sliding_window=9, bos_token_id=None, eos_token_id=None,
        pad_token_id=0,
    )  # fmt: skip
    model = random_model(config)
    asked = [Request(repeating(50, seed), Sampling(max_new_tokens=80)) for seed in range(4)]
    plain = [done.ids for done in engine_of(model, max_batch=4).generate(asked)]
    for options in ({"speculation": PromptLookup()}, {"speculation": DRAFT, "draft": near(model, 0.01)}):
        tight = engine_of(model, max_batch=4, max_tokens=400, **options)
        assert [done.ids for done in tight.generate(asked)] == plain


@pytest.mark.parametrize("options", [{"speculation": PromptLookup(most=5, ngram=2)}, {"speculation": DRAFT}])
def test_stops_limits_and_the_end_of_the_context(model: PreTrainedModel, engine_of: EngineOf, options: Any) -> None:
    if "draft" in str(options):
        options = {**options, "draft": near(model, 0.01)}
    engine, plain = engine_of(model, **options), engine_of(model)
    prompt = repeating(9)
    free = plain.generate([Request(prompt, Sampling(max_new_tokens=40))])[0].ids
    for stop in (free[3], free[17]):
        (found,) = engine.generate([Request(prompt, Sampling(max_new_tokens=40), frozenset({stop}))])
        assert found.ids == free[: free.index(stop)]
        assert found.finish_reason == "stop"
    for limit in (1, 2, 7):
        assert engine.generate([Request(prompt, Sampling(max_new_tokens=limit))])[0].ids == free[:limit]
    (full,) = engine.generate([Request(prompt, Sampling(max_new_tokens=10_000))])
    assert len(full.ids) == CONTEXT - len(prompt)


# --- in distribution -------------------------------------------------------------------------------

SMALL = 6  # tokens there are
STOP = 5
ENDLESS = Sampling(temperature=1.0, max_new_tokens=3)


def small() -> PreTrainedModel:
    return random_model(GPT2.__class__(**{**GPT2.to_dict(), "vocab_size": SMALL, "n_positions": 32}), scale=3.0)


def shares(model: PreTrainedModel, ids: list[int], sampling: Sampling) -> np.ndarray:
    """The distribution of the next token, by hand."""
    with torch.no_grad():
        logits_V = model(input_ids=torch.tensor([ids])).logits[0, -1].double().numpy() / sampling.temperature
    if sampling.top_k:
        logits_V[np.argsort(logits_V)[: SMALL - sampling.top_k]] = -np.inf
    share_V: np.ndarray = np.exp(logits_V - logits_V.max())
    return share_V / share_V.sum()


def texts(
    model: PreTrainedModel, prompt: list[int], sampling: Sampling, stops: frozenset[int]
) -> dict[tuple[int, ...], float]:
    """Every text that may be written with its probability, by the chain rule."""
    found: dict[tuple[int, ...], float] = {}

    def go_on(ids: tuple[int, ...], share: float) -> None:
        if len(ids) == sampling.max_new_tokens:
            found[ids] = share
            return
        for id, one in enumerate(shares(model, [*prompt, *ids], sampling)):
            if id in stops:
                found[(*ids, -1)] = share * float(one)
            elif one > 0:
                go_on((*ids, id), share * float(one))

    go_on((), 1.0)
    return found


def goodness(found: dict[tuple[int, ...], int], expected: dict[tuple[int, ...], float], draws: int) -> float:
    """p of the chi-square test, texts that are rarer than five taken together."""
    common = [text for text, share in expected.items() if share * draws >= 5]
    rare = [text for text in expected if text not in common]
    parts = [[text] for text in common] + ([rare] if rare else [])
    shares = np.array([sum(expected[text] for text in part) for part in parts])
    counts = [sum(found[text] for text in part) for part in parts]
    return float(stats.chisquare(counts, draws * shares / shares.sum()).pvalue)


@pytest.mark.spec(
    "C8", "what is written with guesses has the exact distribution (chi-square), with truncation and end tokens, too"
)
@pytest.mark.parametrize("kind", ["lookup", "draft", "bad draft"])
@pytest.mark.parametrize(
    ("sampling", "stops"),
    [(ENDLESS, frozenset()), (ENDLESS.model_copy(update={"temperature": 1.5, "top_k": 4}), frozenset({STOP}))],
)
def test_the_distribution_is_exact(engine_of: EngineOf, kind: str, sampling: Sampling, stops: frozenset[int]) -> None:
    model, prompt, draws = small(), [1, 2, 3, 1, 2], 3000
    options: dict[str, Any] = {"speculation": PromptLookup(most=4, ngram=1)}
    if kind != "lookup":
        options = {"speculation": DRAFT, "draft": near(model, 0.3 if kind == "draft" else 1.5)}
    engine = engine_of(model, max_batch=16, **options)
    asked = [Request(prompt, sampling.model_copy(update={"seed": seed}), stops) for seed in range(draws)]
    expected = texts(model, prompt, sampling, stops)
    found = dict.fromkeys(expected, 0)
    for done in engine.generate(asked):
        found[(*done.ids, -1) if done.finish_reason == "stop" else tuple(done.ids)] += 1
    assert goodness(found, expected, draws) > 1e-3
    assert engine.guessed.made > 0


@pytest.mark.spec(
    "C8", "guesses of a smaller model are kept as often as any rule can: 1 less the distance of the two (closed form)"
)
@pytest.mark.parametrize("by", [0.3, 1.0])
def test_guesses_are_kept_as_often_as_can_be(engine_of: EngineOf, by: float) -> None:
    model, prompt, draws = small(), [1, 2, 3, 1, 2], 2000
    smaller = near(model, by)
    engine = engine_of(model, max_batch=16, speculation=DraftModel(model="draft", most=1), draft=smaller)
    engine.generate([Request(prompt, ENDLESS.model_copy(update={"seed": seed})) for seed in range(draws)])
    first_V = shares(model, prompt, ENDLESS)  # the second of three tokens is the only one that is guessed
    expected = sum(
        float(share) * np.minimum(*(shares(one, [*prompt, id], ENDLESS) for one in (model, smaller))).sum()
        for id, share in enumerate(first_V)
    )
    assert engine.guessed.made == draws
    assert abs(engine.guessed.share - expected) < 4 * (expected * (1 - expected) / draws) ** 0.5


def test_a_guess_is_kept_or_replaced_by_the_ratio() -> None:
    """Where the two distributions have nothing in common no guess is kept; where they are the same, all are."""
    one, other = (torch.tensor(values, dtype=torch.float64) for values in ([0.2, 0.0, 0.8, 0.0], [0.0, 0.5, 0.0, 0.5]))
    found = [decided(one, Proposal(1, other), seed=7, place=place) for place in range(4000)]
    assert set(found) == {0, 2}
    assert stats.binomtest(found.count(0), 4000, 0.2).pvalue > 1e-3
    assert all(decided(one, Proposal(2, one), seed=7, place=place) == 2 for place in range(100))


def test_a_seed_gives_the_same_text_again(model: PreTrainedModel, engine_of: EngineOf) -> None:
    engine = engine_of(model, speculation=DRAFT, draft=near(model, 0.02))
    request = Request(repeating(9), Sampling(max_new_tokens=40, temperature=1.0, seed=5))
    first, second = (engine.generate([request])[0].ids for _ in range(2))
    assert first == second


@pytest.mark.spec("C8", "strict: with guesses the same tokens and log-probabilities to the last bit")
@pytest.mark.parametrize("kind", ["lookup", "draft"])
def test_strict_gives_the_same_bits(model: PreTrainedModel, engine_of: EngineOf, kind: str) -> None:
    options: dict[str, Any] = {"speculation": PromptLookup()}
    if kind == "draft":
        options = {"speculation": DRAFT, "draft": near(model, 0.02)}
    alone = engine_of(model, max_batch=3, preparation=Preparation(strict=True))
    plain = alone.generate(requests())
    alone.close()
    found = engine_of(model, max_batch=3, preparation=Preparation(strict=True), **options).generate(requests())
    assert [done.tokens for done in found] == [done.tokens for done in plain]


# --- who guesses -----------------------------------------------------------------------------------


def by_hand(ids: Sequence[int], longest: int, most: int) -> list[int]:
    for length in range(min(longest, len(ids)), 0, -1):
        for at in range(len(ids) - 1, length - 1, -1):
            if list(ids[at - length : at]) == list(ids[len(ids) - length :]):
                return [ids[at + step % (len(ids) - at)] for step in range(most)]
    return []


@given(ids=st.lists(st.integers(0, 3), min_size=1, max_size=40), cuts=st.integers(1, 5), longest=st.integers(1, 4))
def test_a_trail_finds_what_came_last_after_the_longest_run(ids: list[int], cuts: int, longest: int) -> None:
    trail = Trail(longest)
    for end in range(1, len(ids) + 1, cuts):
        assert trail.find(ids[:end], 5) == by_hand(ids[:end], longest, 5)


def test_a_stride_grows_with_what_holds_and_shrinks_with_what_does_not() -> None:
    stride = Stride(8)
    lengths = [stride.length]
    for kept in (True, True, True, False, False, True):
        stride.judged(stride.length, stride.length if kept else 0)
        lengths.append(stride.length)
    assert lengths == [4, 6, 8, 8, 1, 1, 3]


# --- what is refused -------------------------------------------------------------------------------


def test_models_that_cannot_guess_or_be_guessed_for_are_refused(llama: PreTrainedModel, engine_of: EngineOf) -> None:
    mamba = random_model(
        MambaConfig(vocab_size=VOCAB, hidden_size=16, state_size=4, num_hidden_layers=2, pad_token_id=0)
    )
    with pytest.raises(UserError, match="cannot be read"):
        engine_of(mamba, context=64, speculation=PromptLookup())
    other = random_model(LLAMA.__class__(**{**LLAMA.to_dict(), "vocab_size": VOCAB + 3}))
    with pytest.raises(UserError, match="knows 100 tokens"):
        engine_of(llama, speculation=DRAFT, draft=other)
