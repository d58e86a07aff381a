"""Running text as documents of bounded length, from a stream of chunks: memory holds one chunk and one document."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from langwright.data.settings import Unit

SEPARATORS: dict[Unit, re.Pattern[str] | None] = {
    "file": None,
    "paragraph": re.compile(r"\n(?:[ \t]*\n)+"),
    "line": re.compile(r"\n"),
}
BREAKS = ("\n\n", "\n", "。", "！", "？", ". ", "! ", "? ", " ")  # where a document may best be cut, best first


def documents_of(chunks: Iterator[str], unit: Unit, limit: int) -> Iterator[str]:
    """Files, paragraphs or lines, none longer than `limit` characters; what holds no words is left out.

    chunks  text with `\\n` line ends, cut anywhere
    """
    separator = SEPARATORS[unit]
    pending = ""
    for chunk in chunks:
        pending += chunk
        if separator is not None:
            # A blank line may go on in the next chunk: what follows the last separator waits, and so does that one.
            *whole, pending = separator.split(pending) if unit == "line" else held_back(separator, pending)
            for part in whole:
                yield from pieces(part, limit)
        begin = 0
        while len(pending) - begin > limit:
            end = cut_point(pending, begin, limit)
            yield from stripped(pending[begin:end])
            begin = end
        pending = pending[begin:]
    last = separator.split(pending) if separator is not None else [pending]
    for part in last:
        yield from pieces(part, limit)


def held_back(separator: re.Pattern[str], text: str) -> list[str]:
    """The parts between separators, a separator that ends the text left in the last part."""
    trimmed = text.rstrip()
    *whole, last = separator.split(trimmed)
    return [*whole, last + text[len(trimmed) :]]


def pieces(text: str, limit: int) -> Iterator[str]:
    """A text in pieces of at most `limit` characters."""
    begin = 0
    while len(text) - begin > limit:
        end = cut_point(text, begin, limit)
        yield from stripped(text[begin:end])
        begin = end
    yield from stripped(text[begin:])


def stripped(text: str) -> Iterator[str]:
    """The text without empty lines around it, or nothing when there are no words."""
    text = text.rstrip().lstrip("\n")
    if text.strip():
        yield text


def cut_point(text: str, begin: int, limit: int) -> int:
    """Where to end a piece that begins at `begin`: after the last good break in the second half, else at the limit."""
    end = begin + limit
    for mark in BREAKS:
        found = text.rfind(mark, begin + limit // 2, end)
        if found >= 0:
            return found + len(mark)
    while end > begin + 1 and unicodedata.combining(text[end]):
        end -= 1  # an accent stays with its letter
    return end


@dataclass(frozen=True)
class Line:
    """One line of a table file. `text` is empty where the line is longer than allowed."""

    number: int  # from 1
    text: str
    too_long: bool = False


def lines_of(chunks: Iterator[str], limit: int) -> Iterator[Line]:
    """Lines without their ends; of a line longer than `limit` characters nothing is kept."""
    pending: list[str] = []
    size = 0
    number = 1
    for chunk in chunks:
        first, *rest = chunk.split("\n")
        size += len(first)
        if size <= limit:
            pending.append(first)
        for following in rest:
            yield Line(number, "".join(pending), False) if size <= limit else Line(number, "", True)
            number += 1
            size = len(following)
            pending = [following] if size <= limit else []
    if size:
        yield Line(number, "".join(pending), False) if size <= limit else Line(number, "", True)
