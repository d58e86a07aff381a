"""Encoders small enough to test with, and rows for them."""

from __future__ import annotations

import numpy as np
from transformers import BertConfig

from langwright.models.building import build_model
from langwright.objectives.masked import MaskedRow, collate_masked
from langwright.objectives.masking import Masking, ordinary_ids

PAD, FIRST, LAST, MASK, ORDINARY = 0, 1, 2, 3, 5  # ids; text begins at 5
VOCABULARY = 60
MASKING = Masking(0.15, 0.8, 0.1, MASK, ordinary_ids(VOCABULARY, [0, 1, 2, 3, 4]))
EVERY = np.ones(1000, dtype=bool)


def bert(dropout=0.0, head="masked", layers=2):
    config = BertConfig(
        vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=layers, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=48, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout, pad_token_id=PAD,
    )  # fmt: skip
    return build_model(config, seed=3, head=head)


def masked_row(numbers, tokens, starts=None, share=0.3):
    """A row of so many tokens with marks, some hidden."""
    ids = numbers.integers(ORDINARY, VOCABULARY, tokens)
    seen, places = Masking(share, 0.8, 0.1, MASK, MASKING.ordinary_V).apply(ids, EVERY[:tokens], numbers)
    ids_N = np.concatenate([[FIRST], seen, [LAST]])
    return MaskedRow(ids_N, np.zeros_like(ids_N), places + 1, ids[places], None if starts is None else np.array(starts))


def masked_batches(starts=None, lengths=(14, 9, 14, 12)):
    """(whole batch, the same in parts): rows of unequal length."""
    numbers = np.random.default_rng(1)
    rows = [masked_row(numbers, n, starts) for n in lengths]
    return collate_masked(rows, 16, 6, PAD), [collate_masked(rows[i : i + 1], 16, 6, PAD) for i in range(len(rows))]
