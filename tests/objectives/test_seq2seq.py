"""Sequence-to-sequence loss against transformers' own, and batches that do not depend on how they are cut or padded."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.objectives.small import gradients
from transformers import BartConfig, BartForConditionalGeneration, T5Config, T5ForConditionalGeneration

from langwright.objectives.adversarial import FGM, embeddings_changed
from langwright.objectives.consistency import VAT, RDrop
from langwright.objectives.next_token import IGNORED
from langwright.objectives.seq2seq import PairExamples, Seq2Seq, collate_pairs, decoder_inputs

T5 = T5Config(
    vocab_size=40, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2, dropout_rate=0.0, pad_token_id=0,
    eos_token_id=1, decoder_start_token_id=0,
)  # fmt: skip
BART = BartConfig(
    vocab_size=40, d_model=16, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=24, decoder_ffn_dim=24,
    encoder_attention_heads=2, decoder_attention_heads=2, max_position_embeddings=32, dropout=0.0, pad_token_id=0,
    bos_token_id=None, eos_token_id=1, decoder_start_token_id=1, forced_eos_token_id=1,
)  # fmt: skip


def t5():
    torch.manual_seed(0)
    return T5ForConditionalGeneration(T5)


def bart():
    torch.manual_seed(0)
    return BartForConditionalGeneration(BART)


MODELS = pytest.mark.parametrize("build", [t5, bart])


def learned(model, **options):
    return Seq2Seq(model.config.decoder_start_token_id, **options)


def pairs(count=5):
    numbers = np.random.default_rng(0)
    return [
        (np.append(numbers.integers(2, 40, numbers.integers(1, 9)), 1), np.append(numbers.integers(2, 40, n), 1))
        for n in range(count)
    ]


def test_a_batch_by_hand():
    batch = collate_pairs([(np.array([5, 6, 1]), np.array([7, 1])), (np.array([8]), np.array([9, 10, 1]))], 0)
    assert batch.tokens_BS.tolist() == [[5, 6, 1], [8, 0, 0]] and batch.mask_BS.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert decoder_inputs(batch.targets_BT, 2).tolist() == [[2, 7, 1], [2, 9, 10]]
    assert batch.targets_BT.tolist() == [[7, 1, IGNORED], [9, 10, 1]]
    assert (batch.units, batch.positions, batch.padding) == (5, 12, 3)


@MODELS
def test_the_loss_is_transformers_own(build):
    model = build().eval()
    batch = collate_pairs(pairs(), 0)
    theirs = model(input_ids=batch.tokens_BS, attention_mask=batch.mask_BS, labels=batch.targets_BT).loss
    ours = learned(model)(model, batch)
    torch.testing.assert_close(ours.total / ours.units, theirs)
    assert ours.units == sum(len(target) for _, target in pairs())


@MODELS
def test_smoothing_is_what_transformers_trainer_computes(build):
    from transformers.trainer_pt_utils import LabelSmoother

    model = build().eval()
    batch = collate_pairs(pairs(), 0)
    out = model(input_ids=batch.tokens_BS, attention_mask=batch.mask_BS, labels=batch.targets_BT)
    theirs = LabelSmoother(epsilon=0.1)(out, batch.targets_BT.clone())
    ours = learned(model, smoothing=0.1)(model, batch)
    torch.testing.assert_close(ours.total / ours.units, theirs)
    with torch.no_grad():  # held-out text is judged without it
        torch.testing.assert_close(learned(model, smoothing=0.1)(model, batch).total / ours.units, out.loss)


@MODELS
def test_padding_does_not_change_the_loss(build):
    model = build().eval()
    plain = learned(model)(model, collate_pairs(pairs(), 0)).total
    wide = learned(model)(model, collate_pairs(pairs(), 0, widths=(20, 17))).total
    alone = sum(learned(model)(model, collate_pairs([pair], 0)).total for pair in pairs())
    torch.testing.assert_close(wide, plain)
    torch.testing.assert_close(alone, plain)


def test_pairs_of_like_length_lie_together():
    examples = PairExamples(pairs(), 0)
    order = examples.arrange(np.array([4, 0, 2, 1]))
    lengths = [len(examples.pairs[[4, 0, 2, 1][place]][0]) for place in order]
    assert sorted(order) == [0, 1, 2, 3] and lengths == sorted(lengths)
    assert examples.batch(np.array([1, 2])).units == 2 + 3


@MODELS
def test_gradients_reach_what_is_trained_and_nothing_else(build):
    model = build()
    for name, weight in model.named_parameters():
        weight.requires_grad_("decoder" not in name)
    found = gradients(model, learned(model), [collate_pairs(pairs(), 0)])
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert found.keys() == trained and all(torch.isfinite(g).all() and g.abs().sum() > 0 for g in found.values())
    assert learned(model).parameters() == [] and learned(model).state_dict() == {}


@MODELS
def test_gradients_do_not_depend_on_how_the_batch_is_cut(build):
    model = build()
    whole = gradients(model, learned(model), [collate_pairs(pairs(), 0)])
    cut = gradients(model, learned(model), [collate_pairs(pairs()[:1], 0), collate_pairs(pairs()[1:], 0)])
    for name in whole:
        torch.testing.assert_close(whole[name], cut[name], rtol=1e-4, atol=1e-6)


@MODELS
def test_a_change_of_embeddings_is_made_to_what_is_read(build):
    """FGM raises the loss of what is written by moving the input alone; without a step it is the plain loss twice."""
    model, batch = build(), collate_pairs(pairs(), 0)
    with embeddings_changed(model) as seen:
        learned(model)(model, batch)
    assert [tuple(out.shape) for out in seen] == [(*batch.tokens_BS.shape, 16)]
    plain = learned(model)(model, batch).total
    torch.testing.assert_close(FGM(learned(model), epsilon=0.0)(model, batch).total, 2 * plain)
    assert FGM(learned(model), epsilon=0.5)(model, batch).total > 2 * plain


@MODELS
@pytest.mark.parametrize("wrapper", [RDrop, VAT])
def test_predictions_can_be_compared(build, wrapper):
    model, batch = build(), collate_pairs(pairs(), 0)
    loss = wrapper(learned(model))(model, batch)
    assert torch.isfinite(loss.total) and loss.units == batch.units
    assert learned(model).scored(learned(model).logits(model, batch), batch).shape == (batch.units, 40)
