"""Which folder a served name led to, and when: a file of lines that is only added to, so that one can go back.

A name goes back to what it led to before its present version came, and from there further back; a version that was
gone back from is not gone back to.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

M = TypeVar("M", bound=BaseModel)
Why = Literal["served", "exchanged", "rolled back"]


class Version(BaseModel):
    """One line: from this time on a name led to this folder.

    digest  of the model's files
    why     the server began with it, a person exchanged it, or a person went back to it
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: float
    name: str
    folder: str
    digest: str
    why: Why


class Versions:
    """The history of the served names of a workspace."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def of(self, name: str) -> list[Version]:
        """The history of a name, oldest first."""
        return [version for version in read_lines(self.file, Version) if version.name == name]

    def note(self, version: Version) -> None:
        """Add a version, unless the name leads there already."""
        standing = stack(self.of(version.name))
        if not standing or standing[-1].digest != version.digest:
            add_line(self.file, version)


def stack(history: Sequence[Version]) -> list[Version]:
    """The versions that one can go back through; the last one is the present one."""
    standing: list[Version] = []
    for version in history:
        if version.why == "rolled back":
            while len(standing) > 1 and standing[-1].digest != version.digest:
                standing.pop()
        elif not standing or standing[-1].digest != version.digest:
            standing.append(version)
    return standing


def add_line(file: Path, line: BaseModel) -> None:
    """Add a line, and have it on the disk."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as stream:
        if stream.tell() and not ends_whole(file):
            stream.write(b"\n")  # behind a line that a killed server left half written
        stream.write(line.model_dump_json().encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


def ends_whole(file: Path) -> bool:
    """Whether the last line of a file is a whole one."""
    with file.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"


def read_lines(file: Path, model: type[M]) -> list[M]:
    """The lines of a file; one that was half written when the server was killed is left out."""
    found = []
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    for line in text.splitlines():
        try:
            found.append(model.model_validate_json(line))
        except ValidationError:
            continue
    return found
