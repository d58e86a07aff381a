"""Key files: a watermark's settings and its secret key, all that writing and finding it needs.

The file is made for its owner's eyes alone. No log, report, error or answer holds the key.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from langwright.errors import UserError
from langwright.inference.watermark.green import GreenMark
from langwright.inference.watermark.settings import KGW, SynthID, WatermarkSettings
from langwright.inference.watermark.tournament import TournamentMark
from langwright.settings import Settings

KEY_BYTES = 32
Mark = GreenMark | TournamentMark


class KeyFile(Settings):
    """What a key file holds."""

    format: Literal[1] = 1
    mark: WatermarkSettings
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", repr=False)]


def mark_of(settings: KGW | SynthID, key: bytes) -> Mark:
    """The watermark of these settings under a secret key of at most 64 bytes."""
    return GreenMark(settings, key) if isinstance(settings, KGW) else TournamentMark(settings, key)


def new_mark(settings: KGW | SynthID) -> Mark:
    """A watermark under a new key from the operating system."""
    return mark_of(settings, secrets.token_bytes(KEY_BYTES))


def save_mark(mark: Mark, path: Path) -> None:
    """Write a key file that its owner alone may read.

    raises  UserError when there is a file already, or it cannot be written: a key that is lost finds nothing again
    """
    text = KeyFile(mark=mark.settings, key=mark.key.hex()).model_dump_json(indent=2) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UserError(
            "{path} already exists", fix="name another file: what was marked with an old key is found by that key alone",
            path=path,
        ) from None  # fmt: skip
    except OSError as error:
        raise UserError(
            "{out} cannot be made: {reason}",
            fix="name an output in a folder where you may write",
            out=path,
            reason=error.strerror,
        ) from None
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)


def read_mark(path: Path) -> Mark:
    """The watermark of a key file; UserError, which never shows what the file holds, when it is none."""
    try:
        found = KeyFile.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise UserError(
            "{path} is not a key file of a watermark", fix="make one with `langwright watermark key FILE`", path=path
        ) from None
    return mark_of(found.mark, bytes.fromhex(found.key))
