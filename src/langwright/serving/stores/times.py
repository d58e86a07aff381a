"""The clock of the stores, in one place so that tests can move it, and names that nobody can guess."""

from __future__ import annotations

import base64
import secrets
import time
from datetime import UTC, datetime

DAY_S = 86_400


def now() -> float:
    """Seconds since 1970."""
    return time.time()


def day_of(seconds: float) -> str:
    """The day in UTC.

    >>> day_of(0.0)
    '1970-01-01'
    """
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def new_id(kind: str) -> str:
    """A name such as `turn_k3j2…`: 80 random bits behind its kind."""
    return f"{kind}_{base64.b32encode(secrets.token_bytes(10)).decode().lower()}"
