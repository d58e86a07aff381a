"""Tables give their rows one at a time, and say which row is bad and why."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.data.records import (
    COLUMNS,
    NOT_JSON,
    NOT_OBJECT,
    TOO_LONG,
    json_array,
    json_lines,
    parquet_rows,
    separated,
)
from langwright.errors import UserError

OBJECTS = st.lists(st.dictionaries(st.sampled_from("abc"), st.text() | st.integers() | st.none()), max_size=8)


def in_chunks(text: str, size: int) -> Iterator[str]:
    return (text[i : i + size] for i in range(0, len(text), size))


@given(objects=OBJECTS, size=st.integers(1, 40), indent=st.sampled_from([None, 2]))
def test_a_json_array_in_any_chunks(objects: list[dict[str, object]], size: int, indent: int | None) -> None:
    text = json.dumps(objects, indent=indent, ensure_ascii=False)
    found = list(json_array(in_chunks(text, size), 1 << 20))
    assert [record.values for record in found] == objects
    assert [record.row for record in found] == list(range(1, len(objects) + 1))


@given(objects=OBJECTS, size=st.integers(1, 40))
def test_json_lines_in_any_chunks(objects: list[dict[str, object]], size: int) -> None:
    text = "\n".join(json.dumps(one) for one in objects)
    assert [record.values for record in json_lines(in_chunks(text, size), 1 << 20)] == objects


def test_one_object_is_one_record() -> None:
    assert [record.values for record in json_array(iter(['{"a": ', "1}\n"]), 100)] == [{"a": 1}]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('{"a": 1}\n{"a": \n{"a": 2}', [(1, None), (2, NOT_JSON), (3, None)]),
        ('{"a": 1}\n\n[1]\n"x"\n{"b": 1}', [(1, None), (3, NOT_OBJECT), (4, NOT_OBJECT), (5, None)]),
        ('{"a": "' + "x" * 200 + '"}\n{"b": 1}', [(1, TOO_LONG), (2, None)]),
        ('{"a": ' + "[" * 60_000 + "}", [(1, TOO_LONG)]),
        ('{"a": ' + "9" * 90 + "}", [(1, None)]),
    ],
)
def test_bad_json_lines_are_named(text: str, rows: list[tuple[int, str | None]]) -> None:
    assert [(record.row, record.problem) for record in json_lines(iter([text]), 150)] == rows


@pytest.mark.parametrize("text", ['{"a": ' + "[" * 60_000 + "}", '{"a": ' + "9" * 6000 + "}"])
def test_json_that_python_gives_up_on_is_a_bad_row(text: str) -> None:
    assert [record.problem for record in json_lines(iter([text]), 1 << 20)] == [NOT_JSON]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('[{"a": 1}, 5, {"b": 2}]', [(1, None), (2, NOT_OBJECT), (3, None)]),
        ('[{"a": 1}, {"b": ', [(1, None), (2, NOT_JSON)]),
        ('[{"a": 1}', [(1, None), (2, NOT_JSON)]),
        ('[{"a": 1} oops, {"b": 2}]', [(1, None), (2, NOT_JSON)]),
        ("", []),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_bad_json_arrays_are_named(text: str, rows: list[tuple[int, str | None]], size: int) -> None:
    assert [(record.row, record.problem) for record in json_array(in_chunks(text, size), 1 << 20)] == rows


def test_an_endless_json_object_is_given_up_at_the_limit() -> None:
    def chunks() -> Iterator[str]:
        yield '[{"a": "'
        for _ in range(1000):
            yield "x" * 1000
        pytest.fail("it was read to its end")

    assert [record.problem for record in json_array(chunks(), 10_000)] == [TOO_LONG]


# --- columns -------------------------------------------------------------------------------------


def table(
    text: str, delimiter: str = ",", columns: tuple[str, ...] = (), limit: int = 1000
) -> list[tuple[int, object]]:
    found = separated(in_chunks(text, 5), delimiter, columns, limit)
    return [(record.row, record.problem or dict(record.values)) for record in found]


def test_csv_with_quotes_over_lines() -> None:
    text = 'label,review\n1,"good, ""very""\nnice"\n\n0,坏\n'
    assert table(text) == [(2, {"label": "1", "review": 'good, "very"\nnice'}), (4, {"label": "0", "review": "坏"})]


def test_tsv_without_header_takes_quotes_as_they_stand() -> None:
    assert table('"a b\t0\nc" d\t1\n"e"\t0', "\t", ("sentence", "label")) == [
        (1, {"sentence": '"a b', "label": "0"}),
        (2, {"sentence": 'c" d', "label": "1"}),
        (3, {"sentence": '"e"', "label": "0"}),
    ]


def test_rows_of_another_width_are_bad() -> None:
    assert table("a,b\n1,2,3\n1,2\n1") == [(2, COLUMNS), (3, {"a": "1", "b": "2"}), (4, COLUMNS)]


def test_a_line_longer_than_the_limit_is_bad() -> None:
    rows = table("a,b\n" + "x" * 50 + ",1\n3,4", limit=20)
    assert [row for row in rows if row[1] == TOO_LONG] == [(2, TOO_LONG)]
    assert (3, {"a": "3", "b": "4"}) in rows


def test_a_quote_that_never_ends_is_given_up_at_the_limit() -> None:
    assert table('a,b\n1,"' + "x\n" * 100, limit=50)[-1][1] == TOO_LONG


# --- Parquet -------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
def test_parquet_reads_wanted_columns_and_names_the_others(tmp_path: Path, packed: bool) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": ["a", "b"], "extra": [1, 2]}), buffer)
    path = tmp_path / ("t.parquet.gz" if packed else "t.parquet")
    path.write_bytes(gzip.compress(buffer.getvalue()) if packed else buffer.getvalue())
    assert [dict(record.values) for record in parquet_rows(path, frozenset({"text"}))] == [
        {"text": "a", "extra": None},
        {"text": "b", "extra": None},
    ]
    assert [set(record.values) for record in parquet_rows(path, frozenset({"none"}))] == [{"text", "extra"}] * 2


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 nothing of the kind")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        list(parquet_rows(path, frozenset({"text"})))
