"""Arms of an experiment side by side: every run's values, means over seeds, and differences in pairs of one seed.

Source    Student 1908, Biometrika 6:1: interval of a mean, and of the mean of paired differences
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Literal

from langwright.errors import UserError, unknown
from langwright.evaluation.measuring.findings import Shown
from langwright.evaluation.pages.bilingual import Words, both, plain, translated
from langwright.evaluation.pages.charts import Bar, Series, bar_chart, legend, line_chart
from langwright.evaluation.pages.gathering import Opened
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
from langwright.metrics.comparison import DIFFERENCE
from langwright.metrics.intervals import student
from langwright.runlog import Evaluated
from langwright.wording import Language

ARM_MEAN = "mean over {n} seeds; Student's interval over seeds"
ARM_GAP = "{arm} minus {first} with the same {n} seeds; Student's interval over pairs"
NOT_SHOWN = "other data, other sizes, other settings of either arm; that arms are equal, where the interval contains 0"


class Value(Shown):
    """One run's value of a measure."""

    arm: str
    seed: int
    value: float


class Compared(Shown):
    """One measure over all runs."""

    name: str
    unit: str
    better: Literal["higher", "lower", "neither"]
    data: str
    values: tuple[Value, ...]

    def of(self, arm: str) -> dict[int, float]:
        """Seed -> value of an arm."""
        return {value.seed: value.value for value in self.values if value.arm == arm}


class Curve(Shown):
    """Validation loss of one run as it was trained."""

    arm: str
    seed: int
    points: tuple[tuple[int, float], ...]  # (update, nats a unit)


class Comparison(Shown):
    """`comparison.json`: a whole experiment."""

    claim: str
    arms: tuple[str, ...]  # the first is what the others are compared with
    measures: tuple[Compared, ...]
    curves: tuple[Curve, ...]


# --- comparing -----------------------------------------------------------------------------------


def compare(runs: Sequence[tuple[str, int, Sequence[Opened]]], names: Sequence[str], claim: str) -> Comparison:
    """The measures of these names, of every run.

    runs    arm, seed, and the run's artifact behind all it was made from
    raises  UserError for a measure that a run does not have, or that differs in unit between runs
    """
    compared = []
    for name in names:
        found = [(arm, seed, measure_of(opened, name)) for arm, seed, opened in runs]
        one = found[0][2]
        for _, _, measure in found:
            if measure.unit != one.unit:
                raise UserError(
                    "{name} is in {first} for one run and in {second} for another",
                    fix="compare runs that are measured alike",
                    name=name,
                    first=one.unit,
                    second=measure.unit,
                )
        values = tuple(Value(arm=arm, seed=seed, value=measure.value) for arm, seed, measure in found)
        compared.append(Compared(name=name, unit=one.unit, better=one.better, data=one.data, values=values))
    curves = [Curve(arm=arm, seed=seed, points=curve_of(opened)) for arm, seed, opened in runs]
    return Comparison(
        claim=claim,
        arms=tuple(dict.fromkeys(arm for arm, _, _ in runs)),
        measures=tuple(compared),
        curves=tuple(curve for curve in curves if curve.points),
    )


def measure_of(opened: Sequence[Opened], name: str) -> Measure:
    """The measure of a run's artifact, else of the latest thing it was made from that has it."""
    for one in reversed(opened):
        measure = one.measure(name)
        if measure is not None:
            return measure
    raise unknown("measure", name, {measure.name for one in opened for measure in one.measures})


def curve_of(opened: Sequence[Opened]) -> tuple[tuple[int, float], ...]:
    """Validation loss over updates of the latest model of a run; empty where none was looked at."""
    for one in reversed(opened):
        looks = tuple((e.step, e.values["loss"]) for e in one.events if isinstance(e, Evaluated) and "loss" in e.values)
        if looks:
            return looks
    return ()


def compared_measures(found: Comparison, command: str) -> tuple[Measure, ...]:
    """For every measure the mean of each arm, and the paired difference of each arm to the first."""
    first = found.arms[0]
    measures = []
    for one in found.measures:
        for arm in found.arms:
            measures.append(over(one, list(one.of(arm).values()), one.name, arm, ARM_MEAN, {}))
        for arm in found.arms[1:]:
            gaps = paired(one, arm, first)
            if gaps:
                name = DIFFERENCE.name.format(of=one.name)
                measures.append(over(one, gaps, name, arm, ARM_GAP, {"arm": arm, "first": first}))
    return tuple(measure.model_copy(update={"command": command}) for measure in measures)


def paired(one: Compared, arm: str, first: str) -> list[float]:
    """An arm's value less the first arm's, for every seed that both have."""
    ours, theirs = one.of(arm), one.of(first)
    return [ours[seed] - theirs[seed] for seed in ours if seed in theirs]


