"""Where documents begin in a batch of packed rows, and which of them are computed together.

Attention inside documents never needs a T × T mask. Documents of like length are laid side by side as
one batch, shorter ones followed by zeros: causal attention looks back only, so what comes after a
document's end is never seen by it.

Shapes    B rows    T positions    M documents of a group    L positions of its longest
          N heads    H head width
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Starts = NDArray[np.int64]


@dataclass(frozen=True)
class Group:
    """Documents computed as one batch.

    places_ML  int64, where each token lies in the rows laid end to end; past a document's end, any place
    beyond_ML  True past the end of a document; None when all are equally long
    whole      the group is the batch as it lies: every row is one document
    """

    places_ML: Tensor
    beyond_ML: Tensor | None
    whole: bool = False

    def take(self, x_BNTH: Tensor) -> Tensor:
        """The group's documents out of the batch, zeros past their ends, shape (M, N, L, H)."""
        if self.whole:
            return x_BNTH
        places_ML = self.places_ML.to(x_BNTH.device)
        x_MLNH = x_BNTH.transpose(1, 2).flatten(0, 1)[places_ML]
        if self.beyond_ML is not None:
            x_MLNH = x_MLNH.masked_fill(self.beyond_ML.to(x_BNTH.device)[:, :, None, None], 0)
        return x_MLNH.transpose(1, 2)

    def put(self, out_BTNH: Tensor, x_MNLH: Tensor) -> None:
        """Write the group's documents into their places in `out`, which is contiguous."""
        if self.whole:
            out_BTNH.copy_(x_MNLH.transpose(1, 2))
            return
        flat = out_BTNH.flatten(0, 1)
        flat[self.real_places()] = self.real(x_MNLH)

    def real_places(self) -> Tensor:
        """Places of the group's tokens, one a token."""
        return self.places_ML.flatten() if self.beyond_ML is None else self.places_ML[~self.beyond_ML]

    def real(self, x_MNLH: Tensor) -> Tensor:
        """The values of the group's tokens, in the order of `real_places`, shape (tokens, N, H)."""
        x_MLNH = x_MNLH.transpose(1, 2)
        return x_MLNH.flatten(0, 1) if self.beyond_ML is None else x_MLNH[~self.beyond_ML.to(x_MLNH.device)]


def document_groups(documents: Tensor | None, rows: int, length: int) -> tuple[Group, ...]:
    """The documents of a batch in groups.

    documents  None: every row is one document;
               one dimension: where each document begins in the rows laid end to end, then rows · length
               (it may be repeated to fill up a tensor of fixed size, and row ends are added);
               two dimensions, (B, T) or (1, T): each token's position, a document begins where it does not rise by one
    rows       B
    length     T
    """
    if documents is None:
        return (Group(torch.empty(0, dtype=torch.int64), None, whole=True),)
    values = np.ascontiguousarray(documents.detach().cpu().numpy(), dtype=np.int64)
    return _groups(values.tobytes(), values.shape, rows, length)


@lru_cache(maxsize=16)
def _groups(content: bytes, shape: tuple[int, ...], rows: int, length: int) -> tuple[Group, ...]:
    """As `document_groups`; kept, because each layer asks for the same batch, forward and backward."""
    starts = document_starts(np.frombuffer(content, dtype=np.int64).reshape(shape), rows, length)
    if len(starts) == rows:
        return (Group(torch.empty(0, dtype=torch.int64), None, whole=True),)
    lengths = np.diff(np.append(starts, rows * length))
    order = np.argsort(-lengths, kind="stable")
    found, begin = [], 0
    for place in range(1, len(order) + 1):
        if place == len(order) or not alike(int(lengths[order[begin]]), int(lengths[order[place]])):
            found.append(lay_out(starts[order[begin:place]], lengths[order[begin:place]]))
            begin = place
    return tuple(found)


def alike(longest: int, other: int) -> bool:
    """Whether computing the shorter document at the longer one's length is cheaper than a batch of its own.

    A quarter of the length wastes at most 44 % of that document's work; sixteen tokens cost less than
    the dozen operations of another batch.
    """
    return other + 16 >= 0.75 * longest


def document_starts(documents: Starts, rows: int, length: int) -> Starts:
    """Where each document begins in the rows laid end to end; every row begins one.

    raises  ValueError for boundaries outside the batch or positions of another shape
    """
    row_starts = np.arange(rows, dtype=np.int64) * length
    if documents.ndim == 1:
        if documents.size and not (documents.min() >= 0 and documents.max() <= rows * length):
            raise ValueError(f"document boundaries outside 0 to {rows * length}")
        return np.union1d(row_starts, documents[documents < rows * length])
    if documents.ndim != 2 or documents.shape[1] != length or documents.shape[0] not in (1, rows):
        raise ValueError(f"positions of shape {documents.shape} for {rows} rows of {length}")
    breaks = np.ones((documents.shape[0], length), dtype=bool)
    breaks[:, 1:] = np.diff(documents, axis=1) != 1
    return np.flatnonzero(np.broadcast_to(breaks, (rows, length)))


def lay_out(starts: Starts, lengths: Starts) -> Group:
    """A group of the documents that begin at `starts`."""
    offsets_L = np.arange(int(lengths.max()), dtype=np.int64)
    beyond_ML = offsets_L[None, :] >= lengths[:, None]
    places_ML = np.where(beyond_ML, starts[:, None], starts[:, None] + offsets_L[None, :])
    return Group(torch.from_numpy(places_ML), torch.from_numpy(beyond_ML) if beyond_ML.any() else None)
