"""Contrast of prompts against transformers' own, of models by hand."""

from __future__ import annotations

import pytest
import torch
from tests.inference.control.writers import writer
from tests.inference.tiny import LLAMA, VOCAB, random_model

from langwright.errors import UserError
from langwright.inference.control.contrast import AgainstPrompt, Experts
from langwright.inference.control.reading import Reader
from langwright.inference.control.settings import Contrast, Control
from langwright.inference.engine import TorchEngine
from langwright.inference.protocol import Request, Sampling

PROMPT, OTHER = [5, 17, 3, 60], [9, 2, 44]


@pytest.mark.parametrize("strength", [1.5, 3.0])
@pytest.mark.parametrize("other", [(), tuple(OTHER)])
def test_away_from_a_prompt_as_transformers_has_it(strength: float, other: tuple[int, ...]) -> None:
    model = random_model(LLAMA, seed=4, scale=6.0)
    ids = torch.tensor([PROMPT])
    negative = {"negative_prompt_ids": torch.tensor([other])} if other else {}
    theirs = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=20, do_sample=False, pad_token_id=0,
        guidance_scale=strength, **negative,
    )[0, len(PROMPT) :].tolist()  # fmt: skip
    engine = TorchEngine(model)
    try:
        guide = AgainstPrompt(other, strength)
        requests = [
            Request(PROMPT, Sampling(max_new_tokens=20), guide=guide),
            Request(OTHER, Sampling(max_new_tokens=5)),
        ]
        ours = engine.generate(requests)[0].ids
        plain = engine.generate([Request(PROMPT, Sampling(max_new_tokens=20))])[0].ids
    finally:
        engine.close()
    assert ours == theirs and ours != plain


def test_a_strength_of_one_changes_nothing() -> None:
    model = random_model(LLAMA, seed=4, scale=6.0)
    engine = TorchEngine(model)
    try:
        plain, guided = engine.generate(
            [Request(PROMPT, Sampling(max_new_tokens=20), guide=guide) for guide in (None, AgainstPrompt((7,), 1.0))]
        )
    finally:
        engine.close()
    assert guided.ids == plain.ids


def test_experts_by_the_formula() -> None:
    base, expert, against = (random_model(LLAMA, seed=seed, scale=5.0) for seed in (1, 2, 3))
    text, made = list(PROMPT), []
    with torch.no_grad():
        for _ in range(12):
            row = torch.tensor([text])
            z, plus, minus = (model(row).logits[0, -1] for model in (base, expert, against))
            made.append(int((z + 1.5 * (plus - minus)).argmax()))
            text.append(made[-1])
    engine = TorchEngine(base)
    try:
        (one,) = engine.generate([Request(PROMPT, Sampling(max_new_tokens=12), guide=Experts(expert, against, 1.5))])
    finally:
        engine.close()
    assert one.ids == made


def test_experts_of_another_vocabulary_fail_that_request_alone() -> None:
    small = random_model(LLAMA.__class__(**{**LLAMA.to_dict(), "vocab_size": VOCAB - 1}))
    engine = TorchEngine(random_model(LLAMA))
    try:
        wrong = engine.submit(Request(PROMPT, Sampling(max_new_tokens=5), guide=Experts(small, small)))
        right = engine.submit(Request(PROMPT, Sampling(max_new_tokens=5)))
        assert len(list(right)) == 5
        with pytest.raises(UserError, match="vocabulary of 96"):
            list(wrong)
    finally:
        engine.close()


def test_a_reader_reads_anew_what_does_not_go_on() -> None:
    model = random_model(LLAMA)
    reader = Reader(model)
    for ids in ([3, 4], [3, 4, 5], [3, 4, 5], [3, 9], [3], [3, 9, 9, 9, 1]):
        with torch.no_grad():
            torch.testing.assert_close(
                reader.logits(ids), model(torch.tensor([ids])).logits[0, -1], rtol=1e-4, atol=1e-4
            )


def test_a_prompt_to_move_away_from_that_is_too_long_is_refused() -> None:
    with writer("letters", context=64) as model, pytest.raises(UserError, match="does not fit"):
        model.stream("a", Sampling(max_new_tokens=40), control=Control(contrast=Contrast(prompt="b" * 30)))
