"""Encoders small enough to test with, and rows for them."""

from __future__ import annotations

import numpy as np
import torch
from transformers import BertConfig, ElectraConfig

from langwright.data.sentences import plan_sentences
from langwright.data.store import Document, build_store, open_store
from langwright.models.building import build_model
from langwright.objectives.contrastive import padded
from langwright.objectives.masked import Marks, MaskedRow, collate_masked
from langwright.objectives.masking import Masking, ordinary_ids
from langwright.objectives.replaced import ReplacedBatch
from langwright.objectives.sentence_pairs import PairExamples, row_weights

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


def sentence_store(folder):
    """Four documents; 9, 19, 29, 39 end sentences; no id stands in two documents."""
    documents = [
        [5, 6, 9, 7, 8, 6, 9, 5, 5, 7],
        [15, 16, 17, 19] * 4,
        [25, 26, 27, 28],
        [35, 39, 36, 36, 39, 38, 37] * 3,
    ]
    if folder.exists():
        return open_store(folder)
    return build_store(folder, [Document(ids, None, len(ids)) for ids in documents], VOCABULARY)


def pair_examples(tmp_path, relation, masking=MASKING, dynamic=True, length=12):
    ends = np.zeros(VOCABULARY, dtype=bool)
    ends[[9, 19, 29, 39]] = True
    store = sentence_store(tmp_path / "sentences")
    plan = plan_sentences(store, ends, length)
    return PairExamples(store, plan, ends, relation, Marks(FIRST, LAST, PAD), masking, None, dynamic, seed=0)


def electra(dropout=0.0):
    config = ElectraConfig(
        vocab_size=VOCABULARY, embedding_size=12, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=24, max_position_embeddings=48, hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout, pad_token_id=PAD,
    )  # fmt: skip
    return build_model(config, seed=3)


def replaced_batches(lengths=(14, 9, 14, 12)):
    """(whole batch, the same in parts): masked rows with the chances of what is put in."""
    chances = torch.from_numpy(np.random.default_rng(5).random(6 * len(lengths), dtype=np.float32))
    whole, parts = masked_batches(lengths=lengths)

    def with_chances(batch, first):
        rows = len(batch.tokens_BT)
        return ReplacedBatch(batch, row_weights(batch.targets_P, rows), chances[6 * first : 6 * (first + rows)])

    return with_chances(whole, 0), [with_chances(part, number) for number, part in enumerate(parts)]


def texts(count=5, seed=0):
    numbers = np.random.default_rng(seed)
    found = [numbers.integers(ORDINARY, VOCABULARY, int(n)) for n in numbers.integers(3, 9, count)]
    return padded([np.concatenate([[FIRST], ids, [LAST]]) for ids in found], PAD)
