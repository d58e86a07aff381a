"""A dataset on disk: Parquet shards per split, one row schema, written and read as a stream.

data/<split>-00000.parquet   rows; the schema's name stands in the file's metadata
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, Union, get_args, get_origin

from pydantic import BaseModel

from langwright.artifacts import DatasetFacts
from langwright.data.schemas import (
    SCHEMAS,
    ChatRow,
    ChoiceRow,
    ClassificationRow,
    CodeRow,
    CorrectionRow,
    PairRow,
    PreferenceRow,
    QaRow,
    RegressionRow,
    RelationRow,
    Row,
    SummaryRow,
    TaggingRow,
    TextRow,
    TranslationRow,
)
from langwright.errors import UserError, unknown
from langwright.files import full_disk

if TYPE_CHECKING:
    import pyarrow as pa

SPLITS = ("train", "validation", "test")
SCHEMA_KEY = b"langwright.schema"
GROUP_BYTES = 8 << 20  # text gathered in memory before it is written
GROUP_ROWS = 50_000
SHARD_BYTES = 256 << 20  # text in one file


SAID: dict[type[Row], tuple[str, ...]] = {
    TextRow: ("text",), ClassificationRow: ("text",), RegressionRow: ("text",), TaggingRow: ("text",),
    PairRow: ("text_a", "text_b"), QaRow: ("question", "context"), TranslationRow: ("text", "translation"),
    SummaryRow: ("text", "summary"), CorrectionRow: ("text", "correction"), CodeRow: ("text", "code"),
    RelationRow: ("text",),
}  # fmt: skip
"""The fields that hold what a row says."""


def text_of(row: Row) -> str:
    """All that a row says, as one text: its text, or its several ones one a line."""
    if isinstance(row, ChatRow):
        return "\n".join(message.content for message in row.messages)
    if isinstance(row, PreferenceRow):
        return "\n".join([*(message.content for message in row.prompt), row.chosen, row.rejected])
    if isinstance(row, ChoiceRow):
        return "\n".join(part for part in (row.context, row.question, *row.choices) if part)
    if type(row) not in SAID:
        raise TypeError(f"{type(row).__name__} has no text")
    return "\n".join(getattr(row, field) for field in SAID[type(row)])


# --- writing -----------------------------------------------------------------------------------


class DatasetWriter:
    """Writes rows of one schema into a folder; memory is bounded by one row group a split."""

    def __init__(self, folder: Path, schema_name: str) -> None:
        if schema_name not in SCHEMAS:
            raise unknown("schema", schema_name, SCHEMAS)
        self.folder = folder
        self.schema_name = schema_name
        self._columns = arrow_schema(SCHEMAS[schema_name], schema_name)
        self._shards: dict[str, Shards] = {}

    def write(self, row: Row, split: str) -> None:
        """Append a row to a split."""
        shards = self._shards.get(split)
        if shards is None:
            if split not in SPLITS:
                raise unknown("split", split, SPLITS)
            shards = self._shards[split] = Shards(self.folder, split, self._columns)
        shards.add(row)

    def close(self) -> DatasetFacts:
        """Finish all files and say what they hold."""
        with full_disk(self.folder):
            for shards in self._shards.values():
                shards.close()
        return DatasetFacts(
            schema_name=self.schema_name,
            splits={name: self._shards[name].rows for name in SPLITS if name in self._shards},
            bytes=sum(shards.bytes for shards in self._shards.values()),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            for shards in self._shards.values():
                shards.abandon()


class Shards:
    """The files of one split in the making."""

    def __init__(self, folder: Path, split: str, columns: pa.Schema) -> None:
        self.folder, self.split, self.columns = folder, split, columns
        self.rows = self.bytes = self.files = 0
        self._waiting: list[dict[str, Any]] = []
        self._waiting_bytes = self._shard_bytes = 0
        self._writer: Any = None
        self._closed = False

    def add(self, row: Row) -> None:
        """Gather a row, and write when enough are gathered."""
        size = len(text_of(row).encode())
        self.rows += 1
        self.bytes += size
        self._waiting_bytes += size
        self._waiting.append(row.model_dump())
        if self._waiting_bytes >= GROUP_BYTES or len(self._waiting) >= GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is gathered as one row group, in a new file when the last is full."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self._waiting:
            return
        if self._writer is None:
            file = self.folder / "data" / f"{self.split}-{self.files:05d}.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(file, self.columns, compression="zstd")
            self.files += 1
        self._writer.write_table(pa.Table.from_pylist(self._waiting, schema=self.columns))
        self._shard_bytes += self._waiting_bytes
        self._waiting, self._waiting_bytes = [], 0
        if self._shard_bytes >= SHARD_BYTES:
            self._writer.close()
            self._writer, self._shard_bytes = None, 0

    def close(self) -> None:
        """Write the rest. Closing twice does nothing."""
        if not self._closed:
            self._closed = True
            self.flush()
            self.abandon()

    def abandon(self) -> None:
        """Close the file as it is."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def arrow_schema(model: type[BaseModel], schema_name: str) -> pa.Schema:
    """The Parquet columns of a row model."""
    import pyarrow as pa

    columns = [pa.field(name, arrow_type(field.annotation)) for name, field in model.model_fields.items()]
    return pa.schema(columns, metadata={SCHEMA_KEY: schema_name.encode()})