def over(one: Compared, values: Sequence[float], name: str, arm: str, method: str, names: dict[str, str]) -> Measure:
    """A mean over seeds with its interval."""
    interval = student(values)
    return Measure(
        name=name, value=fmean(values), low=interval.low if interval else None, high=interval.high if interval else None,
        n=len(values), unit=one.unit, better=one.better, model=arm, data=one.data,
        method=method.format(n=len(values), **names), does_not_show=NOT_SHOWN,
    )  # fmt: skip


# --- the page ------------------------------------------------------------------------------------


def compared_report(found: Comparison, measures: Sequence[Measure], made: Made, lang: Language) -> str:
    """The report of one experiment as HTML."""
    title = both("{arms} side by side", arms=" · ".join(found.arms))
    sections = [*compared_sections(found, measures), Section("made", both("How it was made"), how_made(made))]
    return render_page(Page(title, plain(found.claim), sections), lang)


def compared_sections(found: Comparison, measures: Sequence[Measure]) -> list[Section]:
    """All that is said of an experiment."""
    sections = [
        Section(f"measure{number}", translated(one.name), measure_blocks(found, one, measures))
        for number, one in enumerate(found.measures)
    ]
    curves = curve_blocks(found)
    if curves:
        sections.append(Section("curves", both("As they were trained"), curves))
    return [*sections, Section("all", both("All measures"), [measures_table(measures)])]


def compared_block(found: Comparison, measures: Sequence[Measure]) -> list[Block]:
    """The same in one section of a larger report."""
    return [block for section in compared_sections(found, measures) for block in section.blocks]


def measure_blocks(found: Comparison, one: Compared, measures: Sequence[Measure]) -> list[Block]:
    """In words what can be told, a bar for each arm, and every run."""
    gaps = [m for m in measures if m.name == DIFFERENCE.name.format(of=one.name)]
    means = [m for m in measures if m.name == one.name]
    bars = [Bar(plain(m.model), m.value, m.low, m.high, mark=m.model == found.arms[0]) for m in means]
    title = translated(one.name)
    chart = bar_chart(title, translated(one.unit), bars)
    said: list[Block] = [Paragraph(verdict(gap, found.arms[0])) for gap in gaps]
    return [*said, Figures((Figure(title, chart, legend([])),)), Fold(both("Every run"), (runs_table(found, one),))]


def verdict(gap: Measure, first: str) -> Words:
    """Whether an arm is better than the first, as far as the seeds tell."""
    values = {
        "arm": gap.model, "first": first, "by": value_of(gap), "interval": interval_of(gap), "n": gap.n,
    }  # fmt: skip
    if gap.low is None or gap.high is None:
        return both("{arm} less {first}: {by}, with one seed, which tells nothing of chance.", **values)
    if gap.low <= 0 <= gap.high:
        return both("{arm} cannot be told from {first}: {by} [{interval}] over {n} seeds.", **values)
    if gap.better == "neither":
        return both("{arm} differs from {first}: {by} [{interval}] over {n} seeds.", **values)
    good = (gap.low > 0) == (gap.better == "higher")
    if good:
        return both("{arm} is better than {first}: {by} [{interval}] over {n} seeds.", **values)
    return both("{arm} is worse than {first}: {by} [{interval}] over {n} seeds.", **values)


def runs_table(found: Comparison, one: Compared) -> Table:
    """Seeds across, arms down."""
    seeds = list(dict.fromkeys(value.seed for value in one.values))
    rows = []
    for arm in found.arms:
        values = one.of(arm)
        rows.append(Row((plain(arm), *(quantity(values[s], one.unit) if s in values else "–" for s in seeds))))
    columns = (both("Arm"), *(both("Seed {seed}", seed=seed) for seed in seeds))
    return Table(translated(one.name), columns, tuple(rows), frozenset(range(1, len(columns))))


def curve_blocks(found: Comparison) -> list[Block]:
    """Validation loss of every arm, of its first seed."""
    firsts = first_of_each(found.curves)
    if len(firsts) < 2:
        return []
    series = [Series(plain(curve.arm), curve.points) for curve in firsts]
    title = both("Validation loss while training, first seed of each arm")
    svg = line_chart(title, both("update"), both("nats a unit"), series)
    return [Figures((Figure(title, svg, legend(series)),))] if svg else []


def first_of_each(curves: Iterable[Curve]) -> list[Curve]:
    """The first curve of each arm."""
    found: dict[str, Curve] = {}
    for curve in curves:
        found.setdefault(curve.arm, curve)
    return list(found.values())
