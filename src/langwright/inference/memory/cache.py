"""Keys and values of the rows that run together, in one buffer per layer.

Rows end at the same column, so that one token a row is one write, and distances between columns are
distances in the text (sliding windows need that). What stands left of a shorter row is zero and masked:

    row 0   . . . a b c d e |          start ..... end |  room for the next tokens
    row 1   . . . . . f g h |
    row 2   . . i j k l m n |

A row that joins is copied in from its prefill; a row that leaves is replaced by the last one, so the
running rows are always the first. Buffers are allocated with room ahead and moved seldom.

Shapes    B rows    H key-value heads    T columns    D head width
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, PretrainedConfig
from transformers.cache_utils import DummyLayer, DynamicLayer, DynamicSlidingWindowLayer

from langwright.errors import UserError

ROOM = 256  # columns allocated ahead: a buffer is moved once in so many tokens


class Columns:
    """Where the running rows lie; the same in all layers."""

    def __init__(self) -> None:
        self.rows = 0
        self.start = 0
        self.end = 0

    @property
    def width(self) -> int:
        """Columns of the longest row."""
        return self.end - self.start


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's buffer. Writes go behind `columns.end`; what is returned is a view, nothing is copied."""

    keys: Tensor
    values: Tensor
    is_initialized: bool

    def __init__(self, columns: Columns) -> None:
        super().__init__()
        self.columns = columns

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Append to every running row; keys and values of all columns in use, each (B, H, T, D)."""
        columns = self.columns
        until = columns.end + key_states.shape[-2]
        self.keys[: columns.rows, :, columns.end : until] = key_states
        self.values[: columns.rows, :, columns.end : until] = value_states
        used = (slice(columns.rows), slice(None), slice(columns.start, until))
        return self.keys[used], self.values[used]

    def get_seq_length(self) -> int:
        """Columns before the tokens of this step."""
        return self.columns.width

    def buffers(self) -> tuple[Tensor, Tensor]:
        return self.keys, self.values

    def place(self, row: int, keys_HTD: Tensor, values_HTD: Tensor) -> None:
        """Put a row's own columns so that they end at `columns.end`, and zeros before them."""
        first = self.columns.end - keys_HTD.shape[-2]
        for buffer_BHTD, part_HTD in ((self.keys, keys_HTD), (self.values, values_HTD)):
            buffer_BHTD[row, :, :first] = 0  # a masked column still takes part as 0 × what stands there
            buffer_BHTD[row, :, first : self.columns.end] = part_HTD

    def move(self, rows: int, columns: int, end: int, like: tuple[Tensor, Tensor]) -> None:
        """Allocate (rows, columns) anew and bring the running rows over so that they end at `end`."""
        fresh = [part.new_empty((rows, part.shape[1], columns, part.shape[3])) for part in like]
        if self.is_initialized:
            old = self.columns
            for buffer_BHTD, part_BHTD in zip(fresh, self.buffers(), strict=True):
                buffer_BHTD[: old.rows, :, : end - old.width] = 0
                buffer_BHTD[: old.rows, :, end - old.width : end] = part_BHTD[: old.rows, :, old.start : old.end]
        self.keys, self.values = fresh
        self.dtype, self.device = self.keys.dtype, self.keys.device
        self.is_initialized = True


