"""A release gate: demands on the measures of a model, each met or not. What was not measured does not pass."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from langwright.artifacts import open_artifact
from langwright.errors import UserError
from langwright.evaluation.gate_settings import Gate, Threshold
from langwright.evaluation.measuring.groups import part_of
from langwright.evaluation.pages.bilingual import Words, both, translated
from langwright.evaluation.pages.numbers import interval_of, quantity, value_of
from langwright.measures import Measure, read_report
from langwright.settings import read_settings
from langwright.workspace import Workspace


@dataclass(frozen=True)
class Check:
    """One demand beside what was measured."""

    name: Words  # what is demanded
    data: str  # on what it was measured; empty where it was not
    seen: Words
    passed: bool
    measure: Measure | None = None


# --- reading -------------------------------------------------------------------------------------


def read_gate(file: Path) -> Gate:
    """A gate file.

    raises  UserError when it cannot be read, or a threshold demands nothing, or something of groups it does not name
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            "the gate {path} cannot be read: {error}",
            fix="name a TOML file with a [[threshold]] for each demand",
            path=file,
            error=error,
        ) from None
    gate = read_settings(Gate, recipe=text)
    for threshold in gate.threshold:
        if threshold.at_least is None and threshold.at_most is None and threshold.largest_gap is None:
            raise UserError(
                "the threshold on {measure} in {path} demands nothing",
                fix="give it at_least, at_most or largest_gap",
                measure=threshold.measure,
                path=file,
            )
        if threshold.largest_gap is not None and threshold.group_by is None:
            raise UserError(
                "the threshold on {measure} in {path} has a largest_gap, but no groups to be apart",
                fix="say with group_by which column tells them apart",
                measure=threshold.measure,
                path=file,
            )
    return gate


def measures_of(path: Path, workspace: Workspace) -> tuple[Measure, ...]:
    """What a report says, or a model's card and the reports on it that lie in the workspace.

    raises  UserError when there is neither
    """
    if path.is_file():
        return of_subject(read_report(path).measures)
    artifact = open_artifact(path)
    if (artifact.path / "report.json").is_file():
        return of_subject(read_report(artifact.path / "report.json").measures)
    found = list(artifact.card.results) if artifact.card else []
    for run in workspace.runs():
        report = run.out / "report.json"
        if run.kind == "report" and report.is_file():
            card = open_artifact(run.out).card
            if card and any(origin.role == "model" and origin.digest == artifact.digest for origin in card.inputs):
                found += of_subject(read_report(report).measures)
    if not found:
        raise UserError(
            "there are no measures of {path}", fix="measure it with `langwright evaluate {path} DATASET OUT`", path=path
        )
    return tuple(found)


def of_subject(measures: Sequence[Measure]) -> tuple[Measure, ...]:
    """The same, the name of the model itself left out, so that it is told from its baselines; a report begins with it."""
    subject = measures[0].model if measures else ""
    return tuple(m.model_copy(update={"model": ""}) if m.model == subject else m for m in measures)


# --- checking ------------------------------------------------------------------------------------


def check(gate: Gate, measures: Sequence[Measure]) -> tuple[Check, ...]:
    """Every demand on every measure that it is about, in the order of the file."""
    return tuple(found for threshold in gate.threshold for found in checks(threshold, measures))


def checks(threshold: Threshold, measures: Sequence[Measure]) -> Iterator[Check]:
    """One demand on all measures that it is about; failed where there is none."""
    about = [m for m in measures if concerns(threshold, m)]
    kind = translated(threshold.measure)
    name = kind if threshold.group_by is None else both("{name} by {column}", name=kind, column=threshold.group_by)
    if not about:
        yield Check(name, threshold.data or "", both("not measured"), passed=False)
        return
    for measure in about:
        for bound, least in ((threshold.at_least, True), (threshold.at_most, False)):
            if bound is not None:
                yield against(measure, kind, bound, least, threshold.by == "interval")
    if threshold.largest_gap is not None:
        yield from gaps(threshold, about, kind)


def concerns(threshold: Threshold, measure: Measure) -> bool:
    """Whether a demand is about a measure."""
    part = part_of(measure.data)
    return (
        measure.name == threshold.measure
        and measure.model == (threshold.model or "")
        and part.column == (threshold.group_by or "")
        and threshold.data in (None, part.data)
    )


def against(measure: Measure, kind: Words, bound: float, least: bool, whole: bool) -> Check:
    """One measure against one bound; with `whole`, a measure without an interval does not pass."""
    limit = quantity(bound, measure.unit)
    name = both("{name} at least {limit}", name=kind, limit=limit) if least else both("{name} at most {limit}", name=kind, limit=limit)  # fmt: skip
    judged = (measure.low if least else measure.high) if whole else measure.value
    passed = judged is not None and (judged >= bound if least else judged <= bound)
    seen = value_of(measure)
    if measure.low is not None:
        seen = both("{value} ({interval})", value=seen, interval=interval_of(measure))
    elif whole:
        seen = both("{value} without an interval", value=seen)
    return Check(name, measure.data, seen, passed, measure)


def gaps(threshold: Threshold, about: Sequence[Measure], kind: Words) -> Iterator[Check]:
    """On each data, how far the best group is ahead of the worst; one group alone is no comparison and does not pass."""
    assert threshold.largest_gap is not None
    unit = about[0].unit
    name = both("{name}: groups of {column} at most {limit} apart", name=kind, column=threshold.group_by, limit=quantity(threshold.largest_gap, unit))  # fmt: skip
    for data in dict.fromkeys(part_of(measure.data).data for measure in about):
        those = {part_of(m.data).value: m.value for m in about if part_of(m.data).data == data}
        low, high = min(those, key=lambda one: those[one]), max(those, key=lambda one: those[one])
        gap = those[high] - those[low]
        seen = both("{gap}: {high} {most}, {low} {least}", gap=quantity(gap, unit), high=high, low=low, most=quantity(those[high], unit), least=quantity(those[low], unit))  # fmt: skip
        yield Check(name, data, seen, len(those) > 1 and gap <= threshold.largest_gap)


# --- JUnit ---------------------------------------------------------------------------------------


def junit(found: Sequence[Check], subject: str, lang: str) -> bytes:
    """The checks as JUnit XML, which build servers show: a test case each, a failure with what was seen."""
    failures = sum(not one.passed for one in found)
    suite = ET.Element("testsuite", name=f"langwright gate {subject}", tests=str(len(found)), failures=str(failures), errors="0")  # fmt: skip
    for one in found:
        case = ET.SubElement(suite, "testcase", classname=printable(one.data or subject), name=printable(one.name.in_(lang)))  # fmt: skip
        if one.passed:
            ET.SubElement(case, "system-out").text = printable(one.seen.in_(lang))
        else:
            ET.SubElement(case, "failure", message=printable(one.seen.in_(lang)))
    suites = ET.Element("testsuites", tests=str(len(found)), failures=str(failures))
    suites.append(suite)
    ET.indent(suites)
    xml: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return xml + b"\n"


def printable(text: str) -> str:
    """A text without the control characters that XML cannot hold."""
    return "".join(char if char in "\t\n" or ord(char) >= 0x20 else "�" for char in text)
