"""Which files are read: single files as given, folders in a fixed order, by their extension."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from langwright.data.encoding import clean_text
from langwright.errors import UserError

Format = Literal["text", "jsonl", "json", "csv", "tsv", "parquet", "conll"]

PROSE = "txt text md markdown mdx rst adoc org tex"
CODE = (
    "py pyi pyx ipy c h cc cpp cxx hh hpp hxx cu cuh m mm java kt kts scala groovy clj cljs go rs swift zig nim d cs fs vb"
    " js mjs cjs jsx ts mts cts tsx vue svelte html htm css scss less xml svg xsl php rb pl pm lua tcl r jl f f90 f95"
    " hs ml mli ex exs erl hrl lisp el scm sh bash zsh fish ps1 bat sql proto thrift graphql cmake mk make gradle"
    " dockerfile toml yaml yml ini cfg conf properties tf nix v sv vhd asm s pas ada cob dart sol"
)
FORMATS: dict[str, Format] = {
    **dict.fromkeys((PROSE + " " + CODE).split(), "text"),
    "jsonl": "jsonl", "ndjson": "jsonl", "json": "json", "csv": "csv", "tsv": "tsv", "parquet": "parquet",
    **dict.fromkeys(["conll", "bio", "iob", "iob2", "bioes", "bmes"], "conll"),
}  # fmt: skip
CODE_EXTENSIONS = frozenset(CODE.split())
BARE_NAMES = frozenset({"makefile", "dockerfile", "readme", "license", "copying", "changelog", "news", "authors"})
TABLES: frozenset[Format] = frozenset({"jsonl", "json", "csv", "tsv", "parquet", "conll"})


@dataclass(frozen=True)
class Source:
    """One file to read."""

    path: Path
    name: str  # as rows name it: the given file's or folder's name, and the path below the folder
    format: Format
    given: bool  # by itself, and not found in a folder


@dataclass
class Passed:
    """Files of folders that are not read."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, name: str) -> None:
        """Count one, and keep the first few names."""
        self.count += 1
        if len(self.examples) < 5:
            self.examples.append(name)


def find_sources(
    paths: Sequence[Path], schema_name: str, include: Sequence[str], exclude: Sequence[str], passed: Passed
) -> list[Source]:
    """The files to read, in the order of the paths given and of names within folders.

    A given file of an unknown extension is read as text. In a folder, hidden files and links are passed over, and
    so is what has an unknown extension; for running text, .json files too (they are settings more often than text),
    unless `include` names them.

    raises  UserError when a path does not exist, a given file is empty, or a folder has nothing to read
    """
    found: list[Source] = []
    taken: set[str] = set()
    for path in paths:
        name = unused(clean_text(path.absolute().name) or "root", taken)
        if path.is_dir():
            inside = list(in_folder(path, name, schema_name, include, exclude, passed))
            if not inside:
                raise UserError(
                    "nothing in {path} can be read as {schema} rows",
                    fix="give files such as {extensions}, and see that include and exclude leave some",
                    path=path,
                    schema=schema_name,
                    extensions=".txt .md .py .jsonl .csv .parquet" if schema_name == "text" else ".jsonl .csv .parquet",
                )
            found += inside
        elif path.is_file():
            if path.stat().st_size == 0:
                raise UserError("{path} is empty", fix="give a file with something in it", path=path)
            found.append(Source(path, name, format_of(path) or "text", given=True))
        else:
            raise UserError("there is no {path}", fix="check the path", path=path)
    return found


def in_folder(
    folder: Path, name: str, schema_name: str, include: Sequence[str], exclude: Sequence[str], passed: Passed
) -> Iterator[Source]:
    """The files of a folder and its folders, by name."""
    for below in walk(folder, exclude, passed):
        file = folder / below
        if matches(below, exclude) or (include and not matches(below, include)):
            continue
        form = format_of(file)
        unlikely = (form == "json" and schema_name == "text" and not include) or (
            form == "conll" and schema_name != "tagging"
        )
        if form is None or unlikely or (schema_name != "text" and form not in TABLES):
            passed.note(clean_text(f"{name}/{below}"))
        elif file.stat().st_size:
            yield Source(file, clean_text(f"{name}/{below}"), form, given=False)


def walk(folder: Path, exclude: Sequence[str], passed: Passed) -> Iterator[str]:
    """Every plain file below a folder that is not hidden, in the order of names; links are not followed.

    A folder that is excluded as a whole (`**/test/**`) is not looked into, for it may hold a great many files. One that may
    not be looked into is noted.
    """

    def closed(error: OSError) -> None:
        passed.note(clean_text(str(error.filename)))

    whole = [pattern.removesuffix("/**") for pattern in exclude if pattern.endswith("/**")]
    for place, folders, files in os.walk(folder, onerror=closed):
        prefix = "" if place == str(folder) else os.path.relpath(place, folder).replace(os.sep, "/") + "/"
        folders[:] = sorted(name for name in folders if name[0] != "." and not matches(prefix + name, whole))
        for name in sorted(files):
            file = os.path.join(place, name)  # noqa: PTH118  # a Path for each of many files costs more than reading them
            if name[0] != "." and os.path.isfile(file) and not os.path.islink(file):  # noqa: PTH113, PTH114
                yield prefix + name


def format_of(path: Path) -> Format | None:
    """What a file holds, by its extension with .gz aside; None when that is not known."""
    name = path.name.lower().removesuffix(".gz")
    stem, _, extension = name.rpartition(".")
    if not stem:
        return "text" if name in BARE_NAMES else None
    return FORMATS.get(extension)


def unused(name: str, taken: set[str]) -> str:
    """The name, with a number where another source has it."""
    chosen, number = name, 1
    while chosen in taken:
        number += 1
        chosen = f"{name}-{number}"
    taken.add(chosen)
    return chosen


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a path, or its last part, matches a glob pattern; `**` stands for any number of folders."""
    return any(
        glob_regex(pattern).fullmatch(name) or glob_regex(pattern).fullmatch(name.rpartition("/")[2])
        for pattern in patterns
    )


@lru_cache(maxsize=256)
def glob_regex(pattern: str) -> re.Pattern[str]:
    """A glob as a regular expression."""
    parts = re.split(r"(/\*\*/|\*\*/|/\*\*|\*\*|\*|\?)", pattern)
    words = {"/**/": "/(?:.*/)?", "**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts))


def is_code(name: str) -> bool:
    """Whether a file's name says that it is source code."""
    stem, _, extension = name.lower().removesuffix(".gz").rpartition(".")
    return bool(stem) and extension in CODE_EXTENSIONS
