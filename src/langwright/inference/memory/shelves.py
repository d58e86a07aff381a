"""Where keys and values of running rows lie: every row in one piece, on the shelf whose length just fits it.

    shelf of 64     | row c  5 of 64  | row a  63 of 64 |
    shelf of 128    | row d 70 of 128 |
    shelf of 192    | row b 150 of 192 | row e 129 of 192 |

Attention of a shelf's rows is one call over views, and what a row is padded to depends on its own length
alone. A row that outgrows its shelf is copied to the next, one that leaves is replaced by the last, so
that rows are always the first slots. A prompt that is read in several chunks lies by itself until its last.

All layers lie in one tensor where their heads have the same shape, else in one tensor a shape, so that a
row is moved in one copy.

Shapes    L layers, keys and values counted singly    R slots    K key-value heads    S positions    H head width
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

STEP = 64
EVEN_STEPS = 512  # up to here shelves differ by STEP, beyond by an eighth of the next power of two


def size_for(positions: int, most: int) -> int:
    """Positions of the shelf that a row of this length lies on; `most` where that would be more."""
    step = STEP if positions <= EVEN_STEPS else 1 << ((positions - 1).bit_length() - 3)
    return min(most, -(-positions // step) * step)


@dataclass(frozen=True)
class Heads:
    """Keys or values of one layer: how many heads of which width."""

    count: int
    width: int


@dataclass(frozen=True)
class Layout:
    """How the layers of a model are laid out in tensors.

    stacks  of each tensor: its heads, and how many layers lie in it
    keys    layer -> (tensor, place in it); values likewise
    """

    stacks: tuple[tuple[Heads, int], ...]
    keys: Mapping[int, tuple[int, int]]
    values: Mapping[int, tuple[int, int]]
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(cls, layers: Mapping[int, tuple[Heads, Heads]], dtype: torch.dtype, device: torch.device) -> Layout:
        """layers: heads of keys and of values."""
        counts: dict[Heads, int] = {}
        places: list[dict[int, tuple[Heads, int]]] = [{}, {}]
        for layer, pair in layers.items():
            for place, heads in zip(places, pair, strict=True):
                place[layer] = (heads, counts.get(heads, 0))
                counts[heads] = counts.get(heads, 0) + 1
        number = {heads: index for index, heads in enumerate(counts)}
        keys, values = ({layer: (number[heads], at) for layer, (heads, at) in place.items()} for place in places)
        return cls(tuple(counts.items()), keys, values, dtype, device)

    @property
    def position_bytes(self) -> int:
        """Bytes of keys and values of one position."""
        numbers = sum(heads.count * heads.width * layers for heads, layers in self.stacks)
        return numbers * torch.empty((), dtype=self.dtype).element_size()

    def empty(self, *slots: int, positions: int) -> list[Tensor]:
        """Tensors (L, slots…, K, S, H), not filled."""
        return [
            torch.empty((layers, *slots, heads.count, positions, heads.width), dtype=self.dtype, device=self.device)
            for heads, layers in self.stacks
        ]


class Held(Protocol):
    """A row as a shelf sees it."""

    computed: int  # positions whose keys and values lie somewhere
    place: Place | None


R = TypeVar("R", bound=Held)


class Place(Protocol):
    """Where one row lies."""

    def tensors(self) -> list[Tensor]:
        """Its part of each stack, (L, K, S, H)."""
        ...

    def pair(self, layer: int) -> tuple[Tensor, Tensor]:
        """Keys and values of one layer, each (K, S, H)."""
        ...

    def leave(self) -> None:
        """Free the place."""
        ...


class Loose:
    """A row by itself, with room for its prompt."""

    def __init__(self, layout: Layout, positions: int) -> None:
        self.layout = layout
        self._stacks = layout.empty(positions=positions)

    def tensors(self) -> list[Tensor]:
        return self._stacks

    def pair(self, layer: int) -> tuple[Tensor, Tensor]:
        (one, key), (other, value) = self.layout.keys[layer], self.layout.values[layer]
        return self._stacks[one][key], self._stacks[other][value]

    def leave(self) -> None:
        self._stacks = []


@dataclass
class Slot(Generic[R]):
    """A row's place on a shelf. Its number changes when another row leaves."""

    shelf: Shelf[R]
    number: int

    def tensors(self) -> list[Tensor]:
        return [stack[:, self.number] for stack in self.shelf.stacks]

    def pair(self, layer: int) -> tuple[Tensor, Tensor]:
        keys, values = self.shelf.pair(layer)
        return keys[self.number], values[self.number]

    def leave(self) -> None:
        self.shelf.remove(self.number)


