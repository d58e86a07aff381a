"""Where the data of benchmarks lies, and what its owner allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sources:
    """Where things are looked for, and what is allowed.

    data   folder below which data lies; None where there is none
    files  in place of a benchmark's data: its name, or name/split -> file
    code   names of functions that may be called
    """

    data: Path | None = None
    files: Mapping[str, str] | None = None
    code: frozenset[str] = frozenset()


def located(path: str, folder: Path, data: Path | None) -> Path:
    """A data file beside what names it, else below the data folder, else from where we stand."""
    wanted = Path(path).expanduser()
    places = [folder / wanted, *([data / wanted] if data is not None else []), wanted]
    return next((place for place in places if place.is_file()), places[-2] if data is not None else places[0])
