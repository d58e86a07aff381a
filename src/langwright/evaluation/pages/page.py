"""A page as a list of blocks, and the one template that turns it into a single HTML file.

Blocks hold what is to be said; how it looks is the template's and the style sheet's. Both lie in `templates/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from langwright.evaluation.pages.bilingual import Words
from langwright.wording import Language

Cell = Words | str


@dataclass(frozen=True)
class Paragraph:
    """Running text. `kind` "note" is set apart, "caution" is for what a reader must not overlook."""

    words: Words
    kind: Literal["plain", "note", "caution"] = "plain"
    block: str = "paragraph"


@dataclass(frozen=True)
class Headline:
    """One number that stands out: its name, itself, and a line below."""

    name: Words
    value: Words
    below: Words | None = None


@dataclass(frozen=True)
class Headlines:
    """The numbers to see first."""

    items: tuple[Headline, ...]
    block: str = "headlines"


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    items: tuple[tuple[Words, Cell], ...]
    block: str = "facts"


@dataclass(frozen=True)
class Row:
    """A table row. `head` spans the table and begins a group; `below` is a line in small print under the row."""

    cells: tuple[Cell, ...]
    head: bool = False
    below: tuple[Words, ...] = ()
    mark: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under column names; `numeric` columns stand flush right."""

    caption: Words
    columns: tuple[Words, ...]
    rows: tuple[Row, ...]
    numeric: frozenset[int] = frozenset()
    block: str = "table"


@dataclass(frozen=True)
class Figure:
    """A chart with its caption and legend."""

    caption: Words
    svg: Markup
    legend: Markup


@dataclass(frozen=True)
class Figures:
    """Charts side by side where there is room."""

    items: tuple[Figure, ...]
    block: str = "figures"


@dataclass(frozen=True)
class Written:
    """Something a model wrote: what it began with, what it wrote, a note, and whether it was right where that is known."""

    prompt: str
    text: str
    note: Words | None = None
    right: bool | None = None


@dataclass(frozen=True)
class Writing:
    """Texts by a model."""

    items: tuple[Written, ...]
    block: str = "writing"


@dataclass(frozen=True)
class Commands:
    """Command lines to run again."""

    lines: tuple[str, ...]
    block: str = "commands"


@dataclass(frozen=True)
class Node:
    """One artifact or source in a tree of origins."""

    name: Cell
    note: Words
    below: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Tree:
    """What something was made from."""

    roots: tuple[Node, ...]
    block: str = "tree"


@dataclass(frozen=True)
class Grid:
    """A table of counts in which shade shows the share of a row; the diagonal is what is right."""

    caption: Words
    across: Words
    down: Words
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    block: str = "grid"

    def shade(self, row: int, column: int) -> int:
        """Per cent of the row."""
        total = sum(self.counts[row])
        return round(100 * self.counts[row][column] / total) if total else 0


@dataclass(frozen=True)
class Fold:
    """Blocks that are shown on demand."""

    summary: Words
    blocks: tuple[Block, ...]
    block: str = "fold"


Block = Paragraph | Headlines | Facts | Table | Figures | Writing | Commands | Tree | Grid | Fold


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading. Sections without blocks are left out."""

    id: str
    title: Words
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """A whole report."""

    title: Words
    subtitle: Words
    sections: Sequence[Section] = field(default_factory=tuple)


def render_page(page: Page, lang: Language) -> str:
    """The page as one HTML file that needs nothing else: both languages are in it, `lang` is shown first."""
    from langwright.evaluation.pages.bilingual import both

    sections = [section for section in page.sections if section.blocks]
    contents = both("Contents")
    return template().render(page=page, sections=sections, lang=lang, contents=contents)


@cache
def template() -> Template:
    """The compiled template."""
    environment = Environment(
        loader=PackageLoader("langwright.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")
