"""The first rows of a file or a data set, and what kinds of rows a file can be read as."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from langwright.data.schemas import SchemaName
from langwright.errors import UserError

FROM_SPECIAL_TO_PLAIN: tuple[SchemaName, ...] = (
    "chat", "choice", "qa", "relation", "tagging", "code", "correction", "translation", "summary", "pair",
    "classification", "regression", "text",
)  # fmt: skip
LOOKED_AT = 20  # rows by which a kind is judged
LONGEST = 2000  # characters of a text that are shown


class Preview(BaseModel):
    """Some rows.

    schema_name  the kind of rows these are read as
    fits         every kind that the file's first rows can be read as, the likeliest first; of a data set, its own
    cut          whether a text in them was longer than is shown
    """

    object: str = "preview"
    name: str
    schema_name: str
    fits: list[str]
    splits: dict[str, int]
    rows: list[dict[str, Any]]
    cut: bool


def preview_file(file: Path, schema: str | None, count: int) -> Preview:
    """The first rows of a raw file, read as a kind of rows, or as the likeliest.

    raises  UserError for a file that cannot be read so
    """
    fits = guessed(file)
    name = schema or fits[0]
    rows, cut = shortened(read(file, name, count))
    return Preview(name=file.name, schema_name=name, fits=fits, splits={}, rows=rows, cut=cut)


def preview_dataset(folder: Path, name: str, split: str | None, count: int) -> Preview:
    """The first rows of a split of a data set; UserError where there is no such split."""
    from langwright.data.dataset import open_dataset

    found = open_dataset(folder)
    taken = found.rows(split or found.splits[0])
    rows, cut = shortened([row.model_dump(mode="json") for row in islice(taken, count)])
    return Preview(
        name=name, schema_name=found.schema_name, fits=[found.schema_name], splits=found.counts, rows=rows, cut=cut
    )


def guessed(file: Path) -> list[str]:
    """The kinds of rows that a file's first rows can all be read as, the likeliest first.

    raises  UserError, as it is said of running text or the plainest table, when it is none
    """
    found: list[str] = []
    why: UserError | None = None
    for schema in FROM_SPECIAL_TO_PLAIN:
        try:
            read(file, schema, LOOKED_AT)
        except UserError as error:
            why = error
        else:
            found.append(schema)
    if not found:
        assert why is not None
        raise why
    return found


def read(file: Path, schema: str, count: int) -> list[dict[str, Any]]:
    """The first rows of a file.

    raises  UserError for a file that holds no such rows
    """
    from langwright.data.reading import Reader
    from langwright.data.settings import ReadSettings
    from langwright.runlog import RunLog

    reader = Reader(ReadSettings.model_validate({"schema_name": schema}), RunLog(None))
    try:
        return [found.row.model_dump(mode="json") for found in islice(reader.rows([file]), count)]
    except ValidationError as error:
        raise UserError(
            "{path} cannot be read: {reason}", fix="correct it", path=file, reason=error.errors()[0]["msg"]
        ) from None


def shortened(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    """Rows whose texts are cut where they are long, and whether any was."""
    cut = False

    def short(value: Any) -> Any:
        nonlocal cut
        if isinstance(value, str) and len(value) > LONGEST:
            cut = True
            return value[:LONGEST]
        if isinstance(value, dict):
            return {key: short(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [short(inner) for inner in value]
        return value

    return [short(row) for row in rows], cut
