"""What came of tasks learned one after the other: measures over seeds, and the page that shows them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from langwright.evaluation.pages.bilingual import Words, both, plain
from langwright.evaluation.pages.charts import Bar, Series, bar_chart, legend, line_chart
from langwright.evaluation.pages.measured import measures_table
from langwright.evaluation.pages.numbers import share
from langwright.evaluation.pages.page import Block, Figure, Figures, Page, Paragraph, Row, Section, Table, render_page
from langwright.evaluation.pages.report import Made, how_made
from langwright.measures import Measure
from langwright.metrics.forgetting import (
    AVERAGE_ACCURACY,
    BACKWARD,
    FORGETTING,
    FORWARD,
    GAP,
    average_accuracy,
    backward_transfer,
    forgetting,
    forward_transfer,
)
from langwright.metrics.intervals import student
from langwright.metrics.yardsticks import Yardstick
from langwright.wording import Language

NAIVE, JOINT = "naive", "joint"


@dataclass(frozen=True)
class Learned:
    """One method with one seed.

    rows    accuracy on each task, a row after each task learned; joint training has one row, at the end
    before  accuracy on each task before anything was learned
    """

    method: str
    seed: int
    rows: tuple[tuple[float, ...], ...]
    before: tuple[float, ...]

    @property
    def in_sequence(self) -> bool:
        """Whether the tasks were learned one after the other."""
        return len(self.rows) == len(self.before)


def measures_of(found: Sequence[Learned], seed: int) -> tuple[Measure, ...]:
    """Average accuracy, forgetting and transfer of each method, and how much better than naive it ends.

    seed  the first of the seeds
    """
    kinds: tuple[tuple[Yardstick, Callable[[Learned], float]], ...] = (
        (AVERAGE_ACCURACY, lambda one: average_accuracy(one.rows)),
        (FORGETTING, lambda one: forgetting(one.rows)),
        (BACKWARD, lambda one: backward_transfer(one.rows)),
        (FORWARD, lambda one: forward_transfer(one.rows, one.before)),
    )
    measures = []
    for kind, value in kinds:
        for method, runs in by_method(found).items():
            if kind is AVERAGE_ACCURACY or runs[0].in_sequence:
                measures.append(over_seeds(kind, [value(one) for one in runs], method, seed))
    return (*measures, *gaps(found, seed))


def gaps(found: Sequence[Learned], seed: int) -> list[Measure]:
    """Average accuracy less that of naive training with the same seed, for each other method."""
    runs = by_method(found)
    if NAIVE not in runs:
        return []
    base = {one.seed: average_accuracy(one.rows) for one in runs[NAIVE]}
    return [
        over_seeds(GAP, [average_accuracy(one.rows) - base[one.seed] for one in those], method, seed)
        for method, those in runs.items()
        if method != NAIVE
    ]


def over_seeds(kind: Yardstick, values: Sequence[float], method: str, seed: int) -> Measure:
    """The mean of a few runs, with Student's interval."""
    measure = kind.measure(statistics.fmean(values), student(values), n=len(values), seed=seed)
    return measure.model_copy(update={"model": method})


def by_method(found: Sequence[Learned]) -> dict[str, list[Learned]]:
    """Runs of each method, in the order in which the methods were named."""
    return {
        method: [one for one in found if one.method == method] for method in dict.fromkeys(one.method for one in found)
    }


# --- the page ------------------------------------------------------------------------------------


def sequence_report(
    found: Sequence[Learned], tasks: Sequence[str], measures: Sequence[Measure], made: Made, lang: Language
) -> str:
    """The report as HTML.

    tasks  their names, in the order in which they were learned
    """
    sections = [
        Section("charts", both("What was kept"), [Paragraph(order_of(tasks)), Figures(tuple(charts(found, measures)))]),
        Section("matrices", both("Accuracy on each task after each task"), matrices(found, tasks)),
        Section("measures", both("Measures"), [measures_table(measures)]),
        Section("made", both("How it was made"), how_made(made)),
    ]
    subtitle = both(
        "{tasks} tasks, {methods} methods, {seeds} seeds",
        tasks=len(tasks), methods=len(by_method(found)), seeds=len({one.seed for one in found}),
    )  # fmt: skip
    return render_page(Page(both("Tasks learned one after the other"), subtitle, sections), lang)


def order_of(tasks: Sequence[str]) -> Words:
    """The tasks in their order."""
    return both("Learned in this order: {tasks}.", tasks=", ".join(tasks))


def charts(found: Sequence[Learned], measures: Sequence[Measure]) -> list[Figure]:
    """Average accuracy at the end with intervals, and along the way."""
    title = both("Average accuracy after the last task")
    final = [m for m in measures if m.name == AVERAGE_ACCURACY.name]
    bars = [Bar(plain(m.model), m.value, m.low, m.high, mark=m.model not in (NAIVE, JOINT)) for m in final]
    along = both("Average accuracy over the tasks learned so far")
    lines = [Series(plain(method), points(runs)) for method, runs in by_method(found).items() if runs[0].in_sequence]
    return [
        Figure(title, bar_chart(title, both("share of rows that are right"), bars, most=1.0, form=share), legend([])),
        Figure(along, line_chart(along, both("tasks learned"), both("accuracy"), lines), legend(lines)),
    ]


def points(runs: Sequence[Learned]) -> tuple[tuple[float, float], ...]:
    """(tasks learned, mean accuracy on them over seeds)."""
    count = len(runs[0].rows)
    return tuple(
        (float(done), statistics.fmean(statistics.fmean(one.rows[done - 1][:done]) for one in runs))
        for done in range(1, count + 1)
    )


def matrices(found: Sequence[Learned], tasks: Sequence[str]) -> list[Block]:
    """One table a method, means over seeds; rows are what was learned last."""
    tables: list[Block] = []
    columns = (both("After"), *(plain(task) for task in tasks))
    for method, runs in by_method(found).items():
        names = list(tasks) if runs[0].in_sequence else [", ".join(tasks)]
        rows = [
            Row((name, *(share(statistics.fmean(one.rows[i][j] for one in runs)) for j in range(len(tasks)))))
            for i, name in enumerate(names)
        ]
        tables.append(Table(plain(method), columns, tuple(rows), frozenset(range(1, len(columns)))))
    return tables
