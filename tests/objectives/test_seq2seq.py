"""Sequence-to-sequence loss against transformers' own, and batches that do not depend on how they are cut or padded."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import BartConfig, BartForConditionalGeneration, T5Config, T5ForConditionalGeneration

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
