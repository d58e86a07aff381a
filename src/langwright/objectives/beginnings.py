"""Beginnings of texts with the labels of the whole: what a classifier learns that is to guide a text as it is written.

Source    Yang & Klein 2021, arXiv:2104.05218, section 3.1: each beginning of a text has the label of the whole
Differs   one beginning of each text is drawn in each epoch, of any length; they take all of them at once
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from langwright.data.drawing import draws
from langwright.objectives.classification import ClassificationBatch, TextExamples


@dataclass(frozen=True)
class Beginnings:
    """Texts that are cut anew in every epoch."""

    texts: TextExamples
    seed: int

    def __len__(self) -> int:
        return len(self.texts)

    def arrange(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Texts of like length next to each other."""
        return self.texts.arrange(rows)

    def taken(self, rows: NDArray[np.int64]) -> Beginnings:
        """Some of them, in this order."""
        return replace(self, texts=self.texts.taken(rows))

    def batch(self, rows: NDArray[np.int64], epochs: NDArray[np.int64] | None = None) -> ClassificationBatch:
        """Beginnings of these texts, as drawn for these epochs; at least one token of each."""
        seen = np.zeros(len(rows), dtype=np.int64) if epochs is None else epochs
        some = self.texts.taken(rows)
        ends = [
            int(draws(self.seed, int(epoch), int(row), "beginnings").integers(1, len(ids) + 1))
            for ids, row, epoch in zip(some.texts, rows, seen, strict=True)
        ]
        cut = replace(some, texts=[ids[:end] for ids, end in zip(some.texts, ends, strict=True)], types=None)
        return cut.batch(np.arange(len(rows)))
