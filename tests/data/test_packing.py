"""Row plans: every token where it belongs, nothing longer than a row, nothing lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.data.packing import (
    LAYOUTS,
    PLANNERS,
    Layout,
    RowPlan,
    open_plan,
    plan_blocks,
    plan_pack,
    plan_single,
    plan_stream,
    saved_plan,
)
from langwright.data.store import Document, StoreFacts, TokenStore, build_store

LENGTHS = st.lists(st.integers(0, 40), min_size=1, max_size=60).filter(any)


def store_of(lengths: list[int], supervised: list[bool] | None = None) -> TokenStore:
    """A store in memory whose tokens are 0, 1, 2, … so that each is known again."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    total = int(offsets[-1])
    facts = StoreFacts(dtype="<u4", vocab_size=total, tokens=total, documents=len(lengths), bytes=total, supervised=0)
    mask = None if supervised is None else np.array(supervised, dtype=np.bool_)
    return TokenStore(
        Path(), facts, np.arange(total, dtype=np.uint32), mask, offsets, np.array(lengths, dtype=np.int64)
    )


@given(lengths=LENGTHS, length=st.integers(1, 50))
def test_a_stream_predicts_every_token_but_the_first_once(lengths: list[int], length: int) -> None:
    store = store_of(lengths)
    plan = plan_stream(store, length)
    predicted = []
    for index in range(len(plan)):
        row = plan.row(store, index)
        assert 1 <= len(row.ids) <= length + 1
        assert row.supervised.tolist() == [False] + [True] * (len(row.ids) - 1)
        predicted += row.ids[row.supervised].tolist()
    assert predicted == list(range(1, store.facts.tokens))


@given(lengths=LENGTHS, length=st.integers(1, 50))
def test_blocks_hold_every_token_once(lengths: list[int], length: int) -> None:
    store = store_of(lengths)
    plan = plan_blocks(store, length)
    rows = [plan.row(store, index) for index in range(len(plan))]
    assert [len(row.ids) for row in rows[:-1]] == [length] * (len(rows) - 1) and len(rows[-1].ids) <= length
    assert [id for row in rows for id in row.ids.tolist()] == list(range(store.facts.tokens))
    assert all(row.supervised.all() and row.starts[0] == 0 for row in rows)
    assert plan.filled == store.facts.tokens / (len(rows) * length)


@given(lengths=LENGTHS, length=st.integers(1, 50))
def test_a_streams_documents_begin_where_the_store_says(lengths: list[int], length: int) -> None:
    store = store_of(lengths)
    plan = plan_stream(store, length)
    begins = {int(offset) for offset, size in zip(store.offsets, lengths, strict=False) if size}
    for index in range(len(plan)):
        row = plan.row(store, index)
        expected = [0] + [place for place, id in enumerate(row.ids.tolist()) if place and id in begins]
        assert row.starts.tolist() == expected


@given(lengths=LENGTHS, length=st.integers(1, 50))
def test_packing_takes_every_document_once_and_whole(lengths: list[int], length: int) -> None:
    store = store_of(lengths)
    plan = plan_pack(store, length)
    found = []
    for index in range(len(plan)):
        row = plan.row(store, index)
        assert len(row.ids) <= length + 1
        assert row.starts[0] == 0
        assert not row.supervised[row.starts].any()
        assert row.supervised.sum() == len(row.ids) - len(row.starts)
        found += [part.tolist() for part in np.split(row.ids, row.starts[1:])]
    whole = [
        list(range(int(b), int(b) + min(n, length + 1))) for b, n in zip(store.offsets, lengths, strict=False) if n
    ]
    assert sorted(found) == sorted(whole)
    assert plan.truncated == sum(n > length + 1 for n in lengths)
    assert plan.row_lengths().tolist() == [len(plan.row(store, i).ids) for i in range(len(plan))]


@given(lengths=LENGTHS, length=st.integers(1, 50))
def test_single_has_a_row_for_each_document(lengths: list[int], length: int) -> None:
    store = store_of(lengths)
    plan = plan_single(store, length)
    rows = [plan.row(store, index).ids.tolist() for index in range(len(plan))]
    assert rows == [
        list(range(int(b), int(b) + min(n, length + 1))) for b, n in zip(store.offsets, lengths, strict=False) if n
    ]


def best_fit_by_definition(sizes: list[int], capacity: int) -> list[list[int]]:
    """Sizes in falling order, each into the row with the least room that is enough."""
    rows: list[list[int]] = []
    for size in sorted(sizes, reverse=True):
        fitting = [row for row in rows if capacity - sum(row) >= size]
        if fitting:
            max(fitting, key=sum).append(size)
        else:
            rows.append([size])
    return rows


@given(lengths=LENGTHS, length=st.integers(1, 60))
def test_packing_is_best_fit_decreasing(lengths: list[int], length: int) -> None:
    store = store_of(lengths)
    plan = plan_pack(store, length)
    sizes = [min(n, length + 1) for n in lengths if n]
    # Rows with the same room are as good as each other, so only the rows' totals are given by the rule.
    assert sorted(plan.row_lengths().tolist()) == sorted(map(sum, best_fit_by_definition(sizes, length + 1)))


def test_packing_by_hand() -> None:
    """Capacity 10: 7+3, 6+4, 5; the 3 goes to the row with exactly 3 left, not to the one with 4 or 5."""
    store = store_of([3, 7, 6, 4, 5])
    plan = plan_pack(store, 9)
    rows = sorted(
        sorted(np.diff([*plan.row(store, i).starts, len(plan.row(store, i).ids)]).tolist()) for i in range(len(plan))
    )
    assert rows == [[3, 7], [4, 6], [5]]
    assert plan.filled == pytest.approx(25 / 30)


def test_supervision_follows_the_store() -> None:
    store = store_of([3, 3], [True, False, True, True, True, False])
    assert plan_stream(store, 10).row(store, 0).supervised.tolist() == [False, False, True, True, True, False]
    assert plan_pack(store, 10).row(store, 0).supervised.tolist() == [False, False, True, False, True, False]


def test_one_token_makes_one_row() -> None:
    store = store_of([1])
    for plan in PLANNERS.values():
        assert len(plan(store, 8)) == 1
        assert plan(store, 8).row(store, 0).ids.tolist() == [0]


@pytest.mark.spec("D14", "rows are planned once, stored, and the same when opened again")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_plan_is_stored_and_reopened(tmp_path: Path, layout: Layout) -> None:
    store = build_store(tmp_path / "s", [Document(list(range(n)), None, n) for n in (5, 9, 2, 30)], vocab_size=100)
    made = saved_plan(store, layout, 8)
    again = saved_plan(store, layout, 8)
    assert isinstance(again, RowPlan)
    assert isinstance(again.begins, np.memmap)
    fresh = PLANNERS[layout](store, 8)
    assert (again.layout, again.length, again.truncated) == (layout, 8, fresh.truncated)
    for index in range(len(fresh)):
        for name in ("ids", "supervised", "starts"):
            assert getattr(again.row(store, index), name).tolist() == getattr(fresh.row(store, index), name).tolist()
    assert len(made) == len(again)
    assert open_plan(tmp_path / "s" / f"plan-v1-{layout}-8").layout == layout


def test_packing_a_hundred_thousand_documents_is_quick_and_full() -> None:
    random = np.random.default_rng(0)
    store = store_of(random.integers(5, 600, size=100_000).tolist())
    plan = plan_pack(store, 1024)
    assert plan.filled > 0.99
