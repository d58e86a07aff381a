"""What stands in a request that can become an argument: names of artifacts and files, quoted texts, numbers, words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

QUOTED = re.compile(r"“([^”]+)”|\"([^\"]+)\"|「([^」]+)」|‘([^’]+)’|(?<![\w])'([^']+)'(?!\w)|《([^》]+)》")
PATH = re.compile(r"hf:[\w.-]+/[\w.-]+|https?://[^\s，。；]+|[A-Za-z0-9_.~-]*/[A-Za-z0-9_./~-]*|[A-Za-z0-9_-]+\.[A-Za-z][A-Za-z0-9]{1,5}(?![A-Za-z0-9])")  # fmt: skip
NUMBER = re.compile(r"(?<![\w./-])\d+(?:\.\d+)?(?![\w/-]*/)")
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Spans:
    """Pieces of a request, in order.

    named  (name, kind of artifact, or "" where there is nothing of that name)
    rest   the request without quoted texts and names, in which words tell what is wanted
    """

    named: tuple[tuple[str, str], ...]
    quoted: tuple[str, ...]
    numbers: tuple[tuple[str, int], ...]
    rest: str

    def words(self) -> list[str]:
        """Words in Latin letters that are left."""
        return WORD.findall(self.rest)


def spans(request: str, kind_of: Callable[[str], str]) -> Spans:
    """The pieces of a request.

    kind_of  a name -> the kind of artifact that it leads to, source for a file or folder, "" for nothing

    >>> spans('go on from "a/b" with runs/base, 30 tokens', {"runs/base": "model"}.get).named
    (('runs/base', 'model'),)
    """
    quoted = tuple(next(part for part in match.groups() if part is not None) for match in QUOTED.finditer(request))
    bare = QUOTED.sub(" ", request)
    named: list[tuple[str, str]] = []
    for match in PATH.finditer(bare):
        name = match[0].rstrip(".,;:")
        if name and name != "/" and name not in (one for one, _ in named):
            named.append((name, kind_of(name) or ""))
    rest = PATH.sub(" ", bare)
    numbers = tuple((match[0], match.start()) for match in NUMBER.finditer(rest))
    return Spans(tuple(named), quoted, numbers, rest)
