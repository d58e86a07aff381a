"""What must not matter does not: how documents are laid into rows, and how rows are cut into micro-batches.

In float32 with dropout and clipping off, gradients are equal to 1e-5 of their size.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GPT2Config, LlamaConfig

from langwright.data.packing import plan_pack, plan_single
from langwright.data.store import Document, build_store
from langwright.models.building import build_model
from langwright.objectives.next_token import NextToken, RowExamples
from langwright.training.gradients import Sum
from langwright.training.loop import Gathered, scaled_losses

LENGTH = 24
LLAMA = LlamaConfig(
    vocab_size=40, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=LENGTH,
)  # fmt: skip
GPT2 = GPT2Config(
    vocab_size=40, n_embd=32, n_layer=2, n_head=4, n_positions=LENGTH, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
)


def gradients(model, batches):
    """The gradient of the mean loss over all supervised tokens of some micro-batches, by weight."""
    model.zero_grad(set_to_none=True)
    units = sum(batch.units for batch in batches)
    Sum().backward(scaled_losses(model, NextToken(), batches, units, Gathered(), None), list(model.parameters()), 0)
    return {name: weight.grad.clone() for name, weight in model.named_parameters()}


def assert_close(one, other):
    """Equal to 1e-5 of each weight's gradient; where that is zero but for rounding, to 1e-6 of the whole."""
    whole = torch.stack([gradient.norm() for gradient in one.values()]).norm()
    for name, gradient in one.items():
        assert (gradient - other[name]).norm() <= 1e-5 * gradient.norm() + 1e-6 * whole, name


def store_of(tmp_path_factory, lengths, seed):
    numbers = np.random.default_rng(seed)
    documents = [
        Document(numbers.integers(0, 40, n).tolist(), [bool(b) for b in numbers.random(n) < 0.7], n) for n in lengths
    ]
    return build_store(tmp_path_factory.mktemp("rows") / "store", documents, 40)


@pytest.fixture(scope="module", params=[LLAMA, GPT2], ids=["llama", "gpt2"])
def model(request):
    return build_model(request.param, seed=3)


@settings(max_examples=12, deadline=None)
@given(
    lengths=st.lists(st.integers(2, LENGTH + 1), min_size=2, max_size=9),
    seed=st.integers(0, 99),
    cuts=st.lists(st.integers(1, 3), min_size=1, max_size=3),
)
def test_packing_and_cutting_leave_the_gradient_as_it_is(model, tmp_path_factory, lengths, seed, cuts):
    store = store_of(tmp_path_factory, lengths, seed)
    alone = RowExamples(store, plan_single(store, LENGTH), pad_id=0, stop_at_documents=True)
    packed = RowExamples(store, plan_pack(store, LENGTH), pad_id=0, stop_at_documents=True)
    one_by_one = [alone.batch(np.array([row])) for row in range(len(alone))]
    if sum(batch.units for batch in one_by_one) == 0:
        return
    expected = gradients(model, one_by_one)
    assert_close(expected, gradients(model, [alone.batch(np.arange(len(alone)))]))
    assert_close(expected, gradients(model, [packed.batch(np.arange(len(packed)))]))
    rows, at = [], 0
    while at < len(packed):
        size = cuts[len(rows) % len(cuts)]
        rows.append(packed.batch(np.arange(at, min(at + size, len(packed)))))
        at += size
    assert_close(expected, gradients(model, rows))


def test_without_stops_the_gradient_is_another(tmp_path_factory):
    """The test above can fail: documents that see each other give another gradient."""
    model = build_model(LLAMA, seed=3)
    store = store_of(tmp_path_factory, [7, 9, 6], 0)
    apart = RowExamples(store, plan_pack(store, LENGTH), pad_id=0, stop_at_documents=True)
    together = RowExamples(store, plan_pack(store, LENGTH), pad_id=0, stop_at_documents=False)
    one, other = (gradients(model, [rows.batch(np.arange(1))]) for rows in (apart, together))
    assert max((one[name] - other[name]).norm() / one[name].norm() for name in one) > 1e-3


@pytest.mark.parametrize("attention", ["langwright", "sdpa", "eager"])
def test_every_kind_of_attention_gives_the_same_gradient(tmp_path_factory, attention):
    model = build_model(LLAMA, seed=3)
    store = store_of(tmp_path_factory, [LENGTH + 1, 20, 9], 1)
    rows = RowExamples(store, plan_single(store, LENGTH), pad_id=0, stop_at_documents=False)
    batch = rows.batch(np.arange(3))
    model.set_attn_implementation("eager")
    expected = gradients(model, [batch])
    model.set_attn_implementation(attention)
    assert_close(expected, gradients(model, [batch]))
    assert torch.isfinite(expected["model.embed_tokens.weight"]).all()
