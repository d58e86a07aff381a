"""Span corruption: runs of tokens are replaced by marks, and what stood there is to be written out.

Source    Raffel et al. 2020, arXiv:1910.10683 (T5), sections 3.1.4 and 3.3.4: 15 % of the tokens in spans of
          three on average, each span one sentinel in the input; the target is every sentinel followed by what
          it stands for. How spans are drawn, and how many tokens make an input exactly full, is as in the
          code published with the paper: numbers of tokens and spans are fixed, and only the places are random.
Differs   The target always ends with the end-of-text token and never with a closing sentinel: a row always
          ends in a corrupted span, as in the published code, so there is nothing for one to close. (Figure 2
          of the paper shows one because its sentence does not.)
Shapes    L tokens of a row
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from langwright.errors import UserError

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Spans:
    """How much of a row is corrupted.

    density    share of its tokens
    mean_span  tokens in a span on average
    """

    density: float = 0.15
    mean_span: float = 3.0

    def counts(self, length: int) -> tuple[int, int]:
        """Corrupted tokens of a row of so many, at least one of them and one left, and the spans they make."""
        noise = min(max(round(length * self.density), 1), length - 1)
        spans = max(round(noise / self.mean_span), 1)
        return noise, min(spans, noise, length - noise)

    def widths(self, length: int) -> tuple[int, int]:
        """Tokens of input and of target that a row of so many becomes, each with its end-of-text token."""
        noise, spans = self.counts(length)
        return length - noise + spans + 1, noise + spans + 1

    def row_for(self, width: int) -> int:
        """The longest row whose input and target are no wider than `width`.

        raises  UserError when not even two tokens fit
        """
        length = width
        while length >= 2 and max(self.widths(length)) > width:
            length -= 1
        while max(self.widths(length + 1)) <= width and length >= 2:
            length += 1
        if length < 2:
            raise UserError(
                "a width of {width} leaves no room for a corrupted row", fix="raise it with --set length=N", width=width
            )
        return length


def span_mask(length: int, spans: Spans, numbers: np.random.Generator) -> Mask:
    """Which tokens of a row are corrupted, shape (L,): kept and corrupted runs in turn, beginning with a kept one.

    The lengths of the runs of each kind are a uniformly random composition of their sum. A row of fewer than two
    tokens is left whole.
    """
    if length < 2:
        return np.zeros(length, dtype=np.bool_)
    noise, count = spans.counts(length)
    runs = np.stack([composition(length - noise, count, numbers), composition(noise, count, numbers)], axis=1)
    return np.repeat(np.tile([False, True], count), runs.ravel())


def composition(total: int, parts: int, numbers: np.random.Generator) -> Ids:
    """`total` as a sum of `parts` positive numbers, each way as likely as any other, shape (parts,)."""
    cuts = np.sort(numbers.choice(total - 1, parts - 1, replace=False)) + 1 if parts > 1 else np.empty(0, np.int64)
    return np.diff(np.concatenate([[0], cuts, [total]])).astype(np.int64)


def corrupt(ids: Ids, mask: Mask, sentinels: Ids) -> tuple[Ids, Ids]:
    """Input and target of a row, without end-of-text tokens.

    ids        shape (L,)
    mask       shape (L,), True where a token is to be written out
    sentinels  ids of the marks in their order, at least as many as there are spans

    >>> corrupt(np.arange(10, 16), np.array([0, 1, 1, 0, 0, 1], dtype=bool), np.array([90, 91]))
    (array([10, 90, 13, 14, 91]), array([90, 11, 12, 91, 15]))
    """
    begins = mask & ~np.concatenate([[False], mask[:-1]])
    places = np.flatnonzero(begins)
    marks = sentinels[: len(places)]
    inputs = ids.copy()
    inputs[places] = marks
    pieces = np.split(ids, places)[1:]
    holes = np.split(mask, places)[1:]
    target = [np.concatenate([[mark], piece[hole]]) for mark, piece, hole in zip(marks, pieces, holes, strict=True)]
    return inputs[~mask | begins], np.concatenate(target).astype(np.int64) if target else np.empty(0, np.int64)
