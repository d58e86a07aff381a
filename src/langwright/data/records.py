"""Tables as records: JSON Lines, JSON, CSV, TSV and Parquet, one record at a time."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from langwright.data.cutting import lines_of
from langwright.errors import UserError
from langwright.wording import Term


@dataclass(frozen=True)
class Record:
    """One row of a table.

    row      its number in the file, as a person would count it: the line for JSON Lines, from 1
    problem  why it cannot be read, a template; None when it can
    """

    row: int
    values: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None
    detail: str = ""


class Malformed(Exception):
    """A record that is no row: a template and a detail."""

    def __init__(self, problem: str, detail: str = "") -> None:
        super().__init__(problem, detail)
        self.problem, self.detail = problem, detail


NOT_JSON = "it is not valid JSON"
NOT_OBJECT = "it is not a JSON object"
TOO_LONG = "it is longer than max_row_megabytes"
COLUMNS = "it has another number of columns"
UNPAIRED = "its file and the parallel one have different numbers of lines"


def bad_row(path: Path, record: Record) -> UserError:
    """The error for a record that cannot be read."""
    return UserError(
        "{path}, row {row}: {reason}{detail}",
        fix="correct that row, or leave such rows out with --skip-bad",
        path=path,
        row=record.row,
        reason=Term(record.problem or ""),
        detail=f" ({record.detail})" if record.detail else "",
    )


# --- JSON ----------------------------------------------------------------------------------------


def json_lines(chunks: Iterator[str], limit: int) -> Iterator[Record]:
    """Objects, one a line; empty lines are passed over."""
    for line in lines_of(chunks, limit):
        if line.too_long:
            yield Record(line.number, problem=TOO_LONG)
        elif line.text.strip():
            yield parsed(line.text, line.number)


def parsed(text: str, row: int) -> Record:
    """One JSON text as a record."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Record(row, problem=NOT_JSON, detail=why(error))
    return Record(row, value) if isinstance(value, dict) else Record(row, problem=NOT_OBJECT)


def why(error: Exception) -> str:
    """What the parser minds, without the line, which is always the first: a row is parsed by itself."""
    return f"{error.msg}: column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)


def json_array(chunks: Iterator[str], limit: int) -> Iterator[Record]:
    """The objects of one array, read one at a time; a file that is one object is one record.

    An array is not read on after something that is no JSON: where the next object begins cannot be known.
    """
    reader = json.JSONDecoder()
    text = ""
    row = position = 0
    array = closed = ended = False
    while not (ended or closed):
        chunk = next(chunks, None)
        ended = chunk is None
        text = text[position:] + (chunk or "")
        position = 0
        while True:
            while position < len(text) and (text[position].isspace() or text[position] in ",["):
                array = array or text[position] == "["
                position += 1
            closed = text[position : position + 1] == "]"
            if closed or position == len(text):
                break
            try:
                value, position = reader.raw_decode(text, position)
            except (ValueError, RecursionError) as error:
                too_long = len(text) - position > limit
                if ended or too_long or isinstance(error, RecursionError):
                    yield Record(row + 1, problem=TOO_LONG if too_long else NOT_JSON, detail=why(error))
                    return
                break
            row += 1
            yield Record(row, value) if isinstance(value, dict) else Record(row, problem=NOT_OBJECT)
    if array and not closed:
        yield Record(row + 1, problem=NOT_JSON, detail="]")


# --- columns -------------------------------------------------------------------------------------


def separated(chunks: Iterator[str], delimiter: str, columns: Sequence[str], limit: int) -> Iterator[Record]:
    """Rows of CSV or TSV. Quotes have no meaning in TSV, where a text may hold a stray one.

    columns  names of the columns of a file without a header; empty takes the first line as header
    """
    too_long: list[int] = []

    def lines() -> Iterator[str]:
        for line in lines_of(chunks, limit):
            if line.too_long:
                too_long.append(line.number)
            yield line.text + "\n"

    quotes_mean_nothing = delimiter == "\t"
    rows = csv.reader(
        lines(), delimiter=delimiter, quoting=csv.QUOTE_NONE if quotes_mean_nothing else csv.QUOTE_MINIMAL
    )
    names = list(columns)
    row = 0
    while True:
        row += 1
        try:
            cells = next_cells(rows, limit)
        except csv.Error as error:
            yield Record(row, problem=TOO_LONG if "field larger" in str(error) else COLUMNS, detail=str(error))
            return
        if too_long:
            yield Record(too_long.pop(), problem=TOO_LONG)
        elif cells is None:
            return
        elif not names:
            names = [cell.strip() for cell in cells]
        elif cells and len(cells) != len(names):
            yield Record(row, problem=COLUMNS, detail=f"{len(cells)} ≠ {len(names)}")
        elif cells:
            yield Record(row, dict(zip(names, cells, strict=True)))


def next_cells(rows: Iterator[list[str]], limit: int) -> list[str] | None:
    """The next row of a csv reader, or None at the end; the module's limit, which all readers share, is put back."""
    before = csv.field_size_limit(limit)
    try:
        return next(rows, None)
    finally:
        csv.field_size_limit(before)


# --- parallel files --------------------------------------------------------------------------------


def side_by_side(chunks: Iterator[str], others: Iterator[str], names: tuple[str, str], limit: int) -> Iterator[Record]:
    """Lines of two files that belong together, one record a pair; pairs without any text are passed over.

    names  of the columns that the first file's lines and the second's are
    """
    for one, other in zip_longest(lines_of(chunks, limit), lines_of(others, limit)):
        row = (one or other).number
        if one is None or other is None:
            yield Record(row, problem=UNPAIRED)
            return
        if one.too_long or other.too_long:
            yield Record(row, problem=TOO_LONG)
        elif one.text.strip() or other.text.strip():
            yield Record(row, {names[0]: one.text, names[1]: other.text})


# --- Parquet -------------------------------------------------------------------------------------


def parquet_rows(path: Path, wanted: frozenset[str]) -> Iterator[Record]:
    """Rows of a Parquet file, wanted columns only; an unwanted column is there by name, without its value."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(unpacked(path)) if path.suffix == ".gz" else path)
        names = list(file.schema_arrow.names)
        unwanted = dict.fromkeys(name for name in names if name not in wanted)
        row = 0
        for batch in file.iter_batches(batch_size=256, columns=[name for name in names if name in wanted]):
            for values in batch.to_pylist() or [{}] * batch.num_rows:
                row += 1
                yield Record(row, unwanted | values)
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            "{path} cannot be read as Parquet: {error}",
            fix="get it again, or leave it out",
            path=path,
            error=str(error).splitlines()[0],
        ) from None


def unpacked(path: Path) -> bytes:
    """All bytes of a gzip file: Parquet must be read from its end."""
    with gzip.open(path) as stream:
        return stream.read()