def arrow_type(annotation: object) -> pa.DataType:
    """The Parquet type of a field's annotation."""
    import pyarrow as pa

    origin, inner = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return pa.struct([(name, arrow_type(field.annotation)) for name, field in annotation.model_fields.items()])
    if origin is Annotated:
        return arrow_type(inner[0])
    if origin in (Union, types.UnionType):
        (only,) = [part for part in inner if part is not types.NoneType]
        return arrow_type(only)
    if origin in (tuple, list):
        return pa.list_(arrow_type(inner[0]))
    plain = {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
    return plain.get(annotation, pa.string())  # type: ignore[call-overload]  # Literal[...] of strings is a string


# --- reading -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dataset:
    """An open dataset; rows are read as they are asked for."""

    path: Path
    schema_name: str
    files: dict[str, tuple[Path, ...]]  # split -> shards in order

    @property
    def schema(self) -> type[Row]:
        """The model of its rows."""
        return SCHEMAS[self.schema_name]

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have rows, train first."""
        return tuple(self.files)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Rows of each split."""
        import pyarrow.parquet as pq

        return {
            split: sum(pq.ParquetFile(file).metadata.num_rows for file in files) for split, files in self.files.items()
        }

    def count(self, split: str) -> int:
        """Rows in a split; 0 when there is no such split."""
        return self.counts.get(split, 0)

    def rows(self, split: str) -> Iterator[Row]:
        """The rows of a split in order; UserError when there is no such split."""
        model = self.schema
        for batch in self._batches(split):
            for record in batch.to_pylist():
                yield model.model_validate(record)

    def texts(self, split: str) -> Iterator[str]:
        """All that each row of a split says, in order."""
        if self.schema not in (TextRow, ClassificationRow):
            for row in self.rows(split):
                yield text_of(row)
            return
        for batch in self._batches(split, ["text"]):
            yield from batch.column(0).to_pylist()

    def labels(self, split: str) -> Iterator[str]:
        """The label of each row of a split in order, for datasets that have labels."""
        for row in self.rows(split):
            if not isinstance(row, (ClassificationRow, PairRow)):
                raise TypeError(f"rows of schema {self.schema_name} have no label")
            if row.labels is not None if isinstance(row, ClassificationRow) else row.score is not None:
                raise UserError(
                    "row {row} of {path} has no single label",
                    fix="this needs rows with one label each",
                    row=row.id,
                    path=self.path,
                )
            yield row.label

    def _batches(self, split: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of a split, one row group in memory at a time."""
        import pyarrow.parquet as pq

        for file in self._files(split):
            with pq.ParquetFile(file) as shard:
                for group in range(shard.num_row_groups):
                    yield from shard.read_row_group(group, columns=columns).to_batches(max_chunksize=1024)

    def _files(self, split: str) -> tuple[Path, ...]:
        if split not in self.files:
            raise UserError(
                "dataset {path} has no split called {split!r}",
                fix="it has {splits}; splits are made by `langwright data read`",
                path=self.path,
                split=split,
                splits=", ".join(self.splits),
            )
        return self.files[split]


def open_dataset(path: Path) -> Dataset:
    """Open the Parquet files of a dataset.

    raises  UserError when there are none, or they were not written by `DatasetWriter`
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    found: dict[str, list[Path]] = {}
    for file in sorted((path / "data").glob("*.parquet")):
        found.setdefault(file.stem.rpartition("-")[0], []).append(file)
    names = set()
    for files in found.values():
        for file in files:
            try:
                names.add((pq.read_schema(file).metadata or {}).get(SCHEMA_KEY, b"").decode())
            except (pa.ArrowException, OSError) as error:
                raise UserError(
                    "{file} cannot be read: {error}",
                    fix="it is damaged or of another version; make the artifact again",
                    file=file,
                    error=str(error).splitlines()[0],
                ) from None
    if len(names) != 1 or not names <= set(SCHEMAS) or not set(found) <= set(SPLITS):
        raise UserError(
            "{path} holds no dataset that can be read: no data/*.parquet files of one schema",
            fix="make one with `langwright data read SOURCE OUT`",
            path=path,
        )
    ordered = {split: tuple(found[split]) for split in SPLITS if split in found}
    return Dataset(path, names.pop(), ordered)
