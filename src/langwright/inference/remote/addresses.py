"""Which names of models are addresses. Imports nothing."""

from __future__ import annotations


def is_url(name: object) -> bool:
    """Whether a model's name is the URL of a server.

    >>> is_url("http://127.0.0.1:8000"), is_url("hf:owner/name")
    (True, False)
    """
    return str(name).startswith(("http://", "https://"))
