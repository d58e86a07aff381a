"""Rows of benchmarks: JSON Lines, JSON, CSV, TSV and Parquet that lie here, each row a plain dict."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from langwright.data.annotated import unfolded
from langwright.data.encoding import read_text
from langwright.data.records import Record, json_array, json_lines, separated
from langwright.data.sources import FORMATS
from langwright.errors import UserError
from langwright.evaluation.benchmarks.declaration import Row, Table
from langwright.wording import Term

LONGEST = 64 * 2**20  # characters of a row


def read_rows(table: Table) -> list[Row]:
    """The rows of a split's files, in order.

    raises  UserError where a file is not there, is of another kind, holds a bad row, or where there is no row at all
    """
    rows = [values for path in table.paths for values in rows_of(path, table)]
    if not rows:
        raise UserError(
            "{path} holds no rows", fix="give a file with rows", path=", ".join(str(path) for path in table.paths)
        )
    return rows


def rows_of(path: Path, table: Table) -> Iterator[Row]:
    """The rows of one file."""
    if not path.is_file():
        raise UserError(
            "there is no {path}",
            fix="check the path; `langwright benchmark` reads data below --set data=FOLDER or LANGWRIGHT_DATA",
            path=path,
        )
    ending = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    kind = FORMATS.get(ending)
    if kind == "parquet":
        yield from parquet(path)
        return
    if kind not in ("jsonl", "json", "csv", "tsv"):
        raise UserError(
            "{path} is no table: rows of benchmarks come from .jsonl, .json, .csv, .tsv and .parquet files",
            fix="name a file of one of these kinds",
            path=path,
        )
    chunks, _ = read_text(path, "utf-8", 0.0)
    if kind in ("csv", "tsv"):
        yield from typed(sound(path, separated(chunks, "\t" if kind == "tsv" else ",", table.columns, LONGEST)))
        return
    records = json_lines(chunks, LONGEST) if kind == "jsonl" else json_array(chunks, LONGEST)
    if table.unfold:
        records = chain.from_iterable(map(unfolded, records))
    for values in sound(path, records):
        yield from inner(path, values, table.field) if table.field else (values,)


def sound(path: Path, records: Iterator[Record]) -> Iterator[dict[str, Any]]:
    """The values of records, the first bad one refused."""
    for record in records:
        if record.problem:
            raise UserError(
                "{path}, row {row}: {reason}{detail}",
                fix="correct that row: a benchmark is run on all its rows",
                path=path,
                row=record.row,
                reason=Term(record.problem),
                detail=f" ({record.detail})" if record.detail else "",
            )
        yield dict(record.values)


def inner(path: Path, values: Row, field: str) -> Sequence[Row]:
    """The rows under a key of a JSON object."""
    rows = values.get(field)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UserError(
            "{path} has no list of rows under {field!r}", fix="name the key that holds them", path=path, field=field
        )
    return rows


def parquet(path: Path) -> Iterator[Row]:
    """The rows of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        yield from pq.read_table(path).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            "{path} cannot be read as Parquet: {error}",
            fix="get it again, or leave it out",
            path=path,
            error=str(error).splitlines()[0],
        ) from None


def typed(rows: Iterator[dict[str, Any]]) -> list[Row]:
    """Rows whose columns of whole numbers, numbers or truth values hold these instead of texts."""
    found = list(rows)
    for column in found[0] if found else ():
        texts = [row[column] for row in found]
        for form in (whole, fractional, truth):
            values = [form(text) for text in texts]
            if None not in values:
                for row, value in zip(found, values, strict=True):
                    row[column] = value
                break
    return list(found)


def whole(text: str) -> int | None:
    """A whole number; None for any other text, also for one that would be written otherwise, such as 007."""
    return int(text) if text.isascii() and text.lstrip("-").isdigit() and str(int(text)) == text else None


def fractional(text: str) -> float | None:
    """A number written with digits and at most one point; None for any other text, also for one such as 007."""
    return float(text) if re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", text) else None


def truth(text: str) -> bool | None:
    """true or false; None for any other text."""
    return {"true": True, "false": False}.get(text.lower())