class Shelf(Generic[R]):
    """Rows of about one length. `stacks` are (L, R, K, S, H) each."""

    def __init__(self, layout: Layout, size: int, most: int) -> None:
        """most: rows that will ever lie here together."""
        self.layout = layout
        self.size = size
        self.most = most
        self.rows: list[R] = []
        self.stacks: list[Tensor] = []
        self._pairs: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def slots(self) -> int:
        """Rows there is memory for."""
        return self.stacks[0].shape[1] if self.stacks else 0

    def pair(self, layer: int) -> tuple[Tensor, Tensor]:
        """Keys and values of one layer, each (R, K, S, H)."""
        found = self._pairs.get(layer)
        if found is None:
            (one, key), (other, value) = self.layout.keys[layer], self.layout.values[layer]
            found = self._pairs[layer] = self.stacks[one][key], self.stacks[other][value]
        return found

    def add(self, row: R, source: Place | None = None) -> None:
        """Bring a row here behind the others, with what lies where it lies now or at `source`, if anywhere."""
        if len(self.rows) == self.slots:
            self._resize(min(self.most, max(1, 2 * self.slots)))
        number, old = len(self.rows), source or row.place
        for index, stack in enumerate(self.stacks):
            mine = stack[:, number]
            if old is not None:
                mine[:, :, : row.computed] = old.tensors()[index][:, :, : row.computed]
            mine[:, :, row.computed :] = 0  # what is masked still takes part as 0 × what stands there
        if row.place is not None:
            row.place.leave()
        self.rows.append(row)
        row.place = Slot(self, number)

    def remove(self, number: int) -> None:
        """Take out a row; the last one takes its place."""
        last = self.rows.pop()
        if number < len(self.rows):
            for stack in self.stacks:
                stack[:, number, :, : last.computed] = stack[:, len(self.rows), :, : last.computed]
                stack[:, number, :, last.computed :] = 0
            self.rows[number] = last
            assert isinstance(last.place, Slot)
            last.place.number = number
        if not self.rows:
            self.stacks = []
            self._pairs = {}
        elif len(self.rows) <= self.slots // 4:
            self._resize(self.slots // 2)

    def _resize(self, slots: int) -> None:
        fresh = self.layout.empty(slots, positions=self.size)
        for new, old in zip(fresh, self.stacks, strict=False):
            new[:, : len(self.rows)] = old[:, : len(self.rows)]
        self.stacks = fresh
        self._pairs = {}


@dataclass
class Shelves(Generic[R]):
    """All shelves, short ones first.

    most_rows  that will ever lie here together
    longest    positions of the longest row there may be
    """

    layout: Layout
    most_rows: int
    longest: int
    _shelves: dict[int, Shelf[R]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Shelf[R]]:
        """Those with rows."""
        return (self._shelves[size] for size in sorted(self._shelves) if self._shelves[size].rows)

    def size_for(self, positions: int) -> int:
        """Positions that a row of this length takes up."""
        return size_for(positions, self.longest)

    def put(self, row: R, positions: int) -> None:
        """Bring a row to the shelf for this many positions."""
        self._shelf(positions).add(row)

    def fork(self, row: R, twin: R) -> None:
        """Let another row go on from all that this one holds, with room for one position more."""
        twin.computed = row.computed
        self._shelf(row.computed + 1).add(twin, row.place)

    def _shelf(self, positions: int) -> Shelf[R]:
        size = self.size_for(positions)
        if size not in self._shelves:
            self._shelves[size] = Shelf(self.layout, size, self.most_rows)
        return self._shelves[size]
