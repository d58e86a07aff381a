"""The parts of a packed step: tokens of rows that write, of prompts that are read, and of what is guessed to follow.

Shapes    T tokens of a part    R rows of a shelf    S positions held    N query heads    K key-value heads    H width
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from langwright.inference.memory.shelves import Place, Shelf
from langwright.inference.running.attention import Manner, attend_piece, attend_rows, earlier
from langwright.inference.running.rows import Row


class WritingPart:
    """The first rows of a shelf, one token each."""

    def __init__(self, shelf: Shelf[Row], device: torch.device) -> None:
        self.shelf = shelf
        self.tokens = len(shelf.rows)
        self._slots_R = torch.arange(self.tokens, device=device)
        self._positions_R = torch.tensor([row.computed for row in shelf.rows], device=device)
        self._masks: dict[int | None, Tensor] = {}

    def attend(self, layer: int, q_TNH: Tensor, k_TKH: Tensor, v_TKH: Tensor, manner: Manner) -> Tensor:
        keys_RKSH, values_RKSH = self.shelf.pair(layer)
        if self.tokens == 1:  # the same in less time than by indices
            at = self.shelf.rows[0].computed
            keys_RKSH[0, :, at], values_RKSH[0, :, at] = k_TKH[0], v_TKH[0]
        else:
            keys_RKSH[self._slots_R, :, self._positions_R] = k_TKH
            values_RKSH[self._slots_R, :, self._positions_R] = v_TKH
        mask = self._masks.get(manner.window)
        if mask is None:
            mask = earlier(self._positions_R, self.shelf.size, manner.window, q_TNH.dtype)[:, None, None]
            self._masks[manner.window] = mask
        return attend_rows(q_TNH, keys_RKSH[: self.tokens], values_RKSH[: self.tokens], mask, manner)


class RowPart:
    """Neighbouring tokens of one row, which what lies at its place precedes."""

    def __init__(self, place: Place, begin: int, end: int) -> None:
        self.place = place
        self.begin = begin
        self.end = end
        self.tokens = end - begin
        self._masks: dict[int | None, Tensor] = {}

    def laid(self, layer: int, k_KTH: Tensor, v_KTH: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of the whole place, with those of these tokens laid there, shape (K, S, H) each."""
        keys_KSH, values_KSH = self.place.pair(layer)
        keys_KSH[:, self.begin : self.end] = k_KTH
        values_KSH[:, self.begin : self.end] = v_KTH
        return keys_KSH, values_KSH

    def mask(self, size: int, window: int | None, like: Tensor) -> Tensor:
        """What each token sees of so many positions, shape (T, size)."""
        mask = self._masks.get(window)
        if mask is None:
            positions_T = torch.arange(self.begin, self.end, device=like.device)
            mask = self._masks[window] = earlier(positions_T, size, window, like.dtype)
        return mask


class ReadingPart(RowPart):
    """Tokens that are read together, over what the row has read so far."""

    def attend(self, layer: int, q_TNH: Tensor, k_TKH: Tensor, v_TKH: Tensor, manner: Manner) -> Tensor:
        k_KTH, v_KTH = k_TKH.transpose(0, 1), v_TKH.transpose(0, 1)
        keys_KSH, values_KSH = self.laid(layer, k_KTH, v_KTH)
        if self.begin == 0 and (manner.window is None or manner.window >= self.end):
            return attend_piece(q_TNH, k_KTH, v_KTH, None, manner)
        mask = self.mask(self.end, manner.window, q_TNH)
        return attend_piece(q_TNH, keys_KSH[:, : self.end], values_KSH[:, : self.end], mask, manner)


class GuessedPart(RowPart):
    """Guessed tokens, each over all that lies before it, one query at a time over the same shelf as if it were written alone.

    So its bits are the same too.
    """

    def attend(self, layer: int, q_TNH: Tensor, k_TKH: Tensor, v_TKH: Tensor, manner: Manner) -> Tensor:
        keys_KSH, values_KSH = self.laid(layer, k_TKH.transpose(0, 1), v_TKH.transpose(0, 1))
        mask = self.mask(keys_KSH.shape[1], manner.window, q_TNH)[:, None, None]
        # copied, since products of a view that stands for several rows take another way, with other last bits
        keys_TKSH, values_TKSH = (one.expand(self.tokens, -1, -1, -1).contiguous() for one in (keys_KSH, values_KSH))
        return attend_rows(q_TNH, keys_TKSH, values_TKSH, mask, manner)


def pieces(place: Place, begin: int, end: int, most: int | None) -> list[ReadingPart]:
    """A row's tokens in one piece, or in pieces that begin and end at multiples of `most`."""
    cuts = [] if most is None else range((begin // most + 1) * most, end, most)
    return [ReadingPart(place, one, other) for one, other in pairwise([begin, *cuts, end])] if begin < end else []
