"""Which rows an evaluation looks at, and how texts begin."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from langwright.data.characters import CHARACTERS
from langwright.data.dataset import Dataset
from langwright.errors import UserError

T = TypeVar("T")
PREFERENCE = ("validation", "test", "train")
_WORD_WITH_LEAD = re.compile(rf"\s*(?:[{CHARACTERS}]|[^\W_{CHARACTERS}]+|\S)")


def split_of(dataset: Dataset, wanted: str) -> str:
    """The split to measure on: the wanted one, or of "auto" the first that there is of validation, test, train.

    raises  UserError when the dataset has no rows in it
    """
    if wanted != "auto":
        if wanted not in dataset.splits:
            raise UserError(
                "dataset {path} has no split called {split!r}",
                fix="it has {splits}; splits are made by `langwright data read`",
                path=dataset.path,
                split=wanted,
                splits=", ".join(dataset.splits),
            )
        return wanted
    return next(split for split in PREFERENCE if split in dataset.splits)


def drawn(rows: Iterable[T], limit: int | None, seed: int, group: Callable[[T], str] | None = None) -> list[T]:
    """At most `limit` of the rows of each group, each equally likely, in their order; all of them without a limit.

    The rows are read once and only the drawn ones are held (reservoir sampling: Vitter 1985, algorithm R).
    """
    if limit is None:
        return list(rows)
    rng = random.Random(seed)
    seen: Counter[str] = Counter()
    held: defaultdict[str, list[tuple[int, T]]] = defaultdict(list)
    for number, row in enumerate(rows):
        name = group(row) if group else ""
        seen[name] += 1
        if len(held[name]) < limit:
            held[name].append((number, row))
        elif (place := rng.randrange(seen[name])) < limit:
            held[name][place] = (number, row)
    together = sorted((numbered for those in held.values() for numbered in those), key=lambda numbered: numbered[0])
    return [row for _, row in together]


def evenly(texts: Iterable[T], share: float) -> Iterator[T]:
    """A share of the texts, spread evenly over the whole; all of them when the share is 1."""
    return (text for number, text in enumerate(texts) if int((number + 1) * share) > int(number * share))


def blocks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in order, `size` at a time; the last block may be smaller."""
    stream = iter(items)
    while block := list(islice(stream, size)):
        yield block


def share_within(dataset: Dataset, split: str, megabytes: float) -> float:
    """Which share of a split's rows holds about this much text."""
    size = sum(len(text.encode()) for text in dataset.texts(split))
    return min(1.0, megabytes * 1e6 / max(size, 1))


def opening(text: str, pieces: int) -> str:
    """The first pieces of a text, Chinese characters or words or marks, as they are written.

    >>> opening("白日依山尽，黄河入海流", 5)
    '白日依山尽'
    >>> opening("It was the best of times", 3)
    'It was the'
    """
    matches = islice(_WORD_WITH_LEAD.finditer(text), pieces)
    return text[: max((match.end() for match in matches), default=0)]
