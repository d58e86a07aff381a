"""Which rows are kept for validation and test: a function of what a row says, so rows that say the same stay together
and adding rows moves no other, but for the very few that keep a split from being empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

from langwright.data.duplicates import SeenKeys, content_key
from langwright.data.reading import Read, known_split
from langwright.data.schemas import ClassificationRow, PairRow, QaRow, Row, TextRow
from langwright.data.settings import SplitSettings
from langwright.errors import UserError


@dataclass(frozen=True, eq=False)
class Held:
    """Rows that say the same, kept back until it is known where they are needed."""

    key: bytes
    place: float
    natural: str  # the split of their place
    rows: list[Row]


@dataclass
class Stratum:
    """Rows of one label, or all rows where there are no labels."""

    empty: set[str]  # wanted splits without a row
    held: list[Held] = field(default_factory=list)  # no more than there are empty splits


class Splitter:
    """Gives rows their split as they stream by.

    A row's place in [0, 1) is a hash of what it says: first come the test rows, then the validation rows, then train.
    So that a small set has no empty split, the rows nearest to each split that is still empty are kept back until
    it has one of its own, or the end; with `every_label`, for each label.
    """

    def __init__(self, settings: SplitSettings) -> None:
        if settings.validation + settings.test >= 1:
            raise UserError(
                "split.validation and split.test leave nothing to train on",
                fix="choose shares that add up to less than 1",
            )
        self.settings = settings
        named = {known_split(split) for split in settings.files}
        # A split that has files of its own takes no rows from the others; a column names all.
        shares = {"test": settings.test, "validation": settings.validation}
        self.bounds: dict[str, tuple[float, float]] = {}
        low = 0.0
        for split, share in shares.items():
            high = low if split in named or settings.column else low + share
            self.bounds[split] = (low, high)
            low = high
        self.bounds["train"] = (low, 1.0)
        wanted = {split for split, (low, high) in self.bounds.items() if high > low}
        self._wanted = wanted if len(wanted) > 1 else set()
        self._strata: dict[str, Stratum] = {}
        self._waiting: dict[bytes, Held] = {}
        self._seen = SeenKeys()

    def split(self, rows: Iterator[Read]) -> Iterator[tuple[Row, str]]:
        """Every row with its split; rows kept back come when they are let go, at the latest at the end."""
        for read in rows:
            if read.split is not None:
                yield read.row, read.split
            else:
                yield from self.place(read.row)
        for stratum in self._strata.values():
            yield from self.fill(stratum)

    def place(self, row: Row) -> Iterator[tuple[Row, str]]:
        """The row with its split, unless it is kept back, and rows that need to be kept back no longer."""
        # Questions about one passage stay together: who has learned from a passage knows answers to the others.
        key = content_key(TextRow(text=row.context) if isinstance(row, QaRow) else row)
        if key in self._waiting:
            self._waiting[key].rows.append(row)
            return
        place = place_of(key, self.settings.seed)
        natural = next(split for split, (low, high) in self.bounds.items() if low <= place < high)
        stratum = self._strata.setdefault(self.label(row), Stratum(set(self._wanted)))
        if not stratum.empty and not self.label(row):
            yield row, natural
            return
        new = self._seen.add(key)  # what has gone to its split already cannot be kept back
        if not (new and stratum.empty):
            stratum.empty.discard(natural)
            yield row, natural
        else:
            stratum.held.append(Held(key, place, natural, [row]))
            self._waiting[key] = stratum.held[-1]
        yield from self.let_go(stratum)

    def label(self, row: Row) -> str:
        """The stratum of a row: its label, or nothing where labels do not count."""
        return row.label if self.settings.every_label and isinstance(row, (ClassificationRow, PairRow)) else ""

    def let_go(self, stratum: Stratum) -> Iterator[tuple[Row, str]]:
        """Rows that no empty split needs, each to the split of its place."""
        while len(stratum.held) > len(stratum.empty):
            needed = self.matched(stratum).values()
            free = next(held for held in stratum.held if held not in needed)
            yield from self.give(stratum, free, free.natural)

    def fill(self, stratum: Stratum) -> Iterator[tuple[Row, str]]:
        """At the end: empty splits take what is matched to them."""
        for split, held in self.matched(stratum).items():
            yield from self.give(stratum, held, split)

    def matched(self, stratum: Stratum) -> dict[str, Held]:
        """For each empty split, train first, the rows kept back whose place is nearest to it, each for one split."""
        left = list(stratum.held)
        found: dict[str, Held] = {}
        for split in ("train", "validation", "test"):
            if split in stratum.empty and left:
                low, high = self.bounds[split]
                found[split] = min(left, key=lambda held: max(low - held.place, held.place - high, 0.0))
                left.remove(found[split])
        return found

    def give(self, stratum: Stratum, held: Held, split: str) -> Iterator[tuple[Row, str]]:
        """Rows that were kept back, with the split they come to."""
        stratum.held.remove(held)
        stratum.empty.discard(split)
        del self._waiting[held.key]
        for row in held.rows:
            yield row, split


def place_of(key: bytes, seed: int) -> float:
    """A number in [0, 1), evenly spread over keys, and another one for each seed."""
    digest = blake2b(key, digest_size=8, salt=seed.to_bytes(16, "little")).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)
