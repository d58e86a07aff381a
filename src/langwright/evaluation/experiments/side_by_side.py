"""Models side by side on the same items: every measure with its interval, paired differences, and where they differ.

Others are compared with the first. Differences are paired over items that both did: the bootstrap draws items, so what
is hard for all does not widen the interval; for right-or-wrong McNemar's exact test stands beside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from langwright.errors import UserError
from langwright.evaluation.measuring.findings import Item
from langwright.evaluation.pages.bilingual import Words, both, plain, translated
from langwright.evaluation.pages.charts import Bar, bar_chart, legend
from langwright.evaluation.pages.measured import measures_table
from langwright.evaluation.pages.numbers import interval_of, quantity, value_of
from langwright.evaluation.pages.page import (
    Block,
    Figure,
    Figures,
    Fold,
    Page,
    Paragraph,
    Row,
    Section,
    Table,
    render_page,
)
from langwright.evaluation.pages.report import Made, how_made
from langwright.measures import Measure
from langwright.metrics.comparison import difference, mcnemar
from langwright.wording import Language

MINUS = " − "
SHOWN = 12  # items where two models differ
LONGEST = 500  # characters of a text that is shown


@dataclass(frozen=True)
class Contestant:
    """One model's evaluation."""

    name: str
    measures: tuple[Measure, ...]
    items: Mapping[tuple[str, str], Item]  # by (data, name)

    def measure(self, name: str, data: str) -> Measure | None:
        """Its own measure of a name on some data."""
        return next(
            (m for m in self.measures if (m.name, m.data) == (name, data) and m.model == self.measures[0].model), None
        )


@dataclass(frozen=True)
class Gap:
    """One model less the first on one measure: the difference, and McNemar's test where items are right or wrong."""

    of: str
    data: str
    other: str
    difference: Measure
    test: Measure | None


def contestant(name: str, measures: Sequence[Measure], items: Sequence[Item]) -> Contestant:
    """A model with what was measured of it."""
    return Contestant(name, tuple(measures), {(item.data, item.name): item for item in items})


def gaps(contestants: Sequence[Contestant], seed: int = 0) -> list[Gap]:
    """Every paired difference to the first.

    raises  UserError where two have no item in common
    """
    first, *others = contestants
    found = []
    for other in others:
        shared = [key for key in first.items if key in other.items]
        if not shared:
            raise UserError(
                "{first} and {second} were measured on no item in common",
                fix="measure both on the same rows: `langwright compare` does, given the models and the data",
                first=first.name,
                second=other.name,
            )
        found += list(gaps_of(first, other, shared, seed))
    return found


def gaps_of(first: Contestant, other: Contestant, shared: Sequence[tuple[str, str]], seed: int) -> Iterator[Gap]:
    """Differences of one model to the first, of every measure of every data."""
    for data in dict.fromkeys(data for data, _ in shared):
        keys = [key for key in shared if key[0] == data]
        for name in first.items[keys[0]].marks:
            pairs = [(other.items[key].marks.get(name), first.items[key].marks.get(name)) for key in keys]
            whole = [(mine, theirs) for mine, theirs in pairs if mine is not None and theirs is not None]
            if not whole or not any(weight for _, (_, weight) in whole):
                continue
            like = first.measure(name, data) or other.measure(name, data)
            gap = difference(
                [mine[0] for mine, _ in whole], [theirs[0] for _, theirs in whole], [theirs[1] for _, theirs in whole],
                of=name, unit="" if like is None else like.unit, seed=seed,
            )  # fmt: skip
            hits = all(one in ((0.0, 1.0), (1.0, 1.0)) for pair in whole for one in pair)
            test = mcnemar([mine[0] == 1 for mine, _ in whole], [theirs[0] == 1 for _, theirs in whole]) if hits else None  # fmt: skip
            update = {"model": other.name + MINUS + first.name, "data": data, "better": like.better if like else "neither"}  # fmt: skip
            yield Gap(
                name, data, other.name, gap.model_copy(update=update),
                None if test is None else test.model_copy(update={"model": update["model"], "data": data}),
            )  # fmt: skip


def side_measures(contestants: Sequence[Contestant], found: Sequence[Gap], command: str) -> tuple[Measure, ...]:
    """All measures of all models, then the differences and tests."""
    own = [m.model_copy(update={"model": one.name}) for one in contestants for m in one.measures if m.model == one.measures[0].model]  # fmt: skip
    paired = [m for gap in found for m in (gap.difference, gap.test) if m is not None]
    return (*own, *(m.model_copy(update={"command": command}) for m in paired))


# --- the page ------------------------------------------------------------------------------------


