"""Sheets on which people judge texts: each text on a scale, or two texts beside each other, without knowing whose they are.

A folder holds `sheet-1.csv`, `sheet-2.csv`, … to be filled in, and `key.json`, which says whose text each row shows. The
rows of every sheet are in an order of their own, and which text stands left is drawn anew, so that neither favours a model.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from langwright.errors import UserError
from langwright.evaluation.measuring.findings import read_details
from langwright.files import write_whole
from langwright.measures import read_report
from langwright.wording import say

FORMAT = 1
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a cell begins that a spreadsheet would compute
ANSWERS = {"left": 1.0, "right": 0.0, "tie": 0.5, "左": 1.0, "右": 0.0, "平": 0.5, "l": 1.0, "r": 0.0, "t": 0.5}
Kind = Literal["ratings", "pairs"]


class KeyRow(BaseModel):
    """What one row of a sheet shows."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    row: str  # its name, different on every sheet
    sheet: int
    prompt: int  # which prompt, from 0
    models: tuple[str, ...]  # whose text; of a pair left, then right


class Key(BaseModel):
    """`key.json`."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    format: int = FORMAT
    kind: Kind
    highest: int  # of the scale, which begins at 1; of pairs 1
    seed: int
    rows: tuple[KeyRow, ...]


@dataclass(frozen=True)
class Judged:
    """What a person said of one row: a rating, or 1, 0.5, 0 as the left text is better, as good, worse."""

    row: KeyRow
    value: float


# --- making --------------------------------------------------------------------------------------


def texts_of(source: Path) -> tuple[str, dict[str, str]]:
    """Whose texts they are, and what was written after each prompt.

    source  a report of `langwright evaluate` with samples or replies, or a JSONL file of rows with prompt and text
    raises  UserError when it is neither
    """
    if (source / "details.json").is_file():
        details, measures = read_details(source / "details.json"), read_report(source / "report.json").measures
        name = measures[0].model if measures else source.resolve().name
        found = {one.prompt: one.text for one in details.samples} | {one.prompt: one.text for one in details.replies}
    else:
        name, found = source.stem, dict(read_lines(source))
    if not found:
        raise UserError(
            "{path} holds no texts to judge",
            fix="name a report with samples or replies, or a JSONL file of rows with prompt and text",
            path=source,
        )
    return name, found


def read_lines(file: Path) -> Iterator[tuple[str, str]]:
    """(prompt, text) of every line."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            "{path} cannot be read as texts to judge: {error}",
            fix="name a report with samples or replies, or a JSONL file of rows with prompt and text",
            path=file,
            error=error,
        ) from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            prompt, text = row["prompt"], row["text"]
        except (ValueError, KeyError, TypeError):
            prompt = text = None
        if not isinstance(prompt, str) or not isinstance(text, str):
            raise UserError(
                "line {line} of {path} is not a row with prompt and text",
                fix='write each as {{"prompt": "...", "text": "..."}}',
                line=number,
                path=file,
            )
        yield prompt, text


def make_sheets(
    sources: Sequence[Path], out: Path, *, kind: Kind, raters: int, highest: int, limit: int | None, seed: int
) -> Key:
    """Write the folder; its key.

    limit   most prompts, drawn by the seed; all that the sources share when None
    raises  UserError when there is nothing to compare, or the folder exists
    """
    if out.exists():
        raise UserError("{path} already exists", fix="name a new folder", path=out)
    written = named_texts(sources)
    if kind == "pairs" and len(written) < 2:
        raise UserError("a pair needs the texts of two models", fix="name two or more sources, or leave --pairs out")
    prompts = [prompt for prompt in next(iter(written.values())) if all(prompt in texts for texts in written.values())]
    if not prompts:
        raise UserError(
            "the sources have no prompt in common: {names}",
            fix="let every model write after the same prompts, with the same data and seed",
            names=", ".join(written),
        )
    if limit is not None and limit < len(prompts):
        prompts = sorted(random.Random(seed).sample(prompts, limit), key=prompts.index)
    key = Key(kind=kind, highest=highest if kind == "ratings" else 1, seed=seed, rows=tuple(rows_for(len(prompts), list(written), kind, raters, seed)))  # fmt: skip
    out.mkdir(parents=True)
    for sheet in range(1, raters + 1):
        text = sheet_text([row for row in key.rows if row.sheet == sheet], prompts, written, key)
        write_whole(out / f"sheet-{sheet}.csv", text.encode("utf-8-sig"))  # so that spreadsheets see UTF-8
    write_whole(out / "key.json", key.model_dump_json(indent=2).encode() + b"\n")
    return key


