"""The page about a run of benchmarks: a table beside guessing, answers to look at, all measures."""

from __future__ import annotations

from collections.abc import Sequence

from langwright.evaluation.benchmarks.running import Result, Sample
from langwright.evaluation.pages.bilingual import Words, both, plain, translated
from langwright.evaluation.pages.measured import folded, measures_table
from langwright.evaluation.pages.numbers import interval_of, value_of
from langwright.evaluation.pages.page import Block, Fold, Page, Paragraph, Row, Section, Table, Written, render_page
from langwright.evaluation.pages.report import Made, how_made
from langwright.measures import Measure
from langwright.metrics.choices import CHANCE, COMMONEST_PLACE
from langwright.wording import Language

SHOWN = 8  # answers of each benchmark
LONGEST = 700  # characters of a prompt that is shown


def benchmarks_page(results: Sequence[Result], measures: Sequence[Measure], model: str, made: Made, lang: Language) -> str:  # fmt: skip
    """The page as HTML, in both languages."""
    questions = sum(len(result.samples) for result in results)
    subtitle = both("{questions} questions of {count} benchmarks", questions=f"{questions:,}", count=len(results))
    sections = [
        Section("results", both("Results"), overview(results, measures, model)),
        Section("answers", both("What it answers"), [block for result in results for block in answers(result)]),
        Section("measures", both("All measures"), (measures_table(measures),) if measures else ()),
        Section("made", both("How it was made"), how_made(made)),
    ]
    return render_page(Page(both("Benchmarks of {model}", model=model), subtitle, sections), lang)


def overview(results: Sequence[Result], measures: Sequence[Measure], model: str) -> list[Block]:
    """A line for each whole benchmark and group and measure, with what guessing gives."""
    parts = {measure.data for result in results for measure in result.beside if "(" in measure.data}
    rows = []
    for measure in measures:
        if measure.model == model and measure.data not in parts:
            beside = [found_for(measures, measure, name) for name in (CHANCE, COMMONEST_PLACE)]
            cells = (measure.data, translated(measure.name), value_of(measure), interval_of(measure), f"{measure.n:,}")
            rows.append(Row((*cells, *beside)))
    columns = (
        both("Benchmark"), both("Measure"), both("Value"), both("95 % interval"), both("Questions"), translated(CHANCE),
        translated(COMMONEST_PLACE),
    )  # fmt: skip
    blocks: list[Block] = [Table(both("Results"), columns, tuple(rows), frozenset({2, 3, 4, 5, 6}))]
    for result in results:
        if result.cut:
            blocks.append(Paragraph(cut_words(result), "caution"))
    return blocks


def found_for(measures: Sequence[Measure], like: Measure, model: str) -> Words | str:
    """What guessing gives on the same questions, where the measure is an accuracy of choices."""
    same = (m for m in measures if m.model == model and m.data == like.data and like.name.startswith(m.name))
    found = next(same, None)
    return "–" if found is None else value_of(found)


def cut_words(result: Result) -> Words:
    """How many questions did not fit."""
    return both(
        "{benchmark}: {count} of {all} questions were too long for the context and lost their beginnings",
        benchmark=result.benchmark.name, count=result.cut, all=len(result.samples),
    )  # fmt: skip


def answers(result: Result) -> list[Block]:
    """Some answers, wrong ones first."""
    if result.benchmark.output == "loglikelihood_rolling":
        return []
    chosen = sorted(result.samples, key=lambda sample: right(sample) is not False)[:SHOWN]
    items = tuple(shown(sample) for sample in chosen)
    more = both("{count} more answers", count=len(items))
    return [Fold(both("Answers to {benchmark}", benchmark=plain(result.named)), tuple(folded(items, more)))]


def right(sample: Sample) -> bool | None:
    """Whether an answer is right by the first mark that is a share; None where there is none."""
    marks = (mark for marks in sample.marks.values() for mark in marks.values())
    first = next((mark for mark in marks if isinstance(mark, float) and mark in (0.0, 1.0)), None)
    return None if first is None else first == 1.0


def shown(sample: Sample) -> Written:
    """An answer with its question."""
    prompt = sample.asked if len(sample.asked) <= LONGEST else "… " + sample.asked[-LONGEST:]
    said = str(sample.said[0]) if sample.taken else sample.answer("none")
    return Written(prompt, said, both("expected {phrase}", phrase=sample.expected), right(sample))
