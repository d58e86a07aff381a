"""Rows told apart by what stands in a column, so that each group is measured by itself.

A measure of a group names it behind its data: `topics/test (source=web)`, and of a language `topics/test (zh)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from langwright.data.schemas import Row
from langwright.errors import unknown

LANGUAGE = "language"  # told apart wherever rows name more than one
_NAMED = re.compile(r"(?P<data>.*?) \((?:(?P<column>\w+)=)?(?P<value>.*)\)")


class Part(NamedTuple):
    """Of which data, and of which group, a measure is; no column and no value where it is of all rows."""

    data: str
    column: str = ""
    value: str = ""


def groups_of(rows: Sequence[Row], columns: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    """(name, places of its rows) of each group, by language and by every column asked for.

    Rows without a value are in no group; a column with one value alone has no groups, as there is nothing to tell apart.

    raises  UserError for a column that the rows do not have, or that holds no plain text
    """
    for column in dict.fromkeys((LANGUAGE, *columns)):
        if rows and not isinstance(getattr(rows[0], column, None), str):
            raise unknown("column", column, [name for name in type(rows[0]).model_fields if isinstance(getattr(rows[0], name), str)])  # fmt: skip
        yield from values_apart(column, [str(getattr(row, column)) for row in rows])


def values_apart(column: str, values: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    """(name, places) of each value of a column; nothing where all are the same."""
    kinds = sorted({value for value in values if value})
    for kind in kinds if len(kinds) > 1 else ():
        name = kind if column == LANGUAGE else f"{column}={kind}"
        yield name, [place for place, value in enumerate(values) if value == kind]


def part_of(data: str) -> Part:
    """What the data of a measure says.

    >>> part_of("topics/test (source=web)")
    Part(data='topics/test', column='source', value='web')
    >>> part_of("talks/test (zh)")
    Part(data='talks/test', column='language', value='zh')
    """
    found = _NAMED.fullmatch(data)
    return Part(found["data"], found["column"] or LANGUAGE, found["value"]) if found else Part(data)
