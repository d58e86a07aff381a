"""The buffer that running rows share: who joins, who leaves, what is moved and what is zeroed."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import Cache, LlamaConfig
from transformers.cache_utils import DynamicLayer

from langwright.inference.memory import cache as module
from langwright.inference.memory.cache import RunningCache, blank_layers, causal_mask

CONFIG = LlamaConfig(num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, hidden_size=4)


def prefill(lengths: list[int], first: int) -> Cache:
    """A left-padded prefill whose keys are numbered per row and column; the padding is poison."""
    longest = max(lengths)
    filled = Cache(layers=[DynamicLayer(), DynamicLayer()])
    keys_BHTD = torch.full((len(lengths), 2, longest, 2), float("nan"))
    for row, length in enumerate(lengths):
        keys_BHTD[row, :, longest - length :] = tokens(first + row, 0, length)
    for layer in (0, 1):
        filled.update(keys_BHTD + layer, -keys_BHTD - layer, layer)
    return filled


def tokens(row: int, begin: int, end: int) -> torch.Tensor:
    """What row `row` holds from position `begin` to `end`, shape (H, T, D)."""
    return (1000.0 * (row + 1) + torch.arange(begin, end))[None, :, None].expand(2, -1, 2)


def check(cache: RunningCache, rows: list[tuple[int, int]]) -> None:
    """Every row (number, length) ends at the last column, with zeros before it."""
    columns = cache.columns
    assert columns.rows == len(rows)
    for number, layer in enumerate(cache.holders):
        for place, (row, length) in enumerate(rows):
            keys_HTD = layer.keys[place, :, columns.start : columns.end]
            assert torch.equal(keys_HTD[:, columns.width - length :], tokens(row, 0, length) + number)
            assert not keys_HTD[:, : columns.width - length].any()
            assert torch.equal(
                layer.values[place, :, columns.end - length : columns.end], -tokens(row, 0, length) - number
            )


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_rows_keep_what_is_theirs(data: st.DataObject) -> None:
    """Any order of joining, stepping and leaving; a little room, so that the buffer is often moved."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROOM", data.draw(st.integers(1, 4)))
        cache, rows, made = RunningCache(blank_layers(CONFIG), max_rows=6), [], 0
        for _ in range(data.draw(st.integers(1, 25))):
            what = data.draw(st.sampled_from(["join", "step", "step", "leave"]))
            if what == "join" and len(rows) < 6:
                lengths = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=6 - len(rows)))
                cache.join(prefill(lengths, made), lengths)
                rows += [(made + row, length) for row, length in enumerate(lengths)]
                made += len(lengths)
            elif what == "step" and rows:
                cache.fit(max(length for _, length in rows))
                fresh_BHTD = torch.stack([tokens(row, length, length + 1) for row, length in rows])
                for layer in (0, 1):
                    keys_BHTD, _ = cache.update(fresh_BHTD + layer, -fresh_BHTD - layer, layer)
                    assert keys_BHTD.shape == (len(rows), 2, cache.columns.width + 1, 2)
                cache.advance()
                rows = [(row, length + 1) for row, length in rows]
            elif what == "leave" and rows:
                place = data.draw(st.integers(0, len(rows) - 1))
                cache.leave(place)
                rows[place] = rows[-1]
                rows.pop()
                if not rows:
                    cache.release()
            check(cache, rows)


def test_columns_shrink_when_the_longest_row_leaves() -> None:
    cache = RunningCache(blank_layers(CONFIG), max_rows=4)
    cache.join(prefill([9, 2], 0), [9, 2])
    cache.leave(0)
    cache.fit(2)
    assert (cache.columns.rows, cache.columns.width) == (1, 2)
    assert cache.get_seq_length() == 2


def test_memory_is_given_back_when_nothing_runs() -> None:
    cache = RunningCache(blank_layers(CONFIG), max_rows=4)
    cache.join(prefill([3], 0), [3])
    cache.leave(0)
    cache.release()
    assert all(layer.keys is None for layer in cache.holders)


def test_the_mask_hides_what_stands_left_of_a_row() -> None:
    assert causal_mask(torch.tensor([3, 1]), 3).tolist() == [[True] * 3, [False, False, True]]
