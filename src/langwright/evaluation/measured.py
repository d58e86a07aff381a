"""Sections of a report about what was measured: headline numbers, charts, the table of measures, what the model wrote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from langwright.evaluation.bilingual import Words, both, plain, translated
from langwright.evaluation.charts import Bar, bar_chart
from langwright.evaluation.findings import Details
from langwright.evaluation.numbers import interval_of, number, share, value_of
from langwright.evaluation.page import (
    Block,
    Facts,
    Figure,
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


def comparison_charts(measures: Sequence[Measure], model: str) -> list[Figure]:
    """A bar chart of each measure that has something to be compared with."""
    found = []
    for name in CHARTED:
        bars = bars_of([m for m in measures if m.name == name], model)
        if len(bars) < 2:
            continue
        unit = next(m.unit for m in measures if m.name == name)
        title = translated(name)
        axis = both("{name} ({unit})", name=title, unit=translated(unit))
        found.append(Figure(title, bar_chart(title, axis, bars, most=1.0 if unit == "share" else None), Markup("")))
    return found


def bars_of(measures: Sequence[Measure], model: str) -> list[Bar]:
    """A bar for each model on the main data, and for the model on parts of it."""
    if not measures:
        return []
    data = main_data(measures)
    parts = {m.data for m in measures}
    shown = []
    for m in measures:
        name = translated(m.model) if m.data == data or m.model != model else plain(m.data)
        if len(parts) > 1 and m.data == data and m.model == model:
            name = plain(m.data)
        shown.append(Bar(name, m.value, m.low, m.high, mark=m.model == model))
    return shown


# --- the table -----------------------------------------------------------------------------------


def measures_table(measures: Sequence[Measure]) -> Table:
    """All measures, grouped by name, each with how it was got and what it does not show."""
    rows: list[Row] = []
    for name in dict.fromkeys(m.name for m in measures):
        group = [m for m in measures if m.name == name]
        rows.append(group_head(name, group[0]))
        rows += [one_row(m, group[0]) for m in group]
    columns = (both("Measured on"), both("Value"), both("95 % interval"), both("Items"))
    return Table(both("Measures"), columns, tuple(rows), frozenset({1, 2, 3}))


def group_head(name: str, first: Measure) -> Row:
    """The line that begins a group."""
    arrow = {"higher": both("higher is better"), "lower": both("lower is better")}.get(first.better)
    title = both("{name} ({better})", name=translated(name), better=arrow) if arrow else translated(name)
    caveat = (both("Does not show: {what}", what=translated(first.does_not_show)),) if first.does_not_show else ()
    return Row((title,), head=True, below=caveat)


def one_row(measure: Measure, first: Measure) -> Row:
    """One measure of a group."""
    on = both("{model} on {data}", model=translated(measure.model), data=plain(measure.data)) if measure.model and measure.data else translated(measure.model or measure.data)  # fmt: skip
    lines = [translated(measure.method)] if measure.method else []
    if measure.does_not_show and measure.does_not_show != first.does_not_show:
        lines.append(both("Does not show: {what}", what=translated(measure.does_not_show)))
    items = f"{measure.n:,}" if measure.n else "–"
    return Row((on, value_of(measure), interval_of(measure), items), below=tuple(lines))


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
    if details.mistakes:
        rows = tuple(Row((m.text, m.right, m.predicted, certainty(m.probability))) for m in details.mistakes)
        columns = (both("Text"), both("Right"), both("Predicted"), both("Probability"))
        table = Table(both("Mistakes"), columns, rows, frozenset({3}))
        blocks.append(Fold(both("{count} mistakes", count=len(rows)), (table,)))
    return blocks


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
