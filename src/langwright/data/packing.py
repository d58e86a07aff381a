"""How documents become rows of at most T + 1 tokens (T inputs, each predicting the next), planned once and stored.

stream   the store end to end, cut into rows that overlap by one token, so that each token but the first is
         predicted exactly once; rows are never padded
pack     whole documents gathered into rows by best-fit decreasing (Ding et al. 2024, "Fewer truncations
         improve language modeling", arXiv:2404.10830, section 3); a document longer than a row is cut and counted
single   one document a row, for batches padded to their longest row
blocks   the store end to end, cut into rows of T tokens that share none, for objectives that do not look ahead
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from langwright.data.store import TokenStore, load_array, save_array
from langwright.files import sync_folder, write_whole

Layout = Literal["stream", "pack", "single", "blocks"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
FORMAT = 1
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """One row.

    ids         int64, at most T + 1 of them
    supervised  aligned with ids, True for the tokens that are to be predicted; never the first of a row
    starts      index in ids at which each document begins, the first always 0
    """

    ids: NDArray[np.int64]
    supervised: NDArray[np.bool_]
    starts: NDArray[np.int64]


@dataclass(frozen=True)
class RowPlan:
    """Which tokens stand in which row. A piece is a run of tokens of the store.

    begins     where each piece begins in the store
    lengths    tokens of each piece
    rows       shape (rows + 1,): the first piece of each row, then their number
    truncated  documents that were cut to fit
    """

    layout: Layout
    length: int  # T
    begins: Indices
    lengths: Indices
    rows: Indices
    truncated: int = 0

    def __len__(self) -> int:
        return len(self.rows) - 1

    def row(self, store: TokenStore, index: int) -> Sample:
        """The tokens of one row."""
        pieces = range(int(self.rows[index]), int(self.rows[index + 1]))
        spans = [(int(self.begins[p]), int(self.begins[p] + self.lengths[p])) for p in pieces]
        ids = np.concatenate([store.tokens[begin:end] for begin, end in spans]).astype(np.int64)
        supervised = np.concatenate([store.supervision(begin, end) for begin, end in spans])
        if self.layout in ("stream", "blocks"):
            begin, end = spans[0]
            inner = store.offsets[np.searchsorted(store.offsets, begin, "right") : np.searchsorted(store.offsets, end)]
            starts = np.concatenate([[0], np.asarray(inner) - begin]).astype(np.int64)
            supervised[0] &= self.layout == "blocks"
        else:
            starts = np.concatenate([[0], np.cumsum([end - begin for begin, end in spans])[:-1]]).astype(np.int64)
            supervised[starts] = False
        return Sample(ids, supervised, np.unique(starts))

    def row_lengths(self) -> Indices:
        """Tokens in each row, shape (rows,)."""
        sums = np.concatenate([[0], np.cumsum(self.lengths)])
        return np.diff(sums[np.asarray(self.rows)]).astype(np.int64)

    @property
    def filled(self) -> float:
        """Share of the places of all rows that hold a token."""
        return float(np.sum(self.lengths)) / (len(self) * (self.length + (self.layout != "blocks")))

    def save(self, folder: Path) -> None:
        """Write the plan; `folder` appears only when it is whole."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            for name, values in (("begins", self.begins), ("lengths", self.lengths), ("rows", self.rows)):
                save_array(scratch / f"{name}.npy", np.asarray(values))
            facts = {"format": FORMAT, "layout": self.layout, "length": self.length, "truncated": self.truncated}
            write_whole(scratch / "plan.json", json.dumps(facts).encode() + b"\n")
            try:
                scratch.replace(folder)
            except OSError:
                if not (folder / "plan.json").is_file():  # else another process saved the same plan meanwhile
                    raise
            sync_folder(folder.parent)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def open_plan(folder: Path) -> RowPlan:
    """A saved plan, its arrays mapped and not read."""
    facts = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    begins, lengths, rows = (load_array(folder / f"{name}.npy") for name in ("begins", "lengths", "rows"))
    return RowPlan(facts["layout"], facts["length"], begins, lengths, rows, facts["truncated"])