def named_texts(sources: Sequence[Path]) -> dict[str, dict[str, str]]:
    """Model -> prompt -> text; UserError where two sources have one name."""
    found: dict[str, dict[str, str]] = {}
    for source in sources:
        name, texts = texts_of(source)
        if name in found:
            raise UserError("two sources are both called {name}", fix="rename one of them", name=name)
        found[name] = texts
    return found


def rows_for(prompts: int, models: Sequence[str], kind: Kind, raters: int, seed: int) -> Iterator[KeyRow]:
    """Every row of every sheet, in the order in which it is shown."""
    drawing = random.Random(seed)
    shown = [(model,) for model in models] if kind == "ratings" else list(combinations(models, 2))
    number = 0
    for sheet in range(1, raters + 1):
        rows = [(prompt, those) for prompt in range(prompts) for those in shown]
        drawing.shuffle(rows)
        for prompt, those in rows:
            number += 1
            sides = tuple(drawing.sample(those, len(those)))
            yield KeyRow(row=f"{number:05d}", sheet=sheet, prompt=prompt, models=sides)


def sheet_text(rows: Sequence[KeyRow], prompts: Sequence[str], written: Mapping[str, Mapping[str, str]], key: Key) -> str:  # fmt: skip
    """One sheet as CSV."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    if key.kind == "ratings":
        heads = [say("row"), say("prompt"), say("text"), say("rating, 1 to {highest}", highest=key.highest)]
    else:
        heads = [say("row"), say("prompt"), say("left text"), say("right text"), say("better: left, right or tie")]
    writer.writerow([*heads, say("comment")])
    for row in rows:
        prompt = prompts[row.prompt]
        cells = [prompt, *(written[model][prompt] for model in row.models)]
        writer.writerow([row.row, *map(harmless, cells), "", ""])
    return buffer.getvalue()


def harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


# --- reading -------------------------------------------------------------------------------------


def read_key(folder: Path) -> Key:
    """The key of a folder of sheets."""
    try:
        return Key.model_validate_json((folder / "key.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise UserError(
            "{path} is not a folder of rating sheets: {error}",
            fix="make one with `langwright rate make`",
            path=folder,
            error=str(error).splitlines()[0],
        ) from None


def read_sheets(folder: Path, key: Key) -> list[Judged]:
    """What stands on the sheets that lie in the folder; rows that are not filled in are left out.

    raises  UserError for a row that is on no sheet of this folder, is filled in twice, or holds no answer
    """
    rows = {row.row: row for row in key.rows}
    found: dict[str, Judged] = {}
    for file in sorted(folder.glob("*.csv")):
        for line, cells in sheet_rows(file):
            if not cells or not any(cells):
                continue
            row = rows.get(cells[0].strip().lstrip("'").zfill(5))  # spreadsheets drop noughts at the front
            if row is None:
                raise UserError(
                    "line {line} of {path} names row {row!r}, which is on no sheet of this folder",
                    fix="leave the first column as it is, and each sheet in its own folder",
                    line=line,
                    path=file,
                    row=cells[0],
                )
            said = answer_of(cells, row, key, file, line)
            if said is None:
                continue
            if row.row in found:
                raise UserError(
                    "row {row} is filled in twice, the second time on line {line} of {path}",
                    fix="keep one copy of each sheet in the folder",
                    row=row.row,
                    line=line,
                    path=file,
                )
            found[row.row] = Judged(row, said)
    return list(found.values())


def sheet_rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) below the heading, in UTF-8 or GB 18030, parted by commas, semicolons or tabs, as spreadsheets write."""
    data = file.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gb18030", errors="replace")
    heading = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=heading.count))
    for cells in reader:
        if reader.line_num > 1:
            yield reader.line_num, cells


def answer_of(cells: Sequence[str], row: KeyRow, key: Key, file: Path, line: int) -> float | None:
    """What is filled in; None for nothing."""
    place = 2 + len(row.models)
    text = cells[place].strip() if len(cells) > place else ""
    if not text:
        return None
    if key.kind == "pairs":
        if text.lower() in ANSWERS:
            return ANSWERS[text.lower()]
        raise UserError(
            "line {line} of {path} says {answer!r}, which is none of left, right and tie",
            fix="write left, right or tie",
            line=line,
            path=file,
            answer=text,
        )
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value.is_integer() or not 1 <= value <= key.highest:
        raise UserError(
            "line {line} of {path} says {answer!r}, which is no whole number from 1 to {highest}",
            fix="write a whole number of the scale",
            line=line,
            path=file,
            answer=text,
            highest=key.highest,
        )
    return value
