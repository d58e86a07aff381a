"""What every objective for encoders keeps to: finite, the trainable weights and no others, cut as one likes, state kept."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from tests.objectives.encoders import MASKING, bert, electra, masked_batches, pair_examples, replaced_batches, texts
from tests.objectives.small import gradients

from langwright.objectives.adversarial import FGM
from langwright.objectives.contrastive import Contrastive, ContrastiveBatch
from langwright.objectives.masked import Masked
from langwright.objectives.replaced import ReplacedTokens, generator_for
from langwright.objectives.sentence_pairs import MaskedPairs, SentencePairs


def masked(dropout=0.0):
    """(model, objective, whole batch, the same in parts)."""
    model = bert(dropout)
    return model, Masked(model), *masked_batches()


def masked_apart(dropout=0.0):
    model = bert(dropout)
    return model, Masked(model), *masked_batches(starts=[0, 5])


def pairs(head, objective, masking):
    def made(dropout=0.0):
        model = bert(dropout, head=head)
        with TemporaryDirectory() as folder:
            examples = pair_examples(Path(folder), "next", masking=masking, length=20)
            whole = examples.batch(np.arange(4))
            parts = [examples.batch(np.array([row])) for row in range(4)]
        return model, objective(model), whole, parts

    return made


def replaced(dropout=0.0):
    model = electra(dropout)
    return model, ReplacedTokens(model, generator_for(model, 0.5)), *replaced_batches()


def contrastive(dropout=0.0):
    model = bert(dropout, head="backbone")
    parts = [ContrastiveBatch(*texts(2, seed)) for seed in range(2)]
    return model, Contrastive(), ContrastiveBatch(*texts(4)), parts


CASES = {
    "masked": masked,
    "masked, documents apart": masked_apart,
    "masked-pairs": pairs("pretraining", MaskedPairs, MASKING),
    "sentence-pairs": pairs("pair", lambda model: SentencePairs(), None),
    "replaced": replaced,
    "contrastive": contrastive,
}


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
    if not objective.separable:
        pytest.skip("its examples interact, and the loop refuses to cut a batch")
    assert whole.units == sum(part.units for part in parts)
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


@pytest.mark.spec("P9", "adversarial pre-training: every objective for encoders under noise on its word embeddings")
@pytest.mark.parametrize("name", CASES)
def test_adversarial_training_goes_around_it(name):
    model, objective, whole, _ = CASES[name]()
    plain, moved = objective(model, whole), FGM(objective, epsilon=0.5, weight=1.0)(model, whole)
    added = moved.metrics["adversarial"]
    torch.testing.assert_close(moved.total.detach(), (plain.total + added).detach(), rtol=1e-4, atol=1e-5)
    assert not torch.isclose(added, plain.total.detach(), rtol=1e-6)
