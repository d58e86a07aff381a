"""The report of a search over settings: what it found, what mattered, every trial, and best against default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from langwright.evaluation.experiments.trials import (
    BEST,
    CHOSEN_BY,
    DEFAULT,
    IN_PAIRS,
    OVER_SEEDS,
    Confirmed,
    Trial,
    Trials,
)
from langwright.evaluation.pages.bilingual import Words, both, plain, translated
from langwright.evaluation.pages.charts import Bar, Series, bar_chart, legend, line_chart
from langwright.evaluation.pages.measured import measures_table
from langwright.evaluation.pages.numbers import duration, interval_of, number, quantity, share, value_of
from langwright.evaluation.pages.page import (
    Block,
    Cell,
    Commands,
    Figure,
    Figures,
    Fold,
    Headline,
    Headlines,
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
from langwright.training.cost import JOULES_PER_WH
from langwright.wording import Language

UNITS = {"loss": "nats/unit", "bits_per_byte": "bits/byte", "accuracy": "share"}


# --- measures ------------------------------------------------------------------------------------


def search_measures(found: Trials, *, data: str, command: str, seed: int) -> tuple[Measure, ...]:
    """Best and default where they were confirmed, their difference, and the value that the best was chosen by."""
    measures = confirmed_measures(found.confirmed) if found.confirmed else ()
    chosen = Measure(
        name=f"validation {found.measure.replace('_', ' ')}", value=best_trial(found).value or 0.0, unit=UNITS[found.measure],
        better=found.better, model=BEST, data=data, n=len(found.trials), method=CHOSEN_BY.format(n=len(found.trials)),
        does_not_show="how good it is on other rows: the best of many is the best by luck too",
    )  # fmt: skip
    summed = "summed over all trials and the confirmation, each as it says of itself; evaluation left out"
    cost = (
        Measure(name="energy", value=found.joules / JOULES_PER_WH, unit="Wh", better="lower", n=len(found.trials), method=summed),
        Measure(name="emissions", value=found.grams, unit="g CO2e", better="lower", n=len(found.trials), method=summed),
    )  # fmt: skip
    return tuple(m.model_copy(update={"command": command, "seed": seed}) for m in (*measures, chosen, *cost))


def confirmed_measures(confirmed: Confirmed) -> tuple[Measure, ...]:
    """Mean over seeds of either, and of their difference."""
    n = len(confirmed.seeds)
    others = "other data, other models, or that no settings are better"

    def measure(name: str, values: Sequence[float], model: str, method: str) -> Measure:
        interval = student(values)
        return Measure(
            name=name, value=fmean(values), low=interval.low if interval else None, high=interval.high if interval else None,
            n=n, unit=confirmed.unit, better=confirmed.better, model=model, data=confirmed.data,
            method=method.format(n=n), does_not_show=others,
        )  # fmt: skip

    gaps = [a - b for a, b in zip(confirmed.best, confirmed.default, strict=True)]
    return (
        measure(confirmed.measure, confirmed.best, BEST, OVER_SEEDS),
        measure(confirmed.measure, confirmed.default, DEFAULT, OVER_SEEDS),
        measure(DIFFERENCE.name.format(of=confirmed.measure), gaps, BEST, IN_PAIRS),
    )


def best_trial(found: Trials) -> Trial:
    """The trial whose settings are the best."""
    return next(trial for trial in found.trials if trial.number == found.best)


# --- the page ------------------------------------------------------------------------------------


def search_report(found: Trials, measures: Sequence[Measure], made: Made, lang: Language) -> str:
    """The report of one search as HTML."""
    title = both("Search over the settings of {stage}", stage=found.stage)
    subtitle = both("{count} trials, proposed by {method}", count=len(found.trials), method=found.method)
    sections = [*search_sections(found, measures), Section("made", both("How it was made"), how_made(made))]
    return render_page(Page(title, subtitle, sections), lang)


def search_sections(found: Trials, measures: Sequence[Measure]) -> list[Section]:
    """All that is said of a search."""
    every = Fold(both("All measures"), (measures_table(measures),))
    return [
        Section("best", both("What it found"), [*outcome(found, measures), every]),
        Section("settings", both("The best settings"), best_settings(found)),
        Section("matters", both("What mattered"), what_mattered(found.importance)),
        Section("trials", both("The trials"), [*charts(found), trials_table(found)]),
    ]


def search_block(found: Trials, measures: Sequence[Measure]) -> list[Block]:
    """The same in one section of a larger report."""
    return [block for section in search_sections(found, measures) for block in section.blocks]


def outcome(found: Trials, measures: Sequence[Measure]) -> list[Block]:
    """The numbers to see first, and in plain words whether the search was worth it."""
    items = tuple(
        Headline(both("{name}, {what}", name=translated(m.name), what=translated(m.model)), value_of(m), both("95 % interval {interval}", interval=interval_of(m)))
        for m in measures
        if m.low is not None
    )  # fmt: skip
    blocks: list[Block] = [Headlines(items)] if items else []
    gap = next((m for m in measures if m.name.startswith(DIFFERENCE.name.format(of=""))), None)
    if gap is None or found.confirmed is None:
        note = both("The best was not trained again: its value is too good by the luck of being chosen.")
        return [*blocks, Paragraph(note, "caution")]
    return [*blocks, Paragraph(verdict(gap, found)), seeds_table(found.confirmed)]


def verdict(gap: Measure, found: Trials) -> Words:
    """Whether best is better than default, as far as the seeds tell."""
    n = gap.n
    if gap.low is None or gap.high is None:
        return both("One seed does not tell whether the best settings are better than the default.")
    good = gap.low > 0 if gap.better == "higher" else gap.high < 0
    bad = gap.high < 0 if gap.better == "higher" else gap.low > 0
    if good:
        return both(
            "With {n} new seeds, on rows that the search never saw, the best settings are better than the default.", n=n
        )
    if bad:
        return both(
            "With {n} new seeds, on rows that the search never saw, the best settings are worse than the default.", n=n
        )
    return both(
        "With {n} new seeds, on rows that the search never saw, the best settings cannot be told from the default.", n=n
    )


def seeds_table(confirmed: Confirmed) -> Table:
    """Best and default with each seed."""
    rows = tuple(
        Row((str(seed), quantity(best, confirmed.unit), quantity(default, confirmed.unit)))
        for seed, best, default in zip(confirmed.seeds, confirmed.best, confirmed.default, strict=True)
    )
    columns = (both("Seed"), translated(BEST), translated(DEFAULT))
    caption = both("{name} on {data}, trained again", name=translated(confirmed.measure), data=confirmed.data)
    return Table(caption, columns, rows, frozenset({1, 2}))


def best_settings(found: Trials) -> list[Block]:
    """What the best trial set, and the whole recipe."""
    lines = tuple(f"{key} = {shown(value)}" for key, value in best_trial(found).settings.items())
    how = both("They are in best.toml, complete, for `langwright {stage} … --recipe best.toml`.", stage=found.stage)
    return [
        Commands(lines),
        Paragraph(how, "note"),
        Fold(both("All settings"), (Commands(tuple(found.recipe.splitlines())),)),
    ]


def shown(value: object) -> str:
    """A setting's value."""
    return number(value) if isinstance(value, float) else str(value)


