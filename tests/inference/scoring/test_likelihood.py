"""Scores against transformers' loss and lm-evaluation-harness, hidden states against the model's own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from tests.inference.tiny import CONTEXT, LLAMA, Gate, prompts_of, random_model
from transformers import PreTrainedModel

from langwright.errors import UserError
from langwright.inference.engine import TorchEngine
from langwright.inference.fake import letters
from langwright.inference.scoring.likelihood import groups, positions_at_once
from langwright.inference.texts.text import TextModel

EngineOf = Callable[..., TorchEngine]
LENGTHS = (5, 1, 40, 2, 17, CONTEXT, 17, 9)


@pytest.mark.spec("T30", "scores equal transformers' loss to 1e-6 and do not depend on the batch")
def test_scores_equal_transformers_loss(model: PreTrainedModel, engine_of: EngineOf) -> None:
    rows = prompts_of(LENGTHS)
    scores = engine_of(model).score(rows)
    assert [len(score) for score in scores] == [length - 1 for length in LENGTHS]
    for row, score in zip(rows, scores, strict=True):
        if len(row) > 1:
            with torch.no_grad():
                loss = model(torch.tensor([row]), labels=torch.tensor([row])).loss.item()
            assert -sum(score) / len(score) == pytest.approx(loss, abs=1e-6)


def test_a_bigram_table_is_scored_by_hand(engine_of: EngineOf) -> None:
    from tests.inference.tiny import GPT2

    model = random_model(GPT2)
    with torch.no_grad():  # attention and MLP say nothing, positions are zero: each token alone decides the next
        for block in model.transformer.h:
            block.attn.c_proj.weight.zero_()
            block.mlp.c_proj.weight.zero_()
        model.transformer.wpe.weight.zero_()
        table_VV = model.lm_head(model.transformer.ln_f(model.transformer.wte.weight)).log_softmax(-1)
    row = [3, 1, 4, 1, 5]
    (score,) = engine_of(model).score([row])
    by_hand = [table_VV[row[i], row[i + 1]].item() for i in range(4)]
    assert score == pytest.approx(by_hand, abs=1e-5)


def test_long_rows_in_pieces_give_the_same(
    model: PreTrainedModel, engine_of: EngineOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = prompts_of((CONTEXT, 50, 3, 20))
    engine = engine_of(model)
    whole = engine.score(rows)
    for most in (1, 7, 19, 64):
        monkeypatch.setattr("langwright.inference.scoring.likelihood.MOST_POSITIONS", most)
        for found, expected in zip(engine.score(rows), whole, strict=True):
            assert found == pytest.approx(expected, abs=1e-5)


def test_a_judgement_is_the_score_and_whether_none_was_likelier(
    model: PreTrainedModel, engine_of: EngineOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = prompts_of(LENGTHS)
    with torch.no_grad():  # make every second token the likeliest, so that there is something to hit
        for row in rows:
            for at in range(2, len(row), 2):
                row[at] = int(model(torch.tensor([row[:at]])).logits[0, -1].argmax())
    engine = engine_of(model)
    for most in (8192, 7):
        monkeypatch.setattr("langwright.inference.scoring.likelihood.MOST_POSITIONS", most)
        for row, judged, score in zip(rows, engine.judge(rows), engine.score(rows), strict=True):
            assert [logprob for logprob, _ in judged] == pytest.approx(score, abs=1e-5)
            if len(row) > 1:
                with torch.no_grad():
                    best = model(torch.tensor([row])).logits[0].argmax(-1).tolist()
                assert [hit for _, hit in judged] == [best[at] == row[at + 1] for at in range(len(row) - 1)]
    assert any(hit for row in engine.judge(rows) for _, hit in row)


def test_memory_for_logits_is_bounded(
    llama: PreTrainedModel,
    engine_of: EngineOf,
    gate_of: Callable[[PreTrainedModel], Gate],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("langwright.inference.scoring.likelihood.MOST_POSITIONS", 64)
    gate = gate_of(llama)
    engine_of(llama).score(prompts_of(tuple(range(2, CONTEXT))))
    assert max(rows * columns for rows, columns in gate.shapes) <= 64
    assert positions_at_once(vocab_size=150_000) * 150_000 * 4 <= 64 * 2**20
    assert positions_at_once(vocab_size=10**9) == 1


def test_groups_cover_every_row_once_and_stay_small() -> None:
    lengths = [5, 100, 3, 3, 60, 61, 1, 59]
    found = list(groups(lengths, 180))
    assert sorted(index for group in found for index in group) == list(range(8))
    assert all(len(group) == 1 or len(group) * max(lengths[i] for i in group) <= 180 for group in found)
    assert [[lengths[i] for i in group] for group in found] == [[100], [61, 60], [59, 5, 3], [3, 1]]
    assert list(groups([500], 180)) == [[0]]


@pytest.mark.spec("T30", "scores equal lm-evaluation-harness's log-likelihood to 1e-5")
def test_scores_equal_lm_evaluation_harness(engine_of: EngineOf) -> None:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    tokenizer = letters()
    config = LLAMA.__class__(**{**LLAMA.to_dict(), "vocab_size": len(tokenizer)})
    model = random_model(config)
    harness = HFLM(pretrained=model, tokenizer=tokenizer, backend="causal", batch_size=3, device="cpu")
    pairs = [
        ("The sky is", " blue"),
        ("天空是", "蓝色的"),
        ("a", "b"),
        ("ends in blanks  ", "and goes on"),
        ("", "nothing before"),
        ("Long context, " * 5, "short"),
    ]
    requests = [
        Instance(request_type="loglikelihood", doc={}, arguments=pair, idx=number) for number, pair in enumerate(pairs)
    ]
    theirs = [value for value, _greedy in harness.loglikelihood(requests, disable_tqdm=True)]
    ours = TextModel(engine_of(model), tokenizer, "tiny")
    for (given, text), expected in zip(pairs, theirs, strict=True):
        assert ours.score_text(text, given).log_probability == pytest.approx(expected, abs=1e-5)


def test_rows_that_cannot_be_scored(llama: PreTrainedModel, engine_of: EngineOf) -> None:
    engine = engine_of(llama)
    with pytest.raises(UserError, match=rf"{CONTEXT + 1} tokens.*context is {CONTEXT}"):
        engine.score([[1, 2], [1] * (CONTEXT + 1)])
    with pytest.raises(UserError, match="no tokens"):
        engine.score([[]])
    with pytest.raises(UserError, match="token -1 does not exist"):
        engine.encode([[-1]])
    assert engine.score([]) == []
    assert engine.encode([]) == []


@pytest.mark.spec("T31", "hidden states of a batch equal the model's own, alone, with padding left out")
def test_hidden_states_equal_the_models_own(model: PreTrainedModel, engine_of: EngineOf) -> None:
    rows = prompts_of(LENGTHS)
    for row, found in zip(rows, engine_of(model).encode(rows), strict=True):
        with torch.no_grad():
            expected = model(torch.tensor([row]), output_hidden_states=True).hidden_states[-1][0].numpy()
        assert found.dtype == np.float32
        assert found.shape == (len(row), 32)
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.spec("T31", "an encoder model gives hidden states as well")
def test_hidden_states_of_an_encoder(engine_of: EngineOf) -> None:
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    bert = BertModel(
        BertConfig(vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24)
    ).eval()
    rows = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10]]
    for row, found in zip(rows, engine_of(bert).encode(rows), strict=True):
        with torch.no_grad():
            expected = bert(torch.tensor([row])).last_hidden_state[0].numpy()
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.spec("T31", "a text's vector is the mean over its own tokens, whatever stands in the batch")
def test_embeddings_are_means_over_real_tokens(engine_of: EngineOf) -> None:
    tokenizer = letters()
    model = random_model(LLAMA.__class__(**{**LLAMA.to_dict(), "vocab_size": len(tokenizer)}))
    text_model = TextModel(engine_of(model), tokenizer, "tiny")
    texts = ["a", "猫在睡觉。", "the cat sleeps"]
    found = text_model.embed(texts).vectors
    assert found.shape == (3, 32)
    for text, vector in zip(texts, found, strict=True):
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.no_grad():
            hidden = model(ids, output_hidden_states=True).hidden_states[-1][0]
        np.testing.assert_allclose(vector, hidden.mean(0).numpy(), atol=1e-5)
    assert text_model.embed([]).vectors.shape == (0, 0)


def test_judging_says_which_tokens_were_the_likeliest(model: PreTrainedModel, engine_of: EngineOf) -> None:
    rows = prompts_of((12, 1, 30), seed=3)
    with torch.no_grad():  # a row that the model itself would have written
        rows.append(
            model.generate(torch.tensor([rows[0]]), max_new_tokens=8, do_sample=False, pad_token_id=0)[0].tolist()
        )
    engine = engine_of(model)
    for row, found, scores in zip(rows, engine.judge(rows), engine.score(rows), strict=True):
        assert [logprob for logprob, _ in found] == pytest.approx(scores, abs=1e-6)
        if len(row) > 1:
            with torch.no_grad():
                best = model(torch.tensor([row])).logits[0].argmax(-1).tolist()
            assert [hit for _, hit in found] == [best[place] == row[place + 1] for place in range(len(row) - 1)]
    assert all(hit for _, hit in engine.judge(rows)[-1][-8:])
