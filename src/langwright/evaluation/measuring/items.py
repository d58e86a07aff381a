"""What was measured of each item of an evaluation, so that two models can be compared on the same ones.

`items.jsonl` beside `report.json`, one line an item. A measure is the sum of its marks' first numbers over the sum of
their second.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from langwright.errors import UserError
from langwright.evaluation.measuring.findings import Item
from langwright.files import write_whole

FILE = "items.jsonl"


def write_items(folder: Path, items: Iterable[Item]) -> None:
    """Write them into an evaluation's folder."""
    write_whole(folder / FILE, b"".join(item.model_dump_json().encode() + b"\n" for item in items))


def read_items(folder: Path) -> list[Item]:
    """The items of an evaluation; UserError where they were not kept or cannot be read."""
    file = folder / FILE
    if not file.is_file():
        raise UserError(
            "{path} does not say what was measured of each item",
            fix="make it again with `langwright evaluate` or `langwright benchmark`",
            path=folder,
        )
    try:
        return [Item.model_validate_json(line) for line in file.read_bytes().splitlines()]
    except (OSError, ValidationError) as error:
        raise UserError(
            "{path} is not a report this version can read: {error}",
            fix="make it again with `langwright evaluate`",
            path=file,
            error=str(error).splitlines()[0],
        ) from None
