"""Contrastive vectors: the loss by hand and in its limits, dropout as the only difference, and no cutting."""

from __future__ import annotations

import math

import pytest
import torch
from tests.objectives.encoders import bert, sentence_store, texts
from torch.nn import functional as F

from langwright.data.sentences import plan_sentences
from langwright.objectives.contrastive import Contrastive, ContrastiveBatch, SentenceExamples, similarities, vectors
from langwright.objectives.masked import Marks
from langwright.training.loop import train


@pytest.mark.spec(
    "P14", "contrastive sentence vectors: the loss of SimCSE's equation 1 by hand, over in-batch negatives"
)
def test_the_loss_by_hand():
    model = bert(dropout=0.1, head="backbone").train()
    batch = ContrastiveBatch(*texts(4))
    torch.manual_seed(0)
    ours = Contrastive(temperature=0.05)(model, batch)
    torch.manual_seed(0)
    one, other = (vectors(model, batch.tokens_BT, batch.mask_BT) for _ in range(2))
    assert not torch.equal(one, other)
    total = 0.0
    for i in range(4):
        near = [math.exp(float(F.cosine_similarity(one[i], other[j], dim=0)) / 0.05) for j in range(4)]
        total -= math.log(near[i] / sum(near))
    assert ours.total.item() == pytest.approx(total, rel=1e-4) and ours.units == 4


def test_two_orthogonal_pairs_in_closed_form():
    vectors_BD = torch.eye(2)
    near_BB = similarities(vectors_BD, 3 * vectors_BD, 0.5)
    assert near_BB.tolist() == [[2.0, 0.0], [0.0, 2.0]]
    loss = F.cross_entropy(near_BB, torch.arange(2))
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)))


def test_partners_of_their_own_are_used():
    model = bert(head="backbone").eval()
    first, second = texts(3), texts(3, seed=1)
    batch = ContrastiveBatch(*first, second)
    expected = similarities(vectors(model, *first), vectors(model, *second), 0.1)
    loss = Contrastive(temperature=0.1)(model, batch)
    torch.testing.assert_close(loss.total, F.cross_entropy(expected, torch.arange(3), reduction="sum"))
    assert batch.positions == first[0].numel() + second[0].numel()
    assert batch.padding == batch.positions - int(first[1].sum() + second[1].sum())


def test_padding_changes_nothing():
    model = bert(head="backbone").eval()
    tokens, mask = texts(3)
    longer = F.pad(tokens, (0, 4)), F.pad(mask, (0, 4))
    torch.testing.assert_close(vectors(model, tokens, mask), vectors(model, *longer), rtol=1e-5, atol=1e-6)


def test_a_batch_that_was_cut_is_refused():
    model = bert(dropout=0.1, head="backbone")
    parts = [ContrastiveBatch(*texts(2, seed)) for seed in range(2)]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(Exception, match="cannot be cut into 2"):
        next(train(model, Contrastive(), [parts], optimizer, rate=lambda step: 0.1, steps=1))


def test_each_sentence_is_a_row(tmp_path):
    store = sentence_store(tmp_path / "s")
    ends = torch.zeros(60, dtype=torch.bool).numpy()
    ends[[9, 19, 29, 39]] = True
    examples = SentenceExamples(store, plan_sentences(store, ends, 20, single=True), Marks(1, 2, 0))
    batch = examples.batch(torch.arange(len(examples)).numpy())
    rows = [row[: int(n)].tolist() for row, n in zip(batch.tokens_BT, batch.mask_BT.sum(1), strict=True)]
    assert rows[:3] == [[1, 5, 6, 9, 2], [1, 7, 8, 6, 9, 2], [1, 5, 5, 7, 2]] and len(rows) == 3 + 4 + 1 + 7
