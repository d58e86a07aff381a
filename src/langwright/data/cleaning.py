"""Which rows are dropped and why. Each rule is a question about one row; the first that says no is counted.

Sources   shares and limits in the manner of Rae et al. 2021 (Gopher, arXiv:2112.11446), appendix A.1, and Raffel et
          al. 2020 (C4, arXiv:1910.10683), section 2.2
Differs   theirs count words between spaces and English stop words; these count characters by Unicode category, so
          that they hold for Chinese and for source code, and their limits are wider
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from langwright.data.characters import Makeup, makeup
from langwright.data.dataset import Dataset, text_of
from langwright.data.duplicates import SeenKeys, content_key
from langwright.data.encoding import REPLACED
from langwright.data.schemas import Row, TextRow
from langwright.data.settings import CleanSettings
from langwright.runlog import Progressed, RunLog

Rule = Literal[
    "language", "too short", "too long", "replacement characters", "few letters", "many symbols", "many digits",
    "repeated lines", "repeated characters", "little Chinese", "banned words", "duplicate",
]  # fmt: skip
RULES: tuple[Rule, ...] = get_args(Rule)
EXAMPLES = 5  # kept of each rule
SHOWN = 200  # characters of an example
LONG_LINE = 10  # characters; shorter lines, such as a closing brace, may well repeat
REPORT_ROWS = 5000
ORDER = ("test", "validation", "train")  # of two rows that say the same, the one that measures is kept


class Dropped(BaseModel):
    """One row that was dropped, as `drops.json` shows it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    source: str
    split: str
    value: str  # what the rule looked at, such as a share
    text: str  # its beginning


class Drops(BaseModel):
    """`drops.json`: how many rows each rule dropped, and examples."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int  # looked at
    kept: int
    counts: dict[str, int]
    examples: dict[str, list[Dropped]]


@dataclass(frozen=True)
class Looked:
    """A row as the rules see it."""

    row: Row

    @cached_property
    def text(self) -> str:
        """All that it says."""
        return text_of(self.row)

    @cached_property
    def made_of(self) -> Makeup:
        """Its characters by kind."""
        return makeup(self.text)

    def share(self, count: int) -> float:
        """A count as a share of its characters, spaces aside."""
        return count / max(self.made_of.written, 1)

    @cached_property
    def repeated(self) -> float:
        """Share of the characters of longer lines that stand in lines which are there twice or more."""
        lines = [line for line in (part.strip() for part in self.text.split("\n")) if len(line) >= LONG_LINE]
        counts = Counter(lines)
        total = sum(map(len, lines))
        return sum(len(line) * times for line, times in counts.items() if times > 1) / total if total else 0.0


@dataclass
class Cleaner:
    """Goes through rows once, keeping count."""

    settings: CleanSettings
    seen: SeenKeys = field(default_factory=SeenKeys)
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Dropped]] = field(default_factory=dict)
    rows: int = 0

    def clean(self, dataset: Dataset, log: RunLog) -> Iterator[tuple[Row, str]]:
        """The rows that are kept, with their split; test rows first, train rows last."""
        total = sum(dataset.counts.values())
        for split in ORDER:
            for row in dataset.rows(split) if split in dataset.splits else ():
                if self.keep(row, split):
                    yield row, split
                if self.rows % REPORT_ROWS == 0:
                    log.write(Progressed(what="cleaning", done=self.rows, total=total))
        log.write(Progressed(what="cleaning", done=self.rows, total=total))

    def keep(self, row: Row, split: str) -> bool:
        """Whether no rule drops the row."""
        self.rows += 1
        looked = Looked(row)
        found = first_reason(looked, self.settings)
        if found is None and self.settings.duplicates and not self.seen.add(content_key(row)):
            found = ("duplicate", "")
        if found is None:
            return True
        rule, value = found
        self.counts[rule] += 1
        kept = self.examples.setdefault(rule, [])
        if len(kept) < EXAMPLES:
            start = looked.text[:SHOWN]
            kept.append(Dropped(id=row.id, source=row.source, split=split, value=value, text=start))
        return False

    def drops(self) -> Drops:
        """What was dropped, rules in their order."""
        return Drops(
            rows=self.rows,
            kept=self.rows - sum(self.counts.values()),
            counts={rule: self.counts[rule] for rule in RULES if self.counts[rule]},
            examples={rule: self.examples[rule] for rule in RULES if rule in self.examples},
        )


def first_reason(looked: Looked, settings: CleanSettings) -> tuple[Rule, str] | None:
    """The first rule that drops a row, with what it saw; None when all let it pass."""
    if settings.languages and looked.row.language not in settings.languages:
        return "language", looked.row.language
    if len(looked.text) > settings.max_characters:
        return "too long", str(len(looked.text))
    if REPLACED in looked.text and looked.share(looked.made_of.replaced) > settings.max_replaced:
        return "replacement characters", f"{looked.share(looked.made_of.replaced):.3f}"
    if settings.banned:
        said = looked.text.casefold()
        found = next((word for word in settings.banned if word.casefold() in said), None)
        if found is not None:
            return "banned words", found
    return first_reason_of_text(looked, settings) if isinstance(looked.row, TextRow) else None


def first_reason_of_text(looked: Looked, settings: CleanSettings) -> tuple[Rule, str] | None:
    """The rules for running text."""
    made = looked.made_of
    if made.written < settings.min_characters:
        return "too short", str(made.written)
    shares: tuple[tuple[Rule, float, Callable[[float], bool]], ...] = (
        ("few letters", looked.share(made.letters + made.digits), lambda share: share < settings.min_letters),
        ("many symbols", looked.share(made.symbols), lambda share: share > settings.max_symbols),
        ("many digits", looked.share(made.digits), lambda share: share > settings.max_digits),
        ("repeated characters", looked.share(made.in_runs), lambda share: share > settings.max_repeated_characters),
        ("little Chinese", made.chinese / max(made.letters, 1), lambda share: share < settings.min_chinese),
        ("repeated lines", looked.repeated, lambda share: share > settings.max_repeated_lines),
    )
    return next(((rule, f"{share:.3f}") for rule, share, drops in shares if drops(share)), None)
