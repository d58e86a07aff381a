"""What every objective for encoders keeps to: finite, the trainable weights and no others, cut as one likes, state kept."""

from __future__ import annotations

import pytest
import torch
from tests.objectives.encoders import bert, masked_batches
from tests.objectives.small import gradients

from langwright.objectives.masked import Masked


def masked(dropout=0.0):
    """(model, objective, whole batch, the same in parts)."""
    model = bert(dropout)
    return model, Masked(model), *masked_batches()


def masked_apart(dropout=0.0):
    model = bert(dropout)
    return model, Masked(model), *masked_batches(starts=[0, 5])


CASES = {"masked": masked, "masked, documents apart": masked_apart}
UNUSED = ("position_embeddings",)  # rows of a table that no token asked for have a gradient of zero, not none


@pytest.mark.parametrize("name", CASES)
def test_the_loss_is_finite_and_reaches_exactly_the_trainable_weights(name):
    model, objective, whole, _ = CASES[name]()
    weights = dict(model.named_parameters())
    frozen = next(n for n in weights if "layer.0" in n)
    weights[frozen].requires_grad_(False)
    found = gradients(model, objective, [whole])
    assert set(found) == set(weights) - {frozen}
    assert all(torch.isfinite(g).all() for g in found.values())
    for weight in objective.parameters():
        assert weight.grad is not None and torch.isfinite(weight.grad).all()


@pytest.mark.parametrize("name", CASES)
def test_a_batch_may_be_cut_anywhere_where_it_says_so(name):
    model, objective, whole, parts = CASES[name]()
    assert whole.units == sum(part.units for part in parts) and objective.separable
    one, other = gradients(model, objective, [whole]), gradients(model, objective, parts)
    for weight in one:
        torch.testing.assert_close(one[weight], other[weight], rtol=1e-4, atol=1e-6, msg=weight)


@pytest.mark.parametrize("name", CASES)
def test_evaluating_gives_the_loss_without_a_graph_and_says_more(name):
    model, objective, whole, _ = CASES[name]()
    model.eval()
    with torch.no_grad():
        loss = objective(model, whole)
    assert torch.isfinite(loss.total) and not loss.total.requires_grad
    assert loss.metrics and all(torch.isfinite(value) for value in loss.metrics.values())
    assert all("accuracy" not in name or 0 <= value <= whole.units for name, value in loss.metrics.items())
