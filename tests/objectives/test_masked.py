"""Masked language modelling: the loss against transformers, which tokens are hidden, and what stands for them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.objectives.encoders import EVERY, FIRST, LAST, MASK, MASKING, ORDINARY, PAD, VOCABULARY, bert, masked_batches

from langwright.data.packing import plan_blocks
from langwright.data.store import Document, build_store, open_store
from langwright.models.places import Places
from langwright.objectives.masked import Marks, Masked, MaskedExamples, MaskedRow, collate_masked
from langwright.objectives.masking import Masking


@pytest.mark.spec("P2", "the loss over hidden tokens equals transformers' BertForMaskedLM on the same rows")
def test_the_loss_is_that_of_transformers():
    model = bert()
    batch, _ = masked_batches()
    labels_BT = torch.full(batch.tokens_BT.shape, -100)
    kept = batch.targets_P != -100
    labels_BT.view(-1)[batch.places_P[kept]] = batch.targets_P[kept]
    theirs = model(input_ids=batch.tokens_BT, attention_mask=batch.attention, labels=labels_BT).loss
    ours = Masked(model)(model, batch)
    assert ours.units == batch.units == int(kept.sum())
    torch.testing.assert_close(ours.total / ours.units, theirs, rtol=1e-5, atol=1e-6)


def test_the_model_gives_all_logits_when_nobody_asks_for_places():
    model = bert().eval()
    batch, _ = masked_batches()
    before = model(input_ids=batch.tokens_BT).logits
    objective = Masked(model)
    some = objective.logits(model, batch)
    assert some.shape == (len(batch.places_P), VOCABULARY)
    assert torch.equal(model(input_ids=batch.tokens_BT).logits, before)
    assert objective.scored(some, batch).shape == (batch.units, VOCABULARY)


def test_a_model_without_a_known_head_is_refused():
    with pytest.raises(ValueError, match="no head"):
        Places(torch.nn.Linear(2, 2))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 80), st.integers(0, 10**6), st.floats(0.05, 0.6))
def test_as_many_tokens_are_hidden_as_asked_for(count, seed, share):
    masking = Masking(share, 0.8, 0.1, MASK, MASKING.ordinary_V)
    numbers = np.random.default_rng(seed)
    ids = numbers.integers(0, VOCABULARY, count)
    seen, places = masking.apply(ids, EVERY[:count], numbers)
    text = int((ids >= ORDINARY).sum())
    assert len(places) == (max(1, round(share * text)) if text else 0)
    assert (ids[places] >= ORDINARY).all(), "marks are never hidden"
    assert (np.diff(places) > 0).all()
    others = np.setdiff1d(np.arange(count), places)
    assert (seen[others] == ids[others]).all()


def test_eighty_ten_ten():
    """Shares within four standard deviations of a binomial, and any token may stand for another."""
    numbers = np.random.default_rng(0)
    masks = kept = total = 0
    others = []
    for _ in range(400):
        ids = numbers.integers(ORDINARY, VOCABULARY, 200)
        seen, places = MASKING.apply(ids, EVERY[:200], numbers)
        masks += int((seen[places] == MASK).sum())
        kept += int((seen[places] == ids[places]).sum())
        others += [a for a, b in zip(seen[places], ids[places], strict=True) if a not in (MASK, b)]
        total += len(places)
    assert total == 400 * 30  # 15 % of 200

    def near(found, share):
        return abs(found - share * total) < 4 * np.sqrt(share * (1 - share) * total)

    by_chance = 0.1 / (VOCABULARY - ORDINARY)  # a random token is the same one
    assert near(masks, 0.8) and near(kept, 0.1 + by_chance) and near(len(others), 0.1 - by_chance)
    assert set(others) == set(range(ORDINARY, VOCABULARY))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.integers(0, 10**6))
def test_whole_words_are_never_half_hidden(sizes, seed):
    begins = np.concatenate([[True] + [False] * (size - 1) for size in sizes])
    ids = np.random.default_rng(seed).integers(ORDINARY, VOCABULARY, len(begins))
    _, places = Masking(0.4, 0.8, 0.1, MASK, MASKING.ordinary_V).apply(ids, begins, np.random.default_rng(seed))
    hidden = np.zeros(len(begins), dtype=bool)
    hidden[places] = True
    for start, end in pairwise([*np.flatnonzero(begins), len(begins)]):
        assert hidden[start:end].all() or not hidden[start:end].any()
    assert len(places) <= max(1, round(0.4 * len(begins)))


def test_a_mark_inside_a_word_parts_it():
    ids = np.array([7, 8, FIRST, 9, 10])
    begins = np.array([True, False, False, False, False])
    for seed in range(20):
        _, places = Masking(0.5, 1, 0, MASK, MASKING.ordinary_V).apply(ids, begins, np.random.default_rng(seed))
        assert places.tolist() in ([0, 1], [3, 4])


# --- rows of a store -----------------------------------------------------------------------------


def examples(tmp_path, *, dynamic=True, apart=False, seed=0, length=14):
    numbers = np.random.default_rng(2)
    documents = [Document(numbers.integers(ORDINARY, VOCABULARY, n).tolist(), None, n) for n in (9, 30, 4, 17)]
    folder = tmp_path / "store"
    store = open_store(folder) if folder.exists() else build_store(folder, documents, VOCABULARY)
    return MaskedExamples(
        store, plan_blocks(store, length), Marks(FIRST, LAST, PAD), MASKING, None, apart, dynamic, seed
    )


ROWS = np.arange(3)


def test_rows_are_filled_with_text_between_marks(tmp_path):
    found = examples(tmp_path)
    batch = found.batch(np.arange(len(found)))
    assert batch.tokens_BT.shape == (5, 16) and batch.padding == 5 * 14 - 60 and batch.units == 4 * 2 + 1
    assert (batch.tokens_BT[:, 0] == FIRST).all() and (batch.tokens_BT[:4, 15] == LAST).all()
    text = batch.tokens_BT.clone()
    kept = batch.targets_P != -100
    text.view(-1)[batch.places_P[kept]] = batch.targets_P[kept]
    assert torch.cat([text[:4, 1:15].flatten(), text[4, 1:5]]).tolist() == found.store.tokens.tolist()
    assert batch.attention.sum(1).tolist() == [16] * 4 + [6]
    assert found.batch(ROWS).attention is None


def test_dynamic_masking_differs_by_epoch_and_static_does_not(tmp_path):
    for dynamic in (True, False):
        found = examples(tmp_path, dynamic=dynamic)
        first, second = found.batch(ROWS, np.zeros(3, dtype=int)), found.batch(ROWS, np.ones(3, dtype=int))
        assert torch.equal(first.places_P, second.places_P) is not dynamic
        assert torch.equal(found.batch(ROWS).tokens_BT, first.tokens_BT), "no epoch is the first"
    other = examples(tmp_path, seed=1).batch(ROWS)
    assert not torch.equal(other.places_P, first.places_P)


def test_a_row_is_masked_the_same_whoever_stands_beside_it(tmp_path):
    found = examples(tmp_path)
    epochs = np.array([4, 4, 4])
    whole = found.batch(ROWS, epochs)
    for row in ROWS:
        alone = found.batch(ROWS[row : row + 1], epochs[:1])
        assert torch.equal(alone.tokens_BT[0], whole.tokens_BT[row])


def test_documents_that_are_apart_do_not_see_each_other(tmp_path):
    found = examples(tmp_path, apart=True)
    batch = found.batch(np.arange(1))  # nine tokens of one document and five of the next
    model = bert().eval()
    assert batch.positions_BT[0].tolist() == [*range(10), *range(6)]
    with torch.no_grad():
        before = model(
            input_ids=batch.tokens_BT, attention_mask=batch.attention, position_ids=batch.positions_BT
        ).logits
        changed = batch.tokens_BT.clone()
        changed[0, 12] = 59 if changed[0, 12] != 59 else 58
        after = model(input_ids=changed, attention_mask=batch.attention, position_ids=batch.positions_BT).logits
        assert torch.equal(before[0, :10], after[0, :10]) and not torch.allclose(before[0, 10:], after[0, 10:])
        alone = model(input_ids=batch.tokens_BT[:, :10]).logits
    torch.testing.assert_close(before[:, :10], alone, rtol=1e-5, atol=1e-6)
    last = found.batch(np.array([len(found) - 1]))
    assert last.attention.shape == (1, 1, 16, 16) and not last.attention[0, 0, :6, 6:].any()


def test_collating_by_hand():
    row = MaskedRow(np.array([1, 7, 3, 2]), np.array([0, 0, 1, 1]), np.array([2]), np.array([9]))
    batch = collate_masked([row, row], 5, 2, PAD)
    assert batch.tokens_BT.tolist() == [[1, 7, 3, 2, 0]] * 2 and batch.types_BT.tolist() == [[0, 0, 1, 1, 0]] * 2
    assert batch.places_P.tolist() == [2, 0, 7, 0] and batch.targets_P.tolist() == [9, -100, 9, -100]
    assert (batch.units, batch.padding, batch.positions) == (2, 2, 10)
