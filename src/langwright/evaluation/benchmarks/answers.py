"""What a model answered before, kept in a file: an interrupted benchmark goes on, and a second one asks nothing twice.

One file a model (by digest), numbers it computes in and library versions; one JSON line an answer, appended. A torn
last line is passed over. Under strict an answer has the same bits whatever is asked beside it, so what is kept is what
would be answered again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from langwright.artifacts import library_versions
from langwright.inference.precision import Numbers

FORMAT = 1  # raised when the same question would be answered otherwise


class Kept:
    """Answers by the key of their question."""

    def __init__(self, file: Path | None) -> None:
        """file: None keeps them in memory only."""
        self._found: dict[str, Any] = {}
        self._stream = None
        if file is None:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        torn = False
        if file.is_file():
            for line in file.read_bytes().split(b"\n"):
                torn = not self._read(line)
        self._stream = file.open("ab")
        if torn:
            self._stream.write(b"\n")

    def __enter__(self) -> Kept:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __contains__(self, key: str) -> bool:
        return key in self._found

    def __getitem__(self, key: str) -> Any:
        return self._found[key]

    def put(self, answers: Mapping[str, Any]) -> None:
        """Keep some answers; they are in the file when this returns."""
        self._found |= answers
        if self._stream is not None:
            for key, value in answers.items():
                self._stream.write(json.dumps([key, value], ensure_ascii=False).encode() + b"\n")
            self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()

    def _read(self, line: bytes) -> bool:
        """Whether a line is empty or whole."""
        try:
            if line:
                key, value = json.loads(line)
                self._found[key] = value
        except (ValueError, TypeError):
            return False
        return True


def key_of(kind: str, asked: Any) -> str:
    """The name of a question: what is asked, to the last token."""
    return hashlib.blake2b(json.dumps([kind, asked]).encode(), digest_size=20).hexdigest()


def answers_file(cache: Path, digest: str, numbers: Numbers) -> Path:
    """Where answers of a model lie in a workspace's cache.

    digest  of the model's files
    """
    made_by = [FORMAT, sorted(library_versions().items())]
    tag = hashlib.blake2b(json.dumps(made_by).encode(), digest_size=4).hexdigest()
    how = f"{numbers.precision}{'-strict' if numbers.strict else ''}"
    return cache / "benchmarks" / f"{digest[:24]}-{how}-{tag}.jsonl"