def what_mattered(importance: Mapping[str, float]) -> list[Block]:
    """Importance as bars."""
    if not importance:
        return [Paragraph(both("Too few trials came to their end to tell which setting mattered."), "note")]
    title = both("Share of the variance that a setting explains")
    bars = [Bar(plain(key), value) for key, value in sorted(importance.items(), key=lambda item: -item[1])]
    svg = bar_chart(title, both("share of the variance"), bars, most=1.0, form=share)
    about = both(
        "By fANOVA, over the trials that came to their end and inside the space that was searched: a setting whose range "
        "was chosen well already matters little here."
    )
    return [Figures((Figure(title, svg, legend([])),)), Paragraph(about, "note")]


def charts(found: Trials) -> list[Block]:
    """The curves of all trials, and the best value after each trial."""
    name = translated(found.measure.replace("_", " "))
    best = best_trial(found)
    others = [Series(both("other trials"), trial.curve, faint=True) for trial in found.trials if trial is not best]
    over = [*others, Series(both("the best trial"), best.curve)]
    curves = line_chart(both("Every trial on validation rows"), both("per cent of the run"), name, over)
    done = [(trial.number, trial.value) for trial in found.trials if trial.value is not None]
    pick = min if found.better == "lower" else max
    so_far = tuple((number, pick(v for n, v in done if n <= number)) for number, _ in done)
    lines = [
        Series(both("trials that came to their end"), tuple(done), faint=True),
        Series(both("the best so far"), so_far),
    ]
    progress = line_chart(both("The best after each trial"), both("trial"), name, lines)
    figures = [
        Figure(both("Every trial on validation rows"), curves, legend([*others[:1], over[-1]])),
        Figure(both("The best after each trial"), progress, legend(lines)),
    ]
    return [Figures(tuple(figure for figure in figures if figure.svg))]


def trials_table(found: Trials) -> Table:
    """Every trial: its settings, its value or why it has none, seed and time; the best first."""
    sign = 1 if found.better == "lower" else -1
    ordered = sorted(found.trials, key=lambda t: (t.value is None, sign * (t.value or 0.0), t.number))
    keys = list(dict.fromkeys(key for trial in found.trials for key in trial.settings))
    rows = []
    for trial in ordered:
        cells: list[Cell] = [str(trial.number), worth(trial, UNITS[found.measure])]
        cells += [shown(trial.settings[key]) if key in trial.settings else "–" for key in keys]
        below = (plain(trial.problem),) if trial.problem else ()
        rows.append(
            Row((*cells, str(trial.seed), duration(trial.seconds)), below=below, mark=trial.number == found.best)
        )
    columns = (
        both("Trial"),
        translated(found.measure.replace("_", " ")),
        *(plain(key) for key in keys),
        both("Seed"),
        both("Time"),
    )
    return Table(both("All trials"), columns, tuple(rows), frozenset(range(1, len(columns))))


def worth(trial: Trial, unit: str) -> Cell:
    """A trial's value, or how far it got."""
    if trial.value is not None:
        return quantity(trial.value, unit)
    if trial.state == "failed":
        return both("failed")
    percent = trial.curve[-1][0] if trial.curve else 0
    return both("given up at {percent} %", percent=percent)
