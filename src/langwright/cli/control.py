"""What a text must be like: the options of `generate` and `chat`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from langwright.errors import UserError
from langwright.inference.control.settings import Control
from langwright.settings import validate

Schema = Annotated[
    Path | None, typer.Option("--schema", metavar="FILE", help="Write JSON that fulfils the JSON Schema in this file")
]
Regex = Annotated[str | None, typer.Option("--regex", metavar="REGEX", help="Write a text that matches as a whole")]
Grammar = Annotated[
    Path | None, typer.Option("--grammar", metavar="FILE", help="Write a text of the Lark grammar in this file")
]
Choice = Annotated[
    list[str] | None, typer.Option("--choice", metavar="TEXT", help="Write one of these; give it once for each")
]
LengthOption = Annotated[
    str | None,
    typer.Option(
        "--length",
        metavar="LENGTH",
        help="How long the text is to be, such as '40-60 words', '100 characters' or '2 sentences'; a Chinese character is a word",
    ),
]
Must = Annotated[
    list[str] | None, typer.Option("--must", metavar="WORD", help="A word that appears in the text; may be given again")
]
Never = Annotated[
    list[str] | None,
    typer.Option("--never", metavar="WORD", help="A word that does not appear in the text; may be given again"),
]
AwayFrom = Annotated[
    str | None, typer.Option("--away-from", metavar="PROMPT", help="Another prompt that the text is to move away from")
]
Strength = Annotated[
    float | None, typer.Option("--strength", metavar="G", help="How far to move away from it: 1 is not at all")
]
_LENGTH = re.compile(r"\s*(?:(?P<least>\d+)\s*-\s*)?(?P<most>\d+)\s*(?P<unit>[a-z]+)\s*")


def read_control(given: Mapping[str, Any]) -> Control | None:
    """The settings of these options by their names, None where none is given.

    raises  UserError for a file that cannot be read, or what is not allowed
    """
    schema, grammar, length = given["schema"], given["grammar"], given["length"]
    away_from, strength = given["away_from"], given["strength"]
    table: dict[str, Any] = {
        "json_schema": None if schema is None else read_schema(schema),
        "regex": given["regex"],
        "grammar": None if grammar is None else read_file(grammar),
        "choices": given["choice"],
        "length": None if length is None else read_length(length),
        "must": given["must"],
        "never": given["never"],
    }
    if away_from is not None:
        table["contrast"] = {"prompt": away_from} | ({} if strength is None else {"strength": strength})
    elif strength is not None:
        raise UserError("--strength means nothing without --away-from", fix="give --away-from too, or leave it out")
    asked = {name: value for name, value in table.items() if value is not None and value != [] and value != ()}
    return validate(Control, asked) if asked else None


def read_length(text: str) -> dict[str, Any]:
    """A length as it is said: "50 words" is at most 50, and whole sentences are wanted of a range.

    >>> read_length("40-60 words")
    {'unit': 'words', 'at_most': 60, 'at_least': 40, 'whole': True}
    """
    found = _LENGTH.fullmatch(text)
    if found is None:
        raise UserError(
            "{text} is no length",
            fix="write it like '50 words', '40-60 words', '100 characters' or '2 sentences'",
            text=text,
        )
    unit = found["unit"] if found["unit"].endswith("s") else found["unit"] + "s"
    table: dict[str, Any] = {"unit": unit, "at_most": int(found["most"])}
    return table | {"at_least": int(found["least"]), "whole": True} if found["least"] else table


def read_schema(path: Path) -> Any:
    """The JSON in a file."""
    text = read_file(path)
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError("{path} is not JSON: {error}", fix="correct it there", path=path, error=error) from None


def read_file(path: Path) -> str:
    """The text in a file."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError("{path} is not UTF-8 text: {error}", fix="save it as UTF-8", path=path, error=error) from None
    except OSError as error:
        raise UserError(
            "{path} cannot be read: {reason}", fix="check the path", path=path, reason=error.strerror
        ) from None