def saved_plan(store: TokenStore, layout: Layout, length: int) -> RowPlan:
    """The plan kept beside the store, made on first use."""
    folder = store.folder / f"plan-v{FORMAT}-{layout}-{length}"
    if not (folder / "plan.json").is_file():
        PLANNERS[layout](store, length).save(folder)
    return open_plan(folder)


def plan_stream(store: TokenStore, length: int) -> RowPlan:
    """Rows of T + 1 tokens, each beginning with the last token of the one before; the last may be shorter."""
    tokens = store.facts.tokens
    begins = np.arange(0, max(tokens - 1, 1), length, dtype=np.int64)
    lengths = np.minimum(begins + length + 1, tokens) - begins
    return RowPlan("stream", length, begins, lengths, np.arange(len(begins) + 1, dtype=np.int64))


def plan_blocks(store: TokenStore, length: int) -> RowPlan:
    """Rows of T tokens one after the other; the last may be shorter."""
    begins = np.arange(0, store.facts.tokens, length, dtype=np.int64)
    lengths = np.minimum(begins + length, store.facts.tokens) - begins
    return RowPlan("blocks", length, begins, lengths, np.arange(len(begins) + 1, dtype=np.int64))


def plan_single(store: TokenStore, length: int) -> RowPlan:
    """One document a row, cut at T + 1 tokens; empty documents have no row."""
    begins, lengths, truncated = whole_documents(store, length)
    return RowPlan("single", length, begins, lengths, np.arange(len(begins) + 1, dtype=np.int64), truncated)


def plan_pack(store: TokenStore, length: int) -> RowPlan:
    """Best-fit decreasing: the longest document first, each into the fullest row that still takes it.

    Rows are kept in stacks by the room they have left, so the cost is one look at T + 2 bits a document.
    """
    begins, lengths, truncated = whole_documents(store, length)
    by_length = np.argsort(-lengths, kind="stable")
    room_left = Rooms(length + 1)
    row_of = np.empty(len(lengths), dtype=np.int64)
    for piece, size in zip(by_length.tolist(), lengths[by_length].tolist(), strict=True):
        row_of[piece] = room_left.place(size)
    by_row = np.lexsort((begins, row_of))
    rows = np.searchsorted(row_of[by_row], np.arange(room_left.rows + 1))
    return RowPlan("pack", length, begins[by_row], lengths[by_row], rows.astype(np.int64), truncated)


def whole_documents(store: TokenStore, length: int) -> tuple[Indices, Indices, int]:
    """Begin and length of each document that has tokens, cut at T + 1, and how many were cut."""
    begins = np.asarray(store.offsets[:-1])
    full = np.diff(np.asarray(store.offsets))
    lengths = np.minimum(full, length + 1)
    kept = lengths > 0
    return begins[kept], lengths[kept], int((full > lengths).sum())


PLANNERS: dict[Layout, Callable[[TokenStore, int], RowPlan]] = {
    "stream": plan_stream, "pack": plan_pack, "single": plan_single, "blocks": plan_blocks
}  # fmt: skip


class Rooms:
    """Rows by the room they have left; finds the fullest row that still takes a document."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.rows = 0
        self.waiting: list[list[int]] = [[] for _ in range(capacity + 1)]
        self.occupied = 0  # bit r is 1 when some row has room r

    def place(self, size: int) -> int:
        """The row that takes a document of this size; a new one when none has room."""
        enough = self.occupied >> size
        if enough:
            room = size + (enough & -enough).bit_length() - 1
            row = self.waiting[room].pop()
            if not self.waiting[room]:
                self.occupied &= ~(1 << room)
        else:
            row, room = self.rows, self.capacity
            self.rows += 1
        left = room - size
        if left:
            self.waiting[left].append(row)
            self.occupied |= 1 << left
        return row
