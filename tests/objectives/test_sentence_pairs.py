"""Pairs of pieces: built by hand, labelled as they are, and the loss against transformers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.objectives.encoders import FIRST, LAST, MASKING, ORDINARY, PAD, VOCABULARY, bert, pair_examples
from torch.nn import functional as F

from langwright.data.sentences import plan_sentences, sentence_ends
from langwright.data.store import Document, build_store
from langwright.errors import UserError
from langwright.objectives.sentence_pairs import MaskedPairs, SentencePairs


def test_which_tokens_end_a_sentence():
    pieces = ["。", "好！", " end.", '?" ', "\n", "3", "a,", "", "……", "”"]
    assert sentence_ends([p.encode() for p in pieces]).tolist() == [True] * 5 + [False] * 3 + [True, False]


def test_sentences_are_gathered_by_hand(tmp_path):
    ends = np.zeros(20, dtype=bool)
    ends[9] = True
    documents = [[5, 9, 6, 6, 9, 7, 9], [5, 5, 5, 5, 5, 5, 9], [8], [5, 6]]
    store = build_store(tmp_path / "s", [Document(d, None, 1) for d in documents], 20)

    def rows(plan):
        return [plan.row(store, i).ids.tolist() for i in range(len(plan))]

    gathered = plan_sentences(store, ends, 5)
    assert rows(gathered) == [[5, 9, 6, 6, 9], [7, 9], [5] * 5, [5, 9], [5, 6]]  # a lone token is no row
    assert gathered.truncated == 1
    assert rows(plan_sentences(store, ends, 5, single=True)) == [[5, 9], [6, 6, 9], [7, 9], [5] * 5, [5, 9], [5, 6]]
    with pytest.raises(UserError, match="no sentence"):
        plan_sentences(build_store(tmp_path / "t", [Document([1], None, 1)], 20), ends, 5)


def parts(row):
    """The two pieces between the marks."""
    ids = row.ids_N.tolist()
    middle = ids.index(LAST)
    assert ids[0] == FIRST and ids[-1] == LAST
    assert row.types_N.tolist() == [0] * (middle + 1) + [1] * (len(ids) - middle - 1)
    return ids[1:middle], ids[middle + 1 : -1]


@pytest.mark.spec("P4", "half the pairs follow each other in their document, the others come from another document")
def test_next_sentences(tmp_path):
    examples = pair_examples(tmp_path, "next", masking=None)
    tokens, labels = examples.store.tokens.tolist(), []
    for row in range(len(examples)):
        for epoch in range(40):
            pair, label = examples.pair(row, epoch)
            first, second = parts(pair)
            begin = int(examples.plan.begins[row])
            assert tokens[begin : begin + len(first)] == first
            follows = tokens[begin + len(first) : begin + len(first) + len(second)] == second
            same = {document_of(examples, id) for id in first} == {document_of(examples, id) for id in second}
            assert (follows and same) is (label == 0)
            assert len(pair.ids_N) <= examples.plan.length + 3
            labels.append(label)
    assert abs(np.mean(labels) - 0.5) < 4 * 0.5 / np.sqrt(len(labels))


def document_of(examples, id):
    """The stores of these tests hold each id in one document alone."""
    place = examples.store.tokens.tolist().index(id)
    return int(np.searchsorted(examples.store.offsets, place, "right"))


@pytest.mark.spec("P14", "sentence order: two pieces that follow each other, half the time swapped")
@pytest.mark.spec("P7", "classifying sequences without labels of people: the label is the order of two pieces")
def test_sentence_order(tmp_path):
    examples = pair_examples(tmp_path, "order", masking=None)
    tokens, labels = examples.store.tokens.tolist(), []
    for row in range(len(examples)):
        for epoch in range(40):
            pair, label = examples.pair(row, epoch)
            first, second = parts(pair)
            begin, length = int(examples.plan.begins[row]), int(examples.plan.lengths[row])
            assert (second + first if label else first + second) == tokens[begin : begin + length]
            labels.append(label)
    assert abs(np.mean(labels) - 0.5) < 4 * 0.5 / np.sqrt(len(labels))


def test_pieces_part_after_a_sentence_where_there_is_one_inside(tmp_path):
    examples = pair_examples(tmp_path, "order", masking=None)
    for row in range(len(examples)):
        begin, length = int(examples.plan.begins[row]), int(examples.plan.lengths[row])
        inside = examples.ends_V[np.asarray(examples.store.tokens[begin : begin + length - 1])]
        first, _ = examples.pieces(row, np.random.default_rng(row))
        if inside.any():
            assert examples.ends_V[int(examples.store.tokens[first.stop - 1])]


def test_pairs_are_the_same_at_each_pass_where_they_are_static(tmp_path):
    static, dynamic = (pair_examples(tmp_path, "order", dynamic=value) for value in (False, True))
    rows = np.arange(len(static))
    one, other = np.zeros_like(rows), np.ones_like(rows)
    assert torch.equal(static.batch(rows, one).tokens_BT, static.batch(rows, other).tokens_BT)
    assert not torch.equal(dynamic.batch(rows, one).tokens_BT, dynamic.batch(rows, other).tokens_BT)


@pytest.mark.spec("P4", "the loss of both heads equals BertForPreTraining's on rows that hide equally many tokens")
def test_the_loss_of_both_heads_is_that_of_transformers(tmp_path):
    examples = pair_examples(tmp_path, "next", masking=MASKING)
    model = bert(head="pretraining")
    rows = np.flatnonzero(np.asarray(examples.plan.lengths) == np.asarray(examples.plan.lengths).max())[:4]
    batch = examples.batch(rows)
    hidden = (batch.text.targets_P != -100).reshape(len(rows), -1).sum(1)
    assert (hidden == hidden[0]).all()
    labels_BT = torch.full(batch.tokens_BT.shape, -100)
    kept = batch.text.targets_P != -100
    labels_BT.view(-1)[batch.text.places_P[kept]] = batch.text.targets_P[kept]
    theirs = model(
        input_ids=batch.tokens_BT, token_type_ids=batch.text.types_BT, attention_mask=batch.text.attention,
        labels=labels_BT, next_sentence_label=batch.labels_B,
    ).loss  # fmt: skip
    ours = MaskedPairs(model)(model, batch)
    torch.testing.assert_close(ours.total / ours.units, theirs, rtol=1e-5, atol=1e-6)
    parts_of = ours.metrics["pair_loss"] + ours.metrics["masked_loss"]
    torch.testing.assert_close(parts_of, ours.total.detach())


def test_pairs_alone(tmp_path):
    model, batch = bert(head="pair"), pair_examples(tmp_path, "order", masking=None).batch(np.arange(3))
    said = model(input_ids=batch.tokens_BT, token_type_ids=batch.text.types_BT, attention_mask=batch.text.attention)
    expected = F.cross_entropy(said.logits, batch.labels_B, reduction="sum")
    torch.testing.assert_close(SentencePairs()(model, batch).total, expected)
    assert (batch.text.targets_P == -100).all() and batch.units == 3


def test_batches_are_padded_to_few_widths(tmp_path):
    examples = pair_examples(tmp_path, "order")
    widths = {examples.batch(np.array([row])).tokens_BT.shape[1] for row in range(len(examples))}
    assert widths <= {32, examples.plan.length + 3}
    assert ORDINARY < VOCABULARY and PAD == 0
