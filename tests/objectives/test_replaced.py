"""Replaced-token detection: the loss against transformers' two models, what is shared, and what is put in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.objectives.encoders import MASKING, VOCABULARY, electra, replaced_batches, sentence_store

from langwright.data.packing import plan_blocks
from langwright.objectives.masked import Marks, MaskedExamples
from langwright.objectives.replaced import ReplacedExamples, ReplacedTokens, fill, generator_for, taken


def objective_for(model, share=0.5):
    return ReplacedTokens(model, generator_for(model, share))


@pytest.mark.spec(
    "P14",
    "replaced-token detection: the loss is that of transformers' ElectraForMaskedLM plus 50 times that of ElectraForPreTraining",
)
def test_the_loss_is_that_of_transformers_two_models():
    model = electra()
    objective = objective_for(model)
    batch, _ = replaced_batches(lengths=(14, 14, 14))
    text = batch.text
    kept = text.targets_P != -100
    labels_BT = torch.full(text.tokens_BT.shape, -100)
    labels_BT.view(-1)[text.places_P[kept]] = text.targets_P[kept]
    theirs = objective.generator(input_ids=text.tokens_BT, attention_mask=text.attention, labels=labels_BT)
    drawn = taken(theirs.logits.flatten(0, 1)[text.places_P], batch.chances_P)
    filled_BT, replaced_BT = text.tokens_BT.clone(), torch.zeros_like(text.tokens_BT)
    for place, target, id, real in zip(text.places_P, text.targets_P, drawn, kept, strict=True):
        if real:
            filled_BT.view(-1)[place] = id
            replaced_BT.view(-1)[place] = id != target
    assert replaced_BT.sum() > 0 and batch.padding == 0 and text.attention is None
    detected = model(input_ids=filled_BT, attention_mask=torch.ones_like(filled_BT), labels=replaced_BT)
    ours = objective(model, batch)
    torch.testing.assert_close(ours.total / ours.units, theirs.loss + 50 * detected.loss, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours.metrics["detection_loss"] / ours.units, detected.loss.detach())


def test_padding_is_neither_predicted_nor_detected():
    model = electra()
    objective = objective_for(model)
    batch, parts = replaced_batches()
    alone = parts[1]  # nine tokens in a row of sixteen
    assert alone.padding == 5
    changed = alone.text.tokens_BT.clone()
    changed[~alone.text.real_BT] = 7
    import dataclasses

    other = dataclasses.replace(alone, text=dataclasses.replace(alone.text, tokens_BT=changed))
    torch.testing.assert_close(objective(model, alone).total, objective(model, other).total)
    assert batch.units == sum(part.units for part in parts)


def test_embeddings_are_the_models_and_the_rest_is_the_generators():
    model = electra()
    objective = objective_for(model)
    generator, table = objective.generator, model.electra.embeddings
    for name in ("word_embeddings", "position_embeddings", "token_type_embeddings"):
        assert getattr(generator.electra.embeddings, name).weight is getattr(table, name).weight
    assert generator.generator_lm_head.weight is table.word_embeddings.weight
    owned = {id(p) for p in objective.parameters()}
    assert owned and not owned & {id(p) for p in model.parameters()}
    assert owned | {id(p) for p in model.parameters()} >= {id(p) for p in generator.parameters()}
    assert generator.config.hidden_size == 16 and generator.config.num_attention_heads == 2
    assert all(
        torch.equal(a, b) for a, b in zip(objective.parameters(), objective_for(electra()).parameters(), strict=True)
    )


def test_gradients_of_the_detector_do_not_reach_the_generator():
    model = electra()
    objective = objective_for(model)
    batch, _ = replaced_batches()
    objective.weight = 1.0
    small = torch.autograd.grad(objective(model, batch).total, objective.parameters())
    objective.weight = 1000.0
    large = torch.autograd.grad(objective(model, batch).total, objective.parameters())
    assert all(torch.equal(a, b) for a, b in zip(small, large, strict=True))


def test_tokens_are_drawn_as_the_distribution_says():
    logits_PV = torch.log(torch.tensor([[0.1, 0.2, 0.7]])).expand(5, 3)
    assert taken(logits_PV, torch.tensor([0.0, 0.09, 0.11, 0.29, 0.31])).tolist() == [0, 0, 1, 1, 2]
    chances = (torch.arange(10_000) + 0.5) / 10_000
    counts = torch.bincount(taken(logits_PV[:1].expand(10_000, 3), chances), minlength=3)
    assert counts.tolist() == [1000, 2000, 7000]
    assert taken(torch.zeros(1, VOCABULARY), torch.tensor([1 - 1e-8])).item() == VOCABULARY - 1


def test_what_is_guessed_right_counts_as_original():
    tokens = torch.tensor([[1, 3, 8, 3, 2]])
    places, targets = torch.tensor([1, 3, 0]), torch.tensor([7, 9, -100])
    filled, replaced = fill(tokens, places, targets, torch.tensor([7, 6, 5]))
    assert filled.tolist() == [[1, 7, 8, 6, 2]] and replaced.tolist() == [[False, False, False, True, False]]


def test_what_is_put_in_belongs_to_seed_epoch_and_row(tmp_path):
    store = sentence_store(tmp_path / "s")
    examples = ReplacedExamples(
        MaskedExamples(store, plan_blocks(store, 10), Marks(1, 2, 0), MASKING, None, False, True, 0)
    )
    rows, epochs = np.arange(3), np.array([2, 2, 2])
    whole = examples.batch(rows, epochs)
    per_row = len(whole.chances_P) // 3
    alone = examples.batch(rows[1:2], epochs[:1])
    assert torch.equal(alone.chances_P, whole.chances_P[per_row : 2 * per_row])
    assert not torch.equal(examples.batch(rows).chances_P, whole.chances_P)
