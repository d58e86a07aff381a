"""Texts and what is left of them after mistakes, gaps and disorder: rows of schema correction, the whole text the goal.

Every draw is a function of the seed, the split and the text's number (`data.drawing`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import numpy as np

from langwright.data.damage_settings import DamageSettings, Dropped, Listed, Masked, Mistyped, Noise, Shuffled
from langwright.data.dataset import Dataset, text_of
from langwright.data.drawing import draws
from langwright.data.schemas import CorrectionRow, Row
from langwright.data.words import HAN
from langwright.errors import UserError

Numbers = np.random.Generator
Mistakes = Mapping[str, Sequence[str]]  # right word -> its mistakes
SENTENCE = re.compile(r"[^.!?。！？；\n]+[.!?。！？；]*[\"'”’」』）)]*")
PIECE = re.compile(rf"(?:(?![{HAN}_])\w)+(?:['’-](?:(?![{HAN}_])\w)+)*|[{HAN}]")


def damaged_rows(
    dataset: Dataset, settings: DamageSettings, listed: Mapping[str, Sequence[str]]
) -> Iterator[tuple[CorrectionRow, str]]:
    """(row, split) of every text that is kept.

    listed  right word -> its mistakes, for the noise of that kind
    raises  UserError where that noise is wanted and there is no list
    """
    if not listed and any(isinstance(noise, Listed) for noise in settings.noises):
        raise UserError(
            "noise of kind listed takes its mistakes from a list, and none was given",
            fix="name a file with lines of the form WRONG->RIGHT after the dataset",
        )
    halves = {half: {right: wrong for right, wrong in listed.items() if half_of(right) == half} for half in (0, 1)}
    for split in dataset.splits:
        mistakes = halves[1 if split == "test" else 0]
        texts = wanted(dataset.rows(split), settings)
        for number, (row, text) in enumerate(islice(texts, settings.limit)):
            numbers = draws(settings.seed, 0, number, f"damage/{split}")
            made = text if numbers.random() < settings.untouched else damaged(text, settings.noises, mistakes, numbers)
            about = {"source": row.source, "licence": row.licence, "language": row.language}
            yield CorrectionRow(id=f"{row.id}.{number}", text=made, correction=text, **about), split


def wanted(rows: Iterator[Row], settings: DamageSettings) -> Iterator[tuple[Row, str]]:
    """Texts of the wanted length."""
    for row in rows:
        whole = text_of(row)
        parts = (part[0] for part in SENTENCE.finditer(whole)) if settings.sentences else iter((whole,))
        for part in parts:
            text = " ".join(part.split())
            if settings.min_characters <= len(text) <= settings.max_characters:
                yield row, text


def damaged(text: str, noises: Sequence[Noise], mistakes: Mistakes, numbers: Numbers) -> str:
    """The text with one of the noises; as it is where that left nothing."""
    noise = noises[int(numbers.integers(len(noises)))]
    made = " ".join(WAYS[noise.kind](text, noise, mistakes, numbers).split())
    return made or text


def by_list(text: str, noise: Listed, mistakes: Mistakes, numbers: Numbers) -> str:
    """Words replaced by their listed mistakes; at least one where there is one."""
    found = [match for match in PIECE.finditer(text) if match[0].lower() in mistakes]
    chosen = {match.start() for match in found if numbers.random() < noise.share}
    if found and not chosen:
        chosen = {found[int(numbers.integers(len(found)))].start()}

    def replaced(match: re.Match[str]) -> str:
        if match.start() not in chosen:
            return match[0]
        known = mistakes[match[0].lower()]
        wrong = known[int(numbers.integers(len(known)))]
        return wrong[:1].upper() + wrong[1:] if match[0][:1].isupper() else wrong

    return PIECE.sub(replaced, text)


def mistyped(text: str, noise: Mistyped, mistakes: Mistakes, numbers: Numbers) -> str:
    """Characters added, dropped, changed or turned."""
    letters = [letter for letter in text if letter.isalnum()] or ["x"]
    made: list[str] = []
    place = 0
    while place < len(text):
        here = text[place]
        place += 1
        if not here.isalnum() or numbers.random() >= noise.share:
            made.append(here)
            continue
        way = int(numbers.integers(4))
        other = letters[int(numbers.integers(len(letters)))]
        if way == 3 and place < len(text) and text[place].isalnum():
            made += [text[place], here]
            place += 1
        else:
            made += ([here, other], [], [other], [other])[way]
    return "".join(made)


def dropped(text: str, noise: Dropped, mistakes: Mistakes, numbers: Numbers) -> str:
    """Pieces left out."""
    return PIECE.sub(lambda match: "" if numbers.random() < noise.share else match[0], text)


def masked(text: str, noise: Masked, mistakes: Mistakes, numbers: Numbers) -> str:
    """Pieces covered; at least one."""
    found = list(PIECE.finditer(text))
    chosen = {match.start() for match in found if numbers.random() < noise.share}
    if found and not chosen:
        chosen = {found[int(numbers.integers(len(found)))].start()}
    return PIECE.sub(lambda match: noise.sign if match.start() in chosen else match[0], text)


def shuffled(text: str, noise: Shuffled, mistakes: Mistakes, numbers: Numbers) -> str:
    """Runs of pieces in another order; what stands between them stays where it is."""
    found = list(PIECE.finditer(text))
    order = list(range(len(found)))
    place = 0
    while place < len(order):
        if numbers.random() < noise.share:
            part = order[place : place + noise.within]
            order[place : place + noise.within] = [part[at] for at in numbers.permutation(len(part))]
            place += noise.within
        else:
            place += 1
    moved = iter(order)
    return PIECE.sub(lambda _: found[next(moved)][0], text)


WAYS: dict[str, Callable[..., str]] = {
    "listed": by_list,
    "mistyped": mistyped,
    "dropped": dropped,
    "masked": masked,
    "shuffled": shuffled,
}


# --- lists of mistakes -----------------------------------------------------------------------------


def half_of(word: str) -> int:
    """Which half of a list a right word is in: all its mistakes are in one."""
    return blake2b(word.lower().encode(), digest_size=1, person=b"langwright-half").digest()[0] & 1


def read_mistakes(paths: Sequence[Path]) -> dict[str, list[str]]:
    """Right word -> its mistakes, from lines `wrong->right`; of several right words the first is meant.

    raises  UserError for a line of another form
    """
    import gzip

    found: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            wrong, arrow, right = line.partition("->")
            meant = right.split(",")[0].strip()
            if not arrow or not wrong.strip() or not meant:
                raise UserError(
                    "{path}, line {number}, is not of the form WRONG->RIGHT",
                    fix="write one mistake a line, as in teh->the",
                    path=path,
                    number=number,
                )
            found[meant.lower()].append(wrong.strip())
    return dict(found)