class RunningCache(Cache):  # type: ignore[misc]
    """The cache of a running batch, handed to the model at every step."""

    def __init__(self, layers: Sequence[DummyLayer | None], max_rows: int) -> None:
        """layers: as `blank_layers` gives them."""
        self.columns = Columns()
        self.max_rows = max_rows
        super().__init__(layers=[RoomyLayer(self.columns) if layer is None else layer for layer in layers])

    @property
    def holders(self) -> list[RoomyLayer]:
        """The layers that hold something (some architectures share keys and values between layers)."""
        return [layer for layer in self.layers if isinstance(layer, RoomyLayer)]

    def join(self, filled: Cache, lengths: Sequence[int], ahead: int = 0) -> None:
        """Add the rows of a left-padded prefill, with these lengths, behind the running ones.

        ahead  columns before the padding that belong to every row: virtual tokens of an adapter
        """
        parts = [(layer.keys, layer.values) for layer in filled.layers if isinstance(layer, DynamicLayer)]
        self._make_room(self.columns.rows + len(lengths), ahead + max(lengths), parts)
        for layer, pair in zip(self.holders, parts, strict=True):
            for row, length in enumerate(lengths):
                own = [torch.cat([part[row, :, :ahead], part[row, :, -length:]], dim=1) for part in pair]
                layer.place(self.columns.rows + row, *own)
        self.columns.rows += len(lengths)

    def leave(self, row: int) -> None:
        """Take out a row; the last one takes its place."""
        last = self.columns.rows - 1
        if row != last:
            for layer in self.holders:
                for buffer_BHTD in layer.buffers():
                    buffer_BHTD[row, :, : self.columns.end] = buffer_BHTD[last, :, : self.columns.end]
        self.columns.rows = last

    def fit(self, longest: int) -> None:
        """Use no more columns than the longest row has, and see that there is room for one more."""
        columns = self.columns
        columns.start = columns.end - longest
        if columns.rows and columns.end + 1 > self.holders[0].keys.shape[2]:
            self._make_room(columns.rows, longest, [layer.buffers() for layer in self.holders])

    def advance(self) -> None:
        """The step is over: every row is one column longer."""
        self.columns.end += 1

    def release(self) -> None:
        """Give all memory back; for when nothing runs."""
        for layer in self.holders:
            layer.reset()
        self.columns.rows = self.columns.start = self.columns.end = 0

    def _make_room(self, rows: int, width: int, like: Sequence[tuple[Tensor, Tensor]]) -> None:
        columns = self.columns
        width = max(width, columns.width)
        if self.holders[0].is_initialized:
            have_rows, have_columns = self.holders[0].keys.shape[0], self.holders[0].keys.shape[2]
            if rows <= have_rows and width <= columns.end < have_columns:
                columns.start = min(columns.start, columns.end - width)
                return
            rows = max(rows, have_rows)
        rows = min(self.max_rows, 1 << (rows - 1).bit_length())
        for layer, part in zip(self.holders, like, strict=True):
            layer.move(rows, width + ROOM, width, part)
        columns.start, columns.end = 0, width


def blank_layers(config: PretrainedConfig) -> list[DummyLayer | None]:
    """One entry a layer: None where keys and values are to be held, the layer itself where nothing is.

    raises  UserError for architectures whose memory is not keys and values of past tokens
    """
    layers: list[DummyLayer | None] = []
    for layer in DynamicCache(config=config).layers:
        if isinstance(layer, DummyLayer):
            layers.append(layer)
        elif type(layer) in (DynamicLayer, DynamicSlidingWindowLayer):
            layers.append(None)
        else:
            raise UserError(
                "models of type {type} keep a running state, which this engine cannot batch",
                fix="use a model whose layers are attention, such as Llama, Qwen, Mistral, Gemma or GPT-2",
                type=config.model_type,
            )
    return layers


def prefill_cache(config: PretrainedConfig, past: Sequence[tuple[Tensor, Tensor]] = (), rows: int = 1) -> Cache:
    """A cache for a prefill; sliding layers keep all columns, their window is in the mask.

    past  keys and values, each (1, H, T, D), that every row begins with, for each layer that holds something
    """
    cache = Cache(layers=[DynamicLayer() if layer is None else layer for layer in blank_layers(config)])
    if past:
        holders = [layer for layer in cache.layers if isinstance(layer, DynamicLayer)]
        for layer, pair in zip(holders, past, strict=True):
            layer.update(*(part.expand(rows, -1, -1, -1) for part in pair))
    return cache


def causal_mask(lengths_B: Tensor, width: int) -> Tensor:
    """True where a left-padded row has a token, shape (B, width)."""
    return torch.arange(width, device=lengths_B.device) >= (width - lengths_B)[:, None]
