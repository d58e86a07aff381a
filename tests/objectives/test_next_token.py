"""Next-token loss against a lookup table whose every probability is known, and against transformers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import Gemma2Config, Gemma2ForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from langwright.data.packing import Sample
from langwright.objectives.next_token import IGNORED, NextToken, collate_rows, has_plain_head


def row(ids, supervised=None, starts=(0,)):
    mask = [True] * len(ids) if supervised is None else supervised
    return Sample(np.array(ids, dtype=np.int64), np.array(mask, dtype=bool), np.array(starts, dtype=np.int64))


class Bigram(nn.Module):
    """A whole language model: row = current token, column = next."""

    def __init__(self, size=7):
        super().__init__()
        self.table = nn.Parameter(torch.randn(size, size, generator=torch.Generator().manual_seed(0)))

    def forward(self, input_ids, position_ids, use_cache, document_boundaries=None):
        return SimpleNamespace(logits=self.table[input_ids])


def test_each_token_is_scored_from_the_one_before_it():
    model = Bigram()
    batch = collate_rows([row([0, 3, 1, 4])], length=5, pad_id=0, stop_at_documents=False)
    logp = model.table.log_softmax(-1)
    loss = NextToken()(model, batch)
    assert loss.units == 3 and batch.padding == 2 and batch.positions == 5
    torch.testing.assert_close(loss.total, -(logp[0, 3] + logp[3, 1] + logp[1, 4]))


def test_only_supervised_tokens_count():
    model = Bigram()
    batch = collate_rows([row([0, 3, 1, 4], [False, False, True, False])], length=3, pad_id=0, stop_at_documents=False)
    loss = NextToken()(model, batch)
    assert loss.units == 1
    torch.testing.assert_close(loss.total, -model.table.log_softmax(-1)[3, 1])


def test_no_document_predicts_the_first_token_of_the_next():
    batch = collate_rows([row([1, 2, 3, 4, 5], starts=(0, 2))], length=6, pad_id=0, stop_at_documents=True)
    assert batch.targets_BT.tolist() == [[2, IGNORED, 4, 5, IGNORED, IGNORED]]
    assert batch.positions_BT.tolist() == [[0, 1, 0, 1, 0, 1]]
    assert batch.boundaries.tolist() == [0, 2, 4, 6, 6, 6, 6]  # two documents, padding, the end


def test_without_stops_the_next_document_is_predicted_too():
    batch = collate_rows([row([1, 2, 3, 4, 5], starts=(0, 2))], length=4, pad_id=0, stop_at_documents=False)
    assert batch.targets_BT.tolist() == [[2, 3, 4, 5]] and batch.boundaries is None


@given(st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=9), min_size=1, max_size=5), st.booleans())
def test_units_are_known_before_the_forward_pass(rows, stop):
    batch = collate_rows([row(ids) for ids in rows], length=8, pad_id=0, stop_at_documents=stop)
    assert batch.units == int((batch.targets_BT != IGNORED).sum()) == sum(len(ids) - 1 for ids in rows)
    assert batch.padding == sum(8 - (len(ids) - 1) for ids in rows)


LLAMA = LlamaConfig(
    vocab_size=61,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
)
GPT2 = GPT2Config(
    vocab_size=61, n_embd=32, n_layer=2, n_head=4, n_positions=32, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
)


@pytest.mark.spec("P1", "the loss equals transformers' causal LM loss to 1e-6 in fp32, on Llama and GPT-2")
@pytest.mark.spec("T12", "a GPT-2-style decoder is trained from transformers' own class, with its loss")
@pytest.mark.parametrize("build", [lambda: LlamaForCausalLM(LLAMA), lambda: GPT2LMHeadModel(GPT2)])
def test_loss_equals_transformers(build):
    torch.manual_seed(0)
    model = build().eval()
    ids = np.random.default_rng(0).integers(0, 61, (3, 17))
    batch = collate_rows([row(r) for r in ids], length=16, pad_id=0, stop_at_documents=False)
    whole = torch.from_numpy(ids)
    theirs = model(input_ids=whole, labels=whole).loss
    ours = NextToken()(model, batch)
    torch.testing.assert_close(ours.total / ours.units, theirs, rtol=1e-6, atol=1e-6)


GEMMA = Gemma2Config(
    vocab_size=61,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    final_logit_softcapping=30.0,
)


@pytest.mark.parametrize("build", [lambda: LlamaForCausalLM(LLAMA), lambda: GPT2LMHeadModel(GPT2), lambda: Gemma2ForCausalLM(GEMMA)])  # fmt: skip
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_the_head_at_supervised_positions_alone_gives_the_same_loss_and_gradients(build, share):
    torch.manual_seed(0)
    model = build().train()
    numbers = np.random.default_rng(0)
    rows = [row(numbers.integers(1, 61, 17), numbers.random(17) < share) for _ in range(70)]
    batch = collate_rows(rows, length=16, pad_id=0, stop_at_documents=False)
    objective = NextToken()
    found = objective(model, batch)
    found.total.backward()
    ours = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    model.zero_grad()
    whole = objective.loss(objective.logits(model, batch), batch)  # the way of a batch that is all supervised
    whole.total.backward()
    torch.testing.assert_close(found.total, whole.total, rtol=1e-5, atol=1e-5)
    for name, weight in model.named_parameters():
        torch.testing.assert_close(ours[name], weight.grad, rtol=1e-4, atol=1e-5)


def test_a_capped_head_is_computed_by_the_model_itself():
    """Caps and scales of the logits would be lost otherwise: small logits differ in the sixth digit alone."""
    batch = collate_rows([row(range(1, 18))], length=16, pad_id=0, stop_at_documents=False)
    torch.manual_seed(0)
    assert has_plain_head(LlamaForCausalLM(LLAMA), batch)
    assert not has_plain_head(Gemma2ForCausalLM(GEMMA), batch)
    assert not has_plain_head(Bigram(), batch)


def test_looking_at_the_head_draws_nothing():
    """Else a run that is resumed, which looks again, would go on with other dropout."""
    batch = collate_rows([row(range(1, 18))], length=16, pad_id=0, stop_at_documents=False)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=40, n_embd=8, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0))
    before = torch.get_rng_state()
    has_plain_head(model.train(), batch)
    assert torch.equal(torch.get_rng_state(), before)