def side_by_side_page(contestants: Sequence[Contestant], found: Sequence[Gap], measures: Sequence[Measure], made: Made, lang: Language) -> str:  # fmt: skip
    """One page for all, as HTML."""
    names = " · ".join(one.name for one in contestants)
    subtitle = both("others are compared with {first}, on the same items", first=contestants[0].name)
    sections = [
        Section("results", both("Results"), results(contestants, found)),
        Section("differ", both("Where they differ"), [block for other in contestants[1:] for block in differing(contestants[0], other)]),
        Section("measures", both("All measures"), (measures_table(measures),)),
        Section("made", both("How it was made"), how_made(made)),
    ]  # fmt: skip
    return render_page(Page(both("{arms} side by side", arms=names), subtitle, sections), lang)


def results(contestants: Sequence[Contestant], found: Sequence[Gap]) -> list[Block]:
    """A table of values and differences, with a sentence and a chart for each measure that was paired."""
    kinds = list(dict.fromkeys((gap.of, gap.data) for gap in found))
    columns = (both("Measure"), both("Measured on"), *(plain(one.name) for one in contestants), both("Difference"), both("95 % interval"), both("p"))  # fmt: skip
    rows = []
    for name, data in kinds:
        values = [one.measure(name, data) for one in contestants]
        cells = [translated(name), data, *(value_of(m) if m else "–" for m in values)]
        of_kind = [gap for gap in found if (gap.of, gap.data) == (name, data)]
        for place, gap in enumerate(of_kind):
            lead = cells if place == 0 else ["", "", *("" for _ in values)]
            p = "–" if gap.test is None else quantity(gap.test.value, "")
            rows.append(Row((*lead, value_of(gap.difference), interval_of(gap.difference), p), below=(verdict(gap, contestants[0].name),)))  # fmt: skip
    numeric = frozenset(range(2, len(columns)))
    blocks: list[Block] = [Table(both("Results"), columns, tuple(rows), numeric)]
    figures = tuple(chart(contestants, name, data) for name, data in kinds[:6])
    return [*blocks, Figures(figures)] if figures else blocks


def chart(contestants: Sequence[Contestant], name: str, data: str) -> Figure:
    """A bar for each model."""
    found = [(one.name, one.measure(name, data)) for one in contestants]
    bars = [Bar(plain(model), m.value, m.low, m.high, mark=place == 0) for place, (model, m) in enumerate(found) if m]
    title = both("{name} on {data}", name=translated(name), data=plain(data))
    unit = next((m.unit for _, m in found if m), "")
    return Figure(title, bar_chart(title, translated(unit), bars), legend([]))


def verdict(gap: Gap, first: str) -> Words:
    """What a difference says, as far as the items tell."""
    measure = gap.difference
    values = {"other": gap.other, "first": first, "n": f"{measure.n:,}"}
    if measure.low is None or measure.high is None:
        return both("{n} items are too few to tell {other} from {first}.", **values)
    if measure.low <= 0 <= measure.high:
        return both("{other} cannot be told from {first} on {n} items.", **values)
    if measure.better == "neither":
        return both("{other} differs from {first} on {n} items.", **values)
    good = (measure.low > 0) == (measure.better == "higher")
    if good:
        return both("{other} is better than {first} on {n} items.", **values)
    return both("{other} is worse than {first} on {n} items.", **values)


def differing(first: Contestant, other: Contestant) -> list[Block]:
    """Items where the two differ most, by the first mark of each, those that either lost most before the others."""
    pairs = [(first.items[key], other.items[key]) for key in first.items if key in other.items]

    def apart(pair: tuple[Item, Item]) -> float:
        (mine, theirs), name = pair, next(iter(pair[0].marks))
        total, weight = mine.marks[name]
        against, over = theirs.marks.get(name, (0.0, 0.0))
        return abs(total / weight - against / over) if weight and over else 0.0

    unlike = sorted((pair for pair in pairs if apart(pair)), key=apart, reverse=True)
    told = both(
        "{other} and {first} differ on {count} of {all} items.",
        other=other.name, first=first.name, count=f"{len(unlike):,}", all=f"{len(pairs):,}",
    )  # fmt: skip
    if not unlike:
        return [Paragraph(told)]
    columns = (both("Question"), both("Expected"), plain(first.name), plain(other.name))
    rows = tuple(
        Row((cut(mine.asked), cut(mine.right), answer(mine), answer(theirs)), below=(plain(mine.data),))
        for mine, theirs in unlike[:SHOWN]
    )
    table = Table(told, columns, rows)
    return [Paragraph(told), Fold(both("{count} of them", count=len(rows)), (table,))]


def answer(item: Item) -> str:
    """What a model said, and its mark."""
    total, weight = next(iter(item.marks.values()))
    mark = f"{total / weight:.3g}" if weight else "–"
    return f"{cut(item.said)} ({mark})" if item.said else mark


def cut(text: str) -> str:
    """The end of a text, where a question stands."""
    return text if len(text) <= LONGEST else "… " + text[-LONGEST:]
