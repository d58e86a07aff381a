"""Names of what lies in the workspace, as the API takes them: never paths."""

from __future__ import annotations

import re
import unicodedata

from langwright.errors import UserError
from langwright.serving.complaints import ApiError
from langwright.workspace import DEPTH, PARTIAL

NEW = re.compile(r"\w[\w.+-]*")  # letters of any script
MOST_BYTES = 120


def new_name(name: str, param: str = "name") -> str:
    """A name for something that is to be made.

    raises  ApiError 422 for what is more than letters, digits and a few signs
    """
    fine = NEW.fullmatch(name) and not name.endswith((PARTIAL, ".new", ".")) and unicodedata.is_normalized("NFC", name)
    if not fine or len(name.encode()) > MOST_BYTES:
        raise ApiError(
            UserError(
                "{name!r} cannot be the name of anything here",
                fix="take letters, digits, '-', '_', '+' and '.', at most {most} bytes, and no folders", name=name[:MOST_BYTES], most=MOST_BYTES,
            ), status=422, param=param,
        )  # fmt: skip
    return name


def may_exist(name: str) -> bool:
    """Whether something below a folder of the workspace may be called so: no way out of it, nothing hidden."""
    parts = name.split("/")
    return len(parts) <= DEPTH and all(
        part and not part.startswith(".") and not part.endswith(PARTIAL) and part.isprintable() and len(part.encode()) <= 200
        for part in parts
    )  # fmt: skip
