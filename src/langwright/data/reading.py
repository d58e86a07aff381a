"""From files to rows, as a stream: nothing is held but the row being made and one chunk of its file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any

from langwright.data.annotated import MAKERS, NEEDED, columns_of, guesses, labels_in, other_names, unfolded
from langwright.data.conll import sentences
from langwright.data.conversations import CHAT_COLUMNS, NotConversation, messages_of
from langwright.data.cutting import documents_of
from langwright.data.dataset import SPLITS, text_of
from langwright.data.duplicates import SeenKeys
from langwright.data.encoding import Decoding, clean_text, read_text
from langwright.data.records import (
    Malformed,
    Record,
    bad_row,
    json_array,
    json_lines,
    parquet_rows,
    separated,
    side_by_side,
)
from langwright.data.schemas import SCHEMAS, WRITTEN, ChatRow, ClassificationRow, Row, TextRow
from langwright.data.settings import ReadSettings
from langwright.data.sources import Passed, Source, find_sources, matches
from langwright.errors import UserError
from langwright.runlog import Chosen, Progressed, RunLog, Warned

SPLIT_NAMES = {"train": "train", "training": "train", "validation": "validation", "valid": "validation",
               "val": "validation", "dev": "validation", "test": "test"}  # fmt: skip
ROW_COLUMNS = frozenset({"id", "source", "licence", "language"})
NO_TEXT = "it has no text in column"
NO_LABEL = "it has no label in column"
NO_TARGET = "it has no text to be written in column"
NO_SPLIT = "its split is none of train, validation, dev, test"
BAD, EMPTY = "cannot be read", "empty"  # names of counts
REPORT_BYTES = 4 << 20
CHINESE = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
LETTERS = re.compile(r"[^\W\d_]")
GUESS_FROM = 4000  # characters looked at to guess a language


@dataclass(frozen=True)
class Read:
    """A row, and its split where the source names one."""

    row: Row
    split: str | None


def read_sources(sources: Sequence[Path], settings: ReadSettings, log: RunLog) -> Iterator[Row]:
    """The rows of files and folders, in a fixed order; see `Reader`."""
    return (read.row for read in Reader(settings, log).rows(sources))


Unfold = Callable[[Record], Iterable[Record]]
UNFOLDED: Mapping[str, Unfold] = {"qa": unfolded}
"""By schema: what makes several records of one."""


class Reader:
    """Reads sources once; what was left out is counted in `left_out` when the rows are read."""

    def __init__(
        self, settings: ReadSettings, log: RunLog, unfold: Unfold | None = None, columns: frozenset[str] = frozenset()
    ) -> None:
        """How to read.

        unfold   what makes several records of one; the schema's own when left out
        columns  names that it can use besides the schema's
        """
        self.settings = settings
        self.log = log
        self.unfold = unfold or UNFOLDED.get(settings.schema_name, lambda record: (record,))
        self.columns = columns
        self.left_out: Counter[str] = Counter()
        self._unused: dict[str, None] = {}  # columns, in the order met
        self._ids, self._again = SeenKeys(), 0  # ids that rows have of their own, and how many came again
        self._guessed: set[str] = set()  # fields read from a column of another name, without being told
        self._done = self._reported = self._total = 0

    def rows(self, sources: Sequence[Path]) -> Iterator[Read]:
        """The rows of all sources.

        raises  UserError when a source is missing, empty or of the wrong kind, holds a bad row and `skip_bad` is
                off, is not text, or when nothing at all was found
        """
        settings = self.settings
        passed = Passed()
        found = find_sources(sources, settings.schema_name, settings.include, settings.exclude, passed)
        self._total = sum(source.path.stat().st_size for source in found)
        count = 0
        for source in found:
            split = self.split_of(source)
            for read in self.read_one(source):
                count += 1
                yield read if read.split or split is None else Read(read.row, split)
            self._done += source.path.stat().st_size
        self.log.write(Progressed(what="reading", done=self._total, total=self._total))
        if not count:
            raise UserError(
                "no rows were found in {paths}",
                fix="see that the files hold text, and that the settings name the right columns",
                paths=", ".join(str(path) for path in sources),
            )
        self.report(passed)

    def read_one(self, source: Source) -> Iterator[Read]:
        """The rows of one file."""
        if source.format == "text" or (source.format == "conll" and self.settings.schema_name != "tagging"):
            if self.settings.parallel and self.settings.schema_name in WRITTEN:
                yield from self.table(source)
                return
            if self.settings.schema_name != "text":
                raise UserError(
                    "{path} is running text, and {schema} rows come from tables",
                    fix="give .jsonl, .json, .csv, .tsv or .parquet files, or leave out --schema",
                    path=source.path,
                    schema=self.settings.schema_name,
                )
            yield from self.running_text(source)
        else:
            yield from self.table(source)

    # --- running text ---

    def running_text(self, source: Source) -> Iterator[Read]:
        """Documents of a text file."""
        chunks, decoding = self.text(source)
        limit = self.settings.document_characters
        for number, text in enumerate(documents_of(chunks, self.settings.unit, limit), start=1):
            cleaned = clean_text(text)
            if cleaned.strip():
                yield Read(TextRow(text=cleaned, **self.about(source, number, cleaned, {})), None)
        self.note_broken(source, decoding)

    def text(self, source: Source) -> tuple[Iterator[str], Decoding]:
        """The decoded chunks of a file, telling the log how far it is."""
        return read_text(source.path, self.settings.encoding, self.settings.max_broken, self.at)

    def at(self, position: int) -> None:
        """Report progress, every few megabytes."""
        done = self._done + position
        if done - self._reported >= REPORT_BYTES:
            self._reported = done
            self.log.write(Progressed(what="reading", done=done, total=self._total))

    def note_broken(self, source: Source, decoding: Decoding) -> None:
        """Say that broken characters were replaced."""
        if decoding.broken:
            self.log.write(
                Warned(
                    message="{path}: {broken} broken characters were replaced, the first at byte {offset}",
                    values={"path": source.name, "broken": decoding.broken, "offset": decoding.first_broken or 0},
                )
            )

    # --- tables ---

    def table(self, source: Source) -> Iterator[Read]:
        """Rows of a table."""
        checked = False
        for record in chain.from_iterable(map(self.unfold, self.records(source))):
            try:
                if record.problem:
                    raise Malformed(record.problem, record.detail)
                values = self.renamed(record.values)
                if not checked and (source.format in ("csv", "tsv", "parquet") or not self.settings.skip_bad):
                    self.check_columns(source, record.values, values)
                    checked = True
                read = self.row(source, record.row, values)
            except (Malformed, NotConversation) as error:
                if not self.settings.skip_bad:
                    raise bad_row(source.path, Record(record.row, problem=error.problem, detail=error.detail)) from None
                self.left_out[BAD] += 1
                continue
            self.note_columns(record.values)
            if read is None:
                self.left_out[EMPTY] += 1
            else:
                yield read

    def records(self, source: Source) -> Iterator[Record]:
        """The records of a table, whatever its format."""
        if source.format == "parquet":
            yield from parquet_rows(source.path, self.wanted() | frozenset(self.settings.fields.values()))
            return
        limit = self.settings.max_row_megabytes << 20
        chunks, decoding = self.text(source)
        if source.format == "jsonl":
            yield from json_lines(chunks, limit)
        elif source.format == "json":
            yield from json_array(chunks, limit)
        elif source.format == "conll":
            yield from sentences(chunks, limit)
        elif source.format == "text":
            others, _ = read_text(self.parallel_to(source), self.settings.encoding, self.settings.max_broken)
            yield from side_by_side(chunks, others, ("text", self.settings.schema_name), limit)
        else:
            usual = "\t" if source.format == "tsv" else ","
            delimiter = usual if self.settings.delimiter == "auto" else self.settings.delimiter
            yield from separated(chunks, delimiter, self.settings.columns, limit)
        self.note_broken(source, decoding)

    def parallel_to(self, source: Source) -> Path:
        """The file whose lines belong to a file's.

        raises  UserError when there is none
        """
        part = next((one for one in self.settings.parallel if one in source.path.name), None)
        other = source.path.with_name(source.path.name.replace(part, self.settings.parallel[part])) if part else None
        if other is None or not other.is_file():
            raise UserError(
                "{path} has no parallel file: {wanted}",
                fix="see that parallel names a part of its name, such as '.en', with what stands there in the other's, and that both lie side by side",
                path=source.path,
                wanted=other.name if other else ", ".join(self.settings.parallel),
            )
        return other

    def wanted(self) -> frozenset[str]:
        """Names a row can use."""
        names = set(SCHEMAS[self.settings.schema_name].model_fields) | ROW_COLUMNS | self.columns
        names |= columns_of(self.settings.schema_name)
        if self.settings.schema_name == "chat":
            names |= CHAT_COLUMNS
        if self.settings.split.column:
            names.add(self.settings.split.column)
        return frozenset(names)

    def renamed(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The record with fields under the names that the schema has for them."""
        guessed = guesses(self.settings.schema_name, values)
        named = {**guessed, **self.settings.fields}
        if not named:
            return values
        for field in [field for field in guessed if field not in {*self.settings.fields, *self._guessed}]:
            self._guessed.add(field)
            self.log.write(Chosen(message="column {column} is read as {field}", values={"column": guessed[field], "field": field}))  # fmt: skip
        taken = ROW_COLUMNS & set(named.values())  # a column called source that holds the text is no source of it
        kept = {name: value for name, value in values.items() if name not in taken}
        return {**kept, **{field: values.get(column) for field, column in named.items()}}

    def check_columns(self, source: Source, found: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Refuse a table without a column that its rows need."""
        needed: dict[str, tuple[str, ...]] = {
            "text": ("text",), "chat": (), "classification": ("text", "labels" if "labels" in values else "label"),
            "translation": ("text", "translation"), "summary": ("text", "summary"),
            "correction": ("text", "correction"), **NEEDED,
        }  # fmt: skip
        for name in needed[self.settings.schema_name]:
            column = self.settings.fields.get(name, name)
            if column not in found and values.get(name) is None:
                near = get_close_matches(column, list(found), n=1)
                raise UserError(
                    "{path} has no column called {column!r}; it has {columns}",
                    fix="name the right one with --set fields.{name}={near}, or name all columns of a file without a header line with --set columns",
                    path=source.path,
                    column=column,
                    columns=", ".join(repr(header[:40]) for header in found),
                    name=name,
                    near=near[0] if near else "COLUMN",
                )

    def note_columns(self, found: Mapping[str, Any]) -> None:
        """Remember columns that nothing uses."""
        if not found.keys() <= self._unused.keys():
            taken = {*guesses(self.settings.schema_name, found).values(), *self.settings.fields.values()}
            used = (self.wanted() - other_names(self.settings.schema_name)) | taken
            self._unused |= dict.fromkeys(name for name in found if name not in used)

    def row(self, source: Source, number: int, values: Mapping[str, Any]) -> Read | None:
        """A record as a row; None when it says nothing."""
        split = self.named_split(values)
        if self.settings.schema_name == "chat":
            messages = messages_of(values)
            expect = values.get("expect")
            about = self.about(source, number, "\n".join(message.content for message in messages), values)
            return Read(ChatRow(messages=messages, expect=clean_text(expect) if expect else None, **about), split)
        if self.settings.schema_name in MAKERS:
            row = self.annotated(values)
            return Read(row.model_copy(update=self.about(source, number, text_of(row), values)), split)
        text = whole(values.get("text"))
        if not isinstance(text, str):
            raise Malformed(NO_TEXT, self.settings.fields.get("text", "text"))
        text = clean_text(text).strip()
        if not text:
            return None
        about = self.about(source, number, text, values)
        if self.settings.schema_name == "text":
            return Read(TextRow(text=text, **about), split)
        if self.settings.schema_name in WRITTEN:
            return Read(self.written(text, values, about), split)
        if values.get("labels") is not None:
            found = labels_in(values["labels"], self.settings.separator)
            labels = tuple(self.settings.labels.get(label, label) for label in found)
            return Read(ClassificationRow(text=text, labels=labels, **about), split)
        return Read(ClassificationRow(text=text, label=self.label(values.get("label")), **about), split)

    def annotated(self, values: Mapping[str, Any]) -> Row:
        """What a person has annotated, without what every row has."""
        name = self.settings.schema_name
        content = MAKERS[name](values)
        if name == "relation" or (name == "pair" and "score" not in content):
            content["label"] = self.label(values.get("label"))
        return SCHEMAS[name](**content)

    def written(self, text: str, values: Mapping[str, Any], about: Mapping[str, str]) -> Row:
        """A text with the one that is to be written from it."""
        name = self.settings.schema_name
        value = values.get(name)
        value = value[0] if isinstance(value, list) and value else value  # of several right ones the first
        target = clean_text(value).strip() if isinstance(value, str) else ""
        if not target:
            raise Malformed(NO_TARGET, self.settings.fields.get(name, name))
        content = {"text": text, name: target, **about}
        if name == "translation":
            named = values.get("target_language") or self.settings.target_language
            content["target_language"] = guess_language(target) if named == "auto" else str(named)
        return SCHEMAS[name](**content)

    def label(self, value: object) -> str:
        """A label as text, under the name the settings give it."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # a column of whole numbers with gaps comes as floats
        if not isinstance(value, (str, int, float)) or not str(value).strip():
            raise Malformed(NO_LABEL, self.settings.fields.get("label", "label"))
        label = clean_text(str(value)).strip()
        return self.settings.labels.get(label, label)

    def named_split(self, values: Mapping[str, Any]) -> str | None:
        """The split that a row's own column names."""
        column = self.settings.split.column
        if column is None:
            return None
        split = SPLIT_NAMES.get(str(values.get(column)).strip().lower())
        if split is None:
            raise Malformed(NO_SPLIT, f"{column}: {values.get(column)}")
        return split

    def split_of(self, source: Source) -> str | None:
        """The split that a file is, by the settings' patterns."""
        for split, pattern in self.settings.split.files.items():
            if matches(source.name, [pattern]):
                return known_split(split)
        return None

    def about(self, source: Source, number: int, text: str, values: Mapping[str, Any]) -> dict[str, str]:
        """What every row has beside its content: the record's own, else ours."""
        ours = {
            "id": f"{source.name}#{number}",
            "source": source.name,
            "licence": self.settings.licence,
            "language": self.settings.language if self.settings.language != "auto" else "",
        }
        about = {
            name: str(values[name]) if isinstance(values.get(name), (str, int)) and values[name] != "" else default
            for name, default in ours.items()
        }
        about["language"] = about["language"] or guess_language(text)
        if about["id"] != ours["id"] and not self._ids.add(blake2b(about["id"].encode(), digest_size=16).digest()):
            self._again += 1
        return about

    def report(self, passed: Passed) -> None:
        """Say what was not used."""
        if self._unused:
            names = ", ".join(list(self._unused)[:20])
            self.log.write(Warned(message="columns that are not used: {columns}", values={"columns": names}))
        if passed.count:
            self.log.write(
                Warned(
                    message="{count} files were passed over, such as {examples}",
                    values={"count": passed.count, "examples": ", ".join(passed.examples)},
                )
            )
        if self._again:
            self.log.write(
                Warned(message="{count} rows have the id of a row before them", values={"count": self._again})
            )
        if self.left_out[BAD]:
            self.log.write(Warned(message="{count} rows could not be read", values={"count": self.left_out[BAD]}))


def whole(value: object) -> object:
    """A list of sentences as one text; anything else as it is."""
    if not (isinstance(value, list) and value and all(isinstance(one, str) for one in value)):
        return value
    return ("" if CHINESE.search(value[0]) else " ").join(value)


def known_split(name: str) -> str:
    """One of train, validation and test, by any of its usual names."""
    split = SPLIT_NAMES.get(name.lower())
    if split is None:
        raise UserError(
            "no split called {name!r}", fix="choose one of: {choices}", name=name, choices=", ".join(SPLITS)
        )
    return split


def guess_language(text: str) -> str:
    """zh when at least a fifth of the first letters are Chinese characters, else en."""
    start = text[:GUESS_FROM]
    if start.isascii():
        return "en"
    chinese = len(CHINESE.findall(start))
    return "zh" if chinese and chinese >= 0.2 * len(LETTERS.findall(start)) else "en"
