"""Sections of a report about what was measured: headline numbers, charts, the table of measures, what the model wrote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from langwright.evaluation.baselines import tasks as simple
from langwright.evaluation.baselines.language import COMMONEST, MINUS, NGRAMS, WORDS, XZ
from langwright.evaluation.experiments.trials import BEST, DEFAULT
from langwright.evaluation.measuring.findings import Bar as Calibrated
from langwright.evaluation.measuring.findings import Details
from langwright.evaluation.measuring.several import THRESHOLDS
from langwright.evaluation.measuring.writing import PEOPLE
from langwright.evaluation.pages.bilingual import Words, both, pattern_of, plain, translated
from langwright.evaluation.pages.charts import Bar, Series, bar_chart, legend, line_chart
from langwright.evaluation.pages.numbers import interval_of, number, share, value_of
from langwright.evaluation.pages.page import (
    Block,
    Facts,
    Figure,
    Figures,
    Fold,
    Grid,
    Headline,
    Headlines,
    Paragraph,
    Row,
    Section,
    Table,
    Writing,
    Written,
)
from langwright.measures import Measure
from langwright.metrics.choices import CHANCE, COMMONEST_PLACE
from langwright.metrics.classification import F1_OF_LABEL
from langwright.metrics.label_rates import PRECISION_OF_LABEL, RECALL_OF_LABEL

# what is worth a headline, in this order
FIRST = (
    "bits per byte", "replies with the expected phrase", "accuracy", "macro F1", "perplexity",
    "loss on assistant tokens", "next-token accuracy", "repetition-4", "copied 12-grams", "frequent characters", "valid UTF-8",
)  # fmt: skip
CHARTED = (
    "bits per byte",
    "replies with the expected phrase",
    "accuracy",
    "macro F1",
    "repetition-4",
    "copied 12-grams",
)
WHOLE = ("replies with the expected phrase", "accuracy", "macro F1")  # shares whose chart shows the whole from 0 to 1
NAMED = (PEOPLE, XZ, NGRAMS, WORDS, COMMONEST, BEST, DEFAULT, CHANCE, COMMONEST_PLACE, *simple.NAMES)
MOST_HEADLINES = 6
MOST_LABELS = 30  # of a confusion matrix that is shown
SHOWN = 3  # texts shown before the fold


def main_data(measures: Sequence[Measure]) -> str:
    """The data that the first measure was taken with; measures of parts of it name other data."""
    return measures[0].data if measures else ""


def headlines(measures: Sequence[Measure], model: str, data: str) -> Headlines:
    """The first numbers to see of one model, with their intervals."""
    mine = {m.name: m for m in reversed(measures) if m.model == model and m.data == data}
    chosen = [mine[name] for name in FIRST if name in mine][:MOST_HEADLINES]
    return Headlines(tuple(Headline(translated(m.name), value_of(m), below(m)) for m in chosen))


def below(measure: Measure) -> Words | None:
    """The interval under a headline."""
    if measure.low is None:
        return None
    return both("95 % interval {interval}", interval=interval_of(measure))


# --- charts --------------------------------------------------------------------------------------


def comparison_charts(measures: Sequence[Measure], model: str) -> list[Block]:
    """A bar chart of each measure that has something to be compared with."""
    found: list[Figure] = []
    for name in CHARTED:
        bars = bars_of([m for m in measures if m.name == name], model)
        if len(bars) < 2 or not any(bar.value for bar in bars):
            continue
        unit = next(m.unit for m in measures if m.name == name)
        title = translated(name)
        if unit == "share":
            svg = bar_chart(title, title, bars, most=1.0 if name in WHOLE else None, form=share)
        else:
            svg = bar_chart(title, both("{name} ({unit})", name=title, unit=translated(unit)), bars)
        found.append(Figure(title, svg, Markup("")))
    return [Figures(tuple(found))] if found else []


def bars_of(measures: Sequence[Measure], model: str) -> list[Bar]:
    """A bar for each model on the main data, and for the model on parts of it."""
    if not measures:
        return []
    data = main_data(measures)
    return [
        Bar(subject(m.model) if m.data == data else on(m), m.value, m.low, m.high, mark=m.model == model)
        for m in measures
    ]


def on(measure: Measure) -> Words:
    """What a measure was taken on: the model and the data, as far as they are named."""
    if measure.model and measure.data:
        return both("{model} on {data}", model=subject(measure.model), data=plain(measure.data))
    return subject(measure.model) if measure.model else plain(measure.data)


def subject(model: str) -> Words:
    """What was measured: a baseline by its name in each language, a model by its own."""
    names = [called(name) for name in model.split(MINUS)]
    return Words(MINUS.join(name.en for name in names), MINUS.join(name.zh for name in names))


def called(name: str) -> Words:
    """A baseline by its name in each language, anything else by its own; with how its labels are given, where it is said."""
    alone = name.removesuffix(THRESHOLDS)
    found = translated(alone) if alone in NAMED else plain(alone)
    how = translated(THRESHOLDS) if alone != name else plain("")
    return Words(found.en + how.en, found.zh + how.zh)


# --- the table -----------------------------------------------------------------------------------


def measures_table(measures: Sequence[Measure]) -> Table:
    """All measures, grouped by name, each with how it was got and what it does not show."""
    rows: list[Row] = []
    for name in dict.fromkeys(kind_of(m.name) for m in measures):
        group = [m for m in measures if kind_of(m.name) == name]
        rows.append(group_head(name, group[0]))
        rows += [one_row(m, group[0]) for m in group]
    columns = (both("Measured on"), both("Value"), both("95 % interval"), both("Items"))
    return Table(both("Measures"), columns, tuple(rows), frozenset({1, 2, 3}))


OF_EACH_LABEL = {
    "F1 of each label": pattern_of(F1_OF_LABEL.name),
    "precision of each label": pattern_of(PRECISION_OF_LABEL.name),
    "recall of each label": pattern_of(RECALL_OF_LABEL.name),
}


def kind_of(name: str) -> str:
    """What a measure is grouped under: its name, and one name for what is measured of every label."""
    return next((kind for kind, pattern in OF_EACH_LABEL.items() if pattern.fullmatch(name)), name)


def label_of(name: str) -> str | None:
    """The label that a measure is of, where it is of one."""
    return next((found["label"] for pattern in OF_EACH_LABEL.values() if (found := pattern.fullmatch(name))), None)


def group_head(name: str, first: Measure) -> Row:
    """The line that begins a group."""
    arrow = {"higher": both("higher is better"), "lower": both("lower is better")}.get(first.better)
    title = both("{name} ({better})", name=translated(name), better=arrow) if arrow else translated(name)
    caveat = (both("Does not show: {what}", what=translated(first.does_not_show)),) if first.does_not_show else ()
    return Row((title,), head=True, below=caveat)


def one_row(measure: Measure, first: Measure) -> Row:
    """One measure of a group."""
    lines = [translated(measure.method)] if measure.method else []
    if measure.does_not_show and measure.does_not_show != first.does_not_show:
        lines.append(both("Does not show: {what}", what=translated(measure.does_not_show)))
    items = f"{measure.n:,}" if measure.n else "–"
    label = label_of(measure.name)
    first_cell = plain(label) if label else on(measure)
    return Row((first_cell, value_of(measure), interval_of(measure), items), below=tuple(lines))


# --- what the model did --------------------------------------------------------------------------


def sample_blocks(details: Details) -> list[Block]:
    """What the model wrote after the beginnings of rows."""
    items = tuple(Written(sample.prompt, sample.text) for sample in details.samples)
    return folded(items, both("{count} more texts", count=len(items) - SHOWN))


def reply_blocks(details: Details) -> list[Block]:
    """Questions with replies, wrong ones first, as they teach more."""
    if not details.replies:
        return []
    items = tuple(
        Written(
            reply.prompt,
            reply.text,
            both("expected {phrase}: {found}", phrase=reply.expect, found=both("found") if reply.right else both("not found")),
            reply.right,
        )
        for reply in sorted(details.replies, key=lambda reply: reply.right)
    )  # fmt: skip
    wrong = sum(not reply.right for reply in details.replies)
    first = Paragraph(
        both("{wrong} of {all} replies lack the phrase; these come first.", wrong=wrong, all=len(items)), "note"
    )
    return [first, *folded(items, both("{count} more replies", count=len(items) - SHOWN))]


def folded(items: tuple[Written, ...], more: Words) -> list[Block]:
    """The first few texts, the others on demand."""
    blocks: list[Block] = [Writing(items[:SHOWN])] if items else []
    if len(items) > SHOWN:
        blocks.append(Fold(more, (Writing(items[SHOWN:]),)))
    return blocks


def label_blocks(details: Details) -> list[Block]:
    """The confusion matrix and some mistakes."""
    blocks: list[Block] = []
    confusion = details.confusion
    if confusion is not None and len(confusion.labels) <= MOST_LABELS:
        blocks.append(
            Grid(both("Confusion matrix"), both("predicted"), both("right"), confusion.labels, confusion.counts)
        )
    if details.reliability:
        blocks.append(Figures((reliability_figure(details.reliability),)))
    if details.mistakes:
        rows = tuple(Row((m.text, m.right, m.predicted, certainty(m.probability))) for m in details.mistakes)
        columns = (both("Text"), both("Right"), both("Predicted"), both("Probability"))
        table = Table(both("Mistakes"), columns, rows, frozenset({3}))
        blocks.append(Fold(both("{count} mistakes", count=len(rows)), (table,)))
    return blocks


def reliability_figure(bars: Sequence[Calibrated]) -> Figure:
    """How often guesses of each confidence were right, beside what would be if confidence were right."""
    title = both("Reliability: how often guesses of each confidence are right")
    series = (
        Series(both("confidence that is right"), ((0.0, 0.0), (1.0, 1.0)), faint=True),
        Series(both("this model"), tuple((bar.confidence, bar.accuracy) for bar in bars)),
    )
    return Figure(title, line_chart(title, both("confidence"), both("share that is right"), series), legend(series))


def certainty(probability: float | None) -> str:
    """A probability as per cent, or a dash."""
    return "–" if probability is None else share(probability)


def measured_sections(measures: Sequence[Measure], details: Details | None, model: str, prefix: str = "") -> list[Section]:  # fmt: skip
    """All that is to be shown of one evaluation.

    prefix  keeps section ids apart where a page holds several evaluations
    """
    sections = [
        Section(f"{prefix}results", both("Results"), (headlines(measures, model, main_data(measures)), *comparison_charts(measures, model))),
    ]  # fmt: skip
    if details is not None:
        sections.append(Section(f"{prefix}samples", both("What it writes"), sample_blocks(details)))
        sections.append(Section(f"{prefix}replies", both("What it replies"), reply_blocks(details)))
        sections.append(Section(f"{prefix}labels", both("Where it errs"), label_blocks(details)))
    if measures:
        sections.append(Section(f"{prefix}measures", both("All measures"), (measures_table(measures),)))
    return sections


def settings_facts(settings: Iterable[tuple[str, object]]) -> Facts:
    """Settings as names and values."""
    return Facts(tuple((plain(name), show_value(value)) for name, value in settings))


def show_value(value: object) -> str:
    """A setting's value as text."""
    if isinstance(value, float):
        return number(value)
    return "–" if value is None else str(value)
