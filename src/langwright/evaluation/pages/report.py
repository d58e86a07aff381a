"""The two reports: of one evaluation, and of a whole pipeline. Each is one HTML file that needs nothing else."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from langwright.artifacts import Artifact, Origin
from langwright.evaluation.measuring.findings import Details, Findings
from langwright.evaluation.measuring.honesty import beside_simple_methods, by_heart, how_taught, replies, what_to_expect
from langwright.evaluation.pages.bilingual import Words, both, plain
from langwright.evaluation.pages.gathering import Opened, gather
from langwright.evaluation.pages.made import (
    command_block,
    cost_blocks,
    made_sections,
    node,
    origin_tree,
    seeds,
    version_facts,
)
from langwright.evaluation.pages.measured import (
    comparison_charts,
    headlines,
    label_blocks,
    main_data,
    measured_sections,
    measures_table,
    reply_blocks,
    sample_blocks,
    settings_facts,
)
from langwright.evaluation.pages.measured import subject as spoken
from langwright.evaluation.pages.page import Block, Commands, Fold, Page, Paragraph, Section, Tree, render_page
from langwright.measures import Measure
from langwright.wording import Language, chinese


@dataclass(frozen=True)
class Made:
    """How an evaluation was made, as far as it is known before its card is written.

    command     what was typed
    origins     the inputs
    settings    dotted names and values
    versions    of the libraries
    parameters  of the model; None where they are not known
    """

    command: Sequence[str] = ()
    origins: Sequence[Origin] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    parameters: int | None = None


# --- one evaluation ------------------------------------------------------------------------------


def evaluation_report(findings: Findings, model: str, made: Made, lang: Language) -> str:
    """The report of one evaluation as HTML.

    model  what the model is called in the measures
    lang   the language shown first; the other is in the file too
    """
    measures, details = findings.measures, findings.details
    sections = [
        Section(
            "expect", both("What to expect of it"), expectations(made.parameters, 0, [measures] if measures else [])
        ),
        *measured_sections(measures, details, model),
        Section("made", both("How it was made"), how_made(made)),
    ]
    sections[0], sections[1] = sections[1], sections[0]  # numbers first, then what they mean
    subtitle = both("{rows} rows of {data}, measured as {task}", rows=f"{details.rows:,}", data=main_data(measures), task=task_name(details))  # fmt: skip
    return render_page(Page(both("Evaluation of {model}", model=model), subtitle, sections), lang)


def task_name(details: Details) -> Words:
    """The task, as a person calls it."""
    known = {
        "text": both("running text"), "chat": both("conversation"), "classification": both("classification"),
        "correction": both("correction"), "code": both("programs"),
    }  # fmt: skip
    return known.get(details.task) or Words(details.task, chinese().get(details.task, details.task))


def expectations(parameters: int | None, tokens: float, measured: Sequence[tuple[Measure, ...]]) -> list[Block]:
    """Plain words on how good such a model can be.

    parameters  of the model; tokens: that it was trained on, 0 where that is not known
    measured    one tuple for each evaluation; its first measure names the model
    """
    words = []
    if parameters:
        words.append(what_to_expect(parameters))
        if tokens:
            words.append(how_taught(parameters, tokens))
    for measures in measured:
        words += beside_simple_methods(measures, measures[0].model)
    answered = [line for measures in measured for line in replies(measures, measures[0].model)]
    if answered:
        words += [*answered, by_heart()]
    return [Paragraph(each) for each in words]


def how_made(made: Made) -> list[Block]:
    """Command, origins, settings, versions."""
    blocks: list[Block] = []
    if made.command:
        blocks.append(Commands((shlex.join(made.command),)))
    if made.origins:
        seen: set[str] = set()
        blocks.append(Tree(tuple(node(origin, seen) for origin in made.origins)))
    if made.settings:
        blocks.append(Fold(both("Settings"), (settings_facts(made.settings.items()),)))
    if made.versions:
        blocks.append(Fold(both("Versions"), (version_facts(dict(made.versions)),)))
    return blocks


# --- a pipeline ----------------------------------------------------------------------------------


def pipeline_report(artifacts: Sequence[Artifact], lang: Language, *, follow: bool = True) -> str:
    """The report of everything that led to some artifacts, as HTML.

    follow  include what they were made from, where it still lies unchanged
    raises  UserError for an artifact without a card, or with files that cannot be read
    """
    all_opened = gather(artifacts, follow=follow)
    models = [opened for opened in all_opened if opened.card.kind == "model"]
    reports = [opened for opened in all_opened if opened.card.kind == "report" and opened.measures]
    last = models[-1] if models else all_opened[-1]
    sections = [
        Section("overview", both("At a glance"), overview(all_opened, last, reports)),
        *made_sections(all_opened),
        *(section for index, opened in enumerate(reports) for section in report_sections(index, opened)),
        Section("cost", both("What it cost"), cost_blocks(all_opened)),
        Section("origins", both("What it was made from"), (origin_tree(all_opened),)),
        Section("again", both("Make it again"), [*command_block(all_opened), Paragraph(seeds(all_opened), "note")]),
        Section("versions", both("Versions"), (version_facts(all_opened[-1].card.versions),)),
    ]
    subtitle = both(
        "{steps} steps, from {first} to {last}",
        steps=len(all_opened), first=day(all_opened[0]), last=day(all_opened[-1]),
    )  # fmt: skip
    return render_page(Page(both("How {name} was made", name=last.name), subtitle, sections), lang)


def day(opened: Opened) -> str:
    """When an artifact was finished, to the minute."""
    return opened.card.made_at[:16].replace("T", " ")


def overview(all_opened: Sequence[Opened], last: Opened, reports: Sequence[Opened]) -> list[Block]:
    """The numbers to see first, and how good such a model can be."""
    blocks: list[Block] = []
    for report in reports:
        subject = subject_of(report)
        found = headlines(report.measures, subject, main_data(report.measures))
        if found.items:
            on = both("{model} on {data}:", model=spoken(subject), data=plain(main_data(report.measures)))
            blocks += [Paragraph(on, "note"), found]
    parameters = last.card.model.parameters if last.card.model else None
    return [*blocks, *expectations(parameters, tokens_behind(all_opened, last), [r.measures for r in reports])]


def tokens_behind(all_opened: Sequence[Opened], last: Opened) -> float:
    """Tokens that a model and all models it was made from were trained on, as far as they are in the report."""
    lineage = {origin.digest for origin in last.origins()} | {last.digest}
    found = (opened.measure("tokens trained on") for opened in all_opened if opened.digest in lineage)
    return sum(measure.value for measure in found if measure is not None)


def subject_of(report: Opened) -> str:
    """The model that an evaluation was about: its first measure's."""
    return report.measures[0].model


def report_sections(index: int, report: Opened) -> list[Section]:
    """One evaluation or search inside the report of a pipeline."""
    from langwright.evaluation.experiments.searched import search_block

    if report.trials is None:
        return [evaluation_section(index, report)]
    title = both("Search: {name}", name=report.name)
    return [Section(f"search{index}", title, search_block(report.trials, report.measures))]


def evaluation_section(index: int, report: Opened) -> Section:
    """One evaluation inside the report of a pipeline."""
    subject, details = subject_of(report), report.details
    blocks = comparison_charts(report.measures, subject)
    if details is not None:
        blocks += [*sample_blocks(details), *reply_blocks(details), *label_blocks(details)]
    blocks.append(Fold(both("All measures"), (measures_table(report.measures),)))
    return Section(f"evaluation{index}", both("Evaluation: {name}", name=report.name), blocks)
