"""Beginnings of texts: the labels of the whole, other lengths in every epoch, the same ones after a resume."""

from __future__ import annotations

import numpy as np

from langwright.objectives.beginnings import Beginnings
from langwright.objectives.classification import TextExamples

TEXTS = TextExamples([np.arange(1, 2 + n) for n in range(12)], np.arange(12) % 3, pad_id=0)


def test_a_beginning_is_one_and_has_the_label_of_the_whole() -> None:
    examples = Beginnings(TEXTS, seed=4)
    rows = np.array([3, 11, 0, 7])
    seen = set()
    for epoch in range(30):
        batch = examples.batch(rows, np.full(4, epoch))
        assert batch.labels_B.tolist() == [0, 2, 0, 1]
        lengths = batch.mask_BT.sum(1).tolist()
        assert all(1 <= length <= row + 1 for length, row in zip(lengths, rows, strict=True))
        for row, (tokens, length) in enumerate(zip(batch.tokens_BT, lengths, strict=True)):
            assert tokens[:length].tolist() == list(range(1, length + 1)), row
        seen.add(lengths[1])
    assert len(seen) > 6


def test_what_is_drawn_depends_on_the_row_and_epoch_alone() -> None:
    examples = Beginnings(TEXTS, seed=4)
    whole = examples.batch(np.arange(12), np.full(12, 2)).mask_BT.sum(1).tolist()
    parts = [examples.batch(np.array([row]), np.array([2])).mask_BT.sum().item() for row in range(12)]
    assert whole == parts
