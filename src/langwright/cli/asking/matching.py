"""Which function a request means, by words: a deterministic baseline that needs no model.

Pieces of a request (words of Latin letters by their stems, and pairs of Chinese characters) are compared with what the
declaration of each function says, each piece counted by how few functions have it (idf); what the request gives and does
not give speaks for and against functions that need it. Words that people use and declarations do not are listed in
`words.toml`.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from langwright.cli.asking.functions import Function, functions
from langwright.cli.asking.spans import Spans
from langwright.metrics.stemming import stem

HAN = re.compile(r"[\u4e00-\u9fff]+")
LATIN = re.compile(r"[a-z]+")
NAMED, HINTED, LACKING, SPARE = 2.0, 6.0, 3.0, 1.5  # weights of what speaks for and against a function


@dataclass(frozen=True)
class Match:
    """A function and how well it fits."""

    function: Function
    score: float


@cache
def hints() -> dict[str, tuple[str, ...]]:
    """Function -> patterns of what people say for it."""
    text = resources.files("langwright.cli.asking").joinpath("words.toml").read_text(encoding="utf-8")
    return {name: tuple(patterns) for name, patterns in tomllib.loads(text)["functions"].items()}


def pieces(text: str) -> list[str]:
    """Stems of words, and pairs of Chinese characters.

    >>> pieces("Trains 分词器")
    ['train', '分词', '词器']
    """
    low = text.casefold()
    found = [stem(word) for word in LATIN.findall(low)]
    return found + [run[at : at + 2] for run in HAN.findall(low) for at in range(max(1, len(run) - 1))]


@cache
def weights() -> tuple[dict[str, Counter[str]], dict[str, float]]:
    """(function -> its pieces, piece -> how much it tells)."""
    said = {name: Counter(pieces(one.said)) for name, one in functions().items()}
    having = Counter(piece for counts in said.values() for piece in counts)
    return said, {piece: math.log((1 + len(said)) / (0.5 + count)) for piece, count in having.items()}


def matches(request: str, found: Spans) -> list[Match]:
    """Every function, the best first."""
    said, idf = weights()
    asked = Counter(pieces(found.rest))
    ranked = [Match(one, score(name, one, request, asked, found, said[name], idf)) for name, one in functions().items()]
    return sorted(ranked, key=lambda one: (-one.score, one.function.name))


def score(
    name: str, one: Function, request: str, asked: Counter[str], found: Spans, said: Counter[str], idf: dict[str, float]
) -> float:
    """How well a request fits a function."""
    size = math.sqrt(sum(idf[piece] ** 2 for piece in said)) or 1.0
    total = 3 * sum(idf[piece] for piece in asked if piece in said) / math.sqrt(size)
    total += sum(NAMED * idf.get(piece, 0.0) for piece in pieces(name) if piece in asked)
    total += HINTED * sum(bool(re.search(pattern, found.rest, re.IGNORECASE)) for pattern in hints().get(name, ()))
    return total - unfit(one, found)


def unfit(one: Function, found: Spans) -> float:
    """What a request lacks of what a function needs, and gives that it has no place for."""
    kinds = Counter(kind for _, kind in found.named if kind)
    free = sum(not kind for _, kind in found.named)
    lacking = 0
    for slot in one.slots:
        if slot.kind in ("model", "dataset", "tokenizer", "report"):
            if kinds[slot.kind]:
                kinds[slot.kind] -= 0 if slot.many else 1
            elif slot.needed:
                lacking += 1
        elif slot.kind == "artifact":
            lacking += not sum(kinds.values())
            kinds.clear()
        elif slot.kind == "text":
            lacking += not found.quoted
        elif slot.kind == "source":
            lacking += not (kinds["source"] or free > 1)
            kinds["source"] = 0
    many = {slot.kind for slot in one.slots if slot.many}
    spare = sum(count for kind, count in kinds.items() if kind not in many)
    spare += bool(found.quoted) and not any(slot.kind == "text" for slot in one.slots)
    return LACKING * lacking + SPARE * spare


def shortlist(ranked: Sequence[Match], size: int = 6) -> list[Function]:
    """The best few."""
    return [one.function for one in ranked[:size]]
