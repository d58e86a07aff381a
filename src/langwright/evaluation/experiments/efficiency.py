"""How accuracy grows with the number of labels, from scratch and transferred: measures over seeds, and the page."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from langwright.evaluation.measuring.findings import SCRATCH, TRANSFERRED, Point
from langwright.evaluation.pages.bilingual import both, plain
from langwright.evaluation.pages.charts import Series, legend, line_chart
from langwright.evaluation.pages.measured import measures_table
from langwright.evaluation.pages.page import Figure, Figures, Page, Paragraph, Section, render_page
from langwright.evaluation.pages.report import Made, how_made
from langwright.measures import Measure
from langwright.metrics.intervals import student
from langwright.metrics.yardsticks import Yardstick
from langwright.wording import Language

ACCURACY = Yardstick(
    name="accuracy with {count} labels", unit="share", better="higher",
    method="mean over {seeds} seeds, each with its own draw of labelled rows and its own head; interval: Student's t over seeds",
    does_not_show="other rows, models or numbers of updates; what choosing settings for each number of labels would give",
)  # fmt: skip

GAIN = Yardstick(
    name="gain of transfer with {count} labels", unit="share", better="higher",
    method="accuracy transferred minus from scratch with the same rows and seed, mean over {seeds} seeds; interval: Student's t over seeds",
    does_not_show="that the two are equal, where the interval contains 0",
)  # fmt: skip


def measures_of(points: Sequence[Point]) -> list[Measure]:
    """Accuracy of each arm by number of labels, then the paired gain."""
    counts = sorted({point.labels for point in points})
    by = {(p.arm, p.labels, p.seed): p.accuracy for p in points}
    seeds = sorted({point.seed for point in points})
    found = []
    for arm in (SCRATCH, TRANSFERRED):
        for count in counts:
            values = [by[arm, count, seed] for seed in seeds]
            found.append(over_seeds(ACCURACY, values, count).model_copy(update={"model": arm}))
    for count in counts:
        gaps = [by[TRANSFERRED, count, seed] - by[SCRATCH, count, seed] for seed in seeds]
        found.append(over_seeds(GAIN, gaps, count).model_copy(update={"model": f"{TRANSFERRED} − {SCRATCH}"}))
    return found


def over_seeds(kind: Yardstick, values: Sequence[float], count: int) -> Measure:
    """The mean over seeds, with Student's interval where there are two or more."""
    return kind.measure(
        statistics.fmean(values), student(values), n=len(values), name=kind.name.format(count=count), seeds=len(values)
    )


def efficiency_report(points: Sequence[Point], measures: Sequence[Measure], made: Made, lang: Language) -> str:
    """The page as HTML."""
    title = both("Accuracy by number of labels")
    lines = [Series(plain(arm), curve(points, arm)) for arm in (SCRATCH, TRANSFERRED)]
    chart = line_chart(title, both("labels, logarithm to base 10"), both("accuracy"), lines)
    sections = [
        Section("curve", title, [
            Paragraph(both("Each point is a mean over {seeds} seeds; intervals stand in the table.", seeds=len({p.seed for p in points}))),
            Figures((Figure(title, chart, legend(lines)),)),
        ]),
        Section("measures", both("Measures"), [measures_table(measures)]),
        Section("made", both("How it was made"), how_made(made)),
    ]  # fmt: skip
    subtitle = both("{runs} runs", runs=len(points))
    return render_page(Page(both("What transfer is worth"), subtitle, sections), lang)


def curve(points: Sequence[Point], arm: str) -> tuple[tuple[float, float], ...]:
    """(log10 of labels, mean accuracy)."""
    import math

    counts = sorted({point.labels for point in points})
    return tuple(
        (math.log10(count), statistics.fmean(p.accuracy for p in points if p.arm == arm and p.labels == count))
        for count in counts
    )
