"""Where the command line speaks: answers on standard output, everything else on standard error.

With `--json` a command prints exactly one object; without it the last line is the next command.
"""

from __future__ import annotations

import io
import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import typer

from langwright.errors import UserError
from langwright.measures import Measure
from langwright.wording import Term, say

Json = Mapping[str, object]


class Screen:
    """One command's voice.

    as_json  print one object instead of text
    out      standard output; with `as_json` nothing but the object may reach it
    command  the whole command as it was typed
    """

    def __init__(self, *, as_json: bool, out: TextIO, err: TextIO, command: Sequence[str] = ("langwright",)) -> None:
        self.as_json = as_json
        self.command = tuple(command)
        self.out = out
        self.err = err
        self.answered = False

    def line(self, text: str = "") -> None:
        """A line for a person, on standard output."""
        if not self.as_json:
            print(text, file=self.out, flush=True)

    def piece(self, text: str) -> None:
        """A part of a line for a person, at once."""
        if not self.as_json:
            print(text, end="", file=self.out, flush=True)

    def note(self, text: str) -> None:
        """A line beside the answer, on standard error."""
        print(text, file=self.err, flush=True)

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Rows in columns, as wide as they need to be."""
        for line in columns(rows):
            self.line(line)

    def answer(self, data: Json, *, next: str = "", beside: bool = False) -> None:
        """The end of a command: its object, or the next command for a person.

        beside  say the next command on standard error, where standard output is the answer itself
        """
        self.answered = True
        if self.as_json:
            print(json.dumps(data, ensure_ascii=False, default=plainly), file=self.out, flush=True)
        elif next:
            (self.note if beside else self.line)(f"{say('next')}: {next}")

    def error(self, error: UserError) -> None:
        """What was wrong and what to do, in two lines, or as an object."""
        if self.as_json:
            self.answer(error_object(error))
            return
        self.note(f"{say('error')}: {error.problem()}")
        self.note(f"  {say('fix')}: {error.fix()}")


def screen_of(context: typer.Context) -> Screen:
    """The screen that `main` handed to a command."""
    assert isinstance(context.obj, Screen)
    return context.obj


def error_object(error: UserError) -> dict[str, object]:
    """A person's mistake as every command and the API give it."""
    return {"error": {"code": error.code, "params": error.params, "problem": error.problem(), "fix": error.fix()}}


def plainly(value: object) -> object:
    """What json does not know: paths as text, sequences as lists."""
    if isinstance(value, (Path, os.PathLike)):
        return str(value)
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be shown as JSON")


def use_utf8() -> None:
    """Read and write UTF-8 whatever the locale says; a terminal that cannot show a character shows a mark instead."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")


# --- text in columns -----------------------------------------------------------------------------


def width(text: str) -> int:
    """Columns a text takes in a terminal: Chinese characters take two.

    >>> width("a中")
    3
    """
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


def padded(text: str, columns: int) -> str:
    """A text with blanks up to a width."""
    return text + " " * (columns - width(text))


def columns(rows: Sequence[Sequence[str]], gap: int = 2) -> list[str]:
    """Lines with aligned columns; the last column is not padded."""
    if not rows:
        return []
    widths = [max(width(row[i]) for row in rows if i < len(row)) for i in range(max(len(row) for row in rows))]
    return [
        (" " * gap).join(padded(cell, widths[i]) if i < len(row) - 1 else cell for i, cell in enumerate(row)).rstrip()
        for row in rows
    ]


def folded(text: str, limit: int) -> list[str]:
    """A text in lines of at most `limit` columns, broken at blanks or beside Chinese characters.

    >>> folded("one two three", 8)
    ['one two', 'three']
    """
    lines, line = [], ""
    for unit in units(text):
        if line and width(line + unit.rstrip()) > limit:
            lines.append(line.rstrip())
            line = ""
        line += unit
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def units(text: str) -> list[str]:
    """What may not be broken: words with the blank after them, single Chinese characters with the mark after them."""
    found: list[str] = []
    for character in text:
        wide = unicodedata.east_asian_width(character) in "WF"
        closing = unicodedata.category(character) in ("Po", "Pe", "Pf")
        if not found or (wide and not closing) or found[-1].endswith(" ") or (not wide and wide_end(found[-1])):
            found.append(character)
        else:
            found[-1] += character
    return found


def wide_end(text: str) -> bool:
    """Whether a text ends in a wide character, after which a line may break."""
    return unicodedata.east_asian_width(text[-1]) in "WF"


def measure_rows(measures: Sequence[Measure]) -> list[list[str]]:
    """Measures as rows: name, value with its interval, unit, what it was measured on, how much it rests on."""
    rows, several = [], len({measure.data for measure in measures}) > 1
    for measure in measures:
        on = " · ".join(part for part in (measure.model, measure.data if several else "") if part) or measure.data
        scale, prefix = si_prefix(measure.value) if measure.unit in COUNTS else (1.0, "")
        value = shown(measure.value / scale)
        if measure.low is not None and measure.high is not None:
            value += f" [{shown(measure.low / scale)}, {shown(measure.high / scale)}]"
        unit = COUNTS[measure.unit] if measure.unit in COUNTS else say("{name}", name=Term(measure.unit))
        rest = say("n = {n}", n=f"{measure.n:,}") if measure.n else ""
        name = say("{name}", name=Term(measure.name))
        rows.append([f"  {name}", value, prefix + unit, on, rest])
    return rows


COUNTS = {"bytes": "B", "FLOP": "FLOP", "Wh": "Wh"}  # units that are read best with a prefix


def si_prefix(number: float) -> tuple[float, str]:
    """The factor and letter that leave a number between 1 and 1000.

    >>> si_prefix(88_803_901_440)
    (1000000000.0, 'G')
    """
    for scale, letter in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= scale:
            return scale, letter
    return 1.0, ""


def shown(number: float) -> str:
    """A number in at most four digits that matter.

    >>> shown(0.123456), shown(12345.6), shown(3.0)
    ('0.1235', '12,346', '3')
    """
    if number == int(number) or abs(number) >= 1000:
        return f"{number:,.0f}"
    return f"{number:.4g}"
