"""`langwright compare ARTIFACT... OUT`: models side by side on the same items, or arms of an experiment over seeds.

Without arms: reports of `evaluate` or `benchmark`, or models and a dataset that they are measured on first. With arms:
runs of an experiment, each with several seeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from langwright.artifacts import Made
from langwright.errors import UserError
from langwright.evaluation.settings import EvaluateSettings
from langwright.settings import Settings
from langwright.stages.declaration import Input, Stage, Work

if TYPE_CHECKING:
    from langwright.evaluation.experiments.side_by_side import Contestant
    from langwright.evaluation.pages.report import Made as HowMade


class CompareSettings(Settings):
    """What is compared with what."""

    arms: Annotated[
        tuple[str, ...],
        Field(
            description="For each artifact, the arm it belongs to; others are compared with the first. Without arms, models "
            "are compared on the items that they were measured on"
        ),
    ] = ()
    seeds: Annotated[tuple[int, ...], Field(description="For each artifact, the seed of its run")] = ()
    measures: Annotated[
        tuple[str, ...],
        Field(min_length=1, description="Names of measures, of the artifacts or of what they were made from"),
    ] = ("accuracy",)
    claim: Annotated[str, Field(description="What the comparison is to show or to refute, in words")] = ""
    evaluation: Annotated[
        EvaluateSettings, Field(description="How models are measured, where a dataset is given to measure them on")
    ] = EvaluateSettings()
    seed: Annotated[int, Field(ge=0, description="Seed of bootstrap intervals of differences")] = 0


def run(work: Work) -> Made:
    """Compare; see the module."""
    settings: CompareSettings = work.settings
    if settings.arms or settings.seeds:
        return arms_side_by_side(work)
    return models_side_by_side(work)


def models_side_by_side(work: Work) -> Made:
    """Models on the same items: `report.json` and `report.html`; see `evaluation.side_by_side`."""
    from langwright.evaluation.experiments.side_by_side import gaps, side_by_side_page, side_measures
    from langwright.files import write_whole
    from langwright.measures import write_report
    from langwright.wording import current_language

    both = contestants(work)
    if len(both) < 2:
        raise UserError(
            "there is nothing to compare with: {count} models were given",
            fix="give two or more reports of `langwright evaluate` or `langwright benchmark`, or models and a dataset; "
            "for runs of an experiment give arms and seeds too",
            count=len(both),
        )
    found = gaps(both, work.settings.seed)
    measures = side_measures(both, found, work.command)
    page = side_by_side_page(both, found, measures, how_made(work), current_language())
    write_report(work.out / "report.json", measures)
    write_whole(work.out / "report.html", page.encode())
    return Made(results=measures)


def contestants(work: Work) -> list[Contestant]:
    """What was measured of each model: by the reports that are given, and now, of models that come with a dataset.

    raises  UserError for models without a dataset, and for a report without items
    """
    from langwright.evaluation.experiments.side_by_side import contestant
    from langwright.evaluation.measuring.items import read_items
    from langwright.measures import read_report
    from langwright.stages.evaluate import found_of

    settings: CompareSettings = work.settings
    models, data = work.artifacts.get("model", ()), work.artifacts.get("dataset", ())
    if models and not data:
        raise UserError(
            "models were given and no rows to measure them on",
            fix="give a dataset too, or reports of `langwright evaluate` in place of the models",
        )
    found = []
    for artifact in work.artifacts.get("report", ()):
        measures, items = read_report(artifact.path / "report.json").measures, read_items(artifact.path)
        found.append(contestant(artifact.path.resolve().name, measures, items))
    for artifact in models:
        path = artifact.path.resolve()
        findings = found_of(path, path.name, data[0].path, settings.evaluation, work.log, work.command)
        found.append(contestant(path.name, findings.measures, findings.items))
    names = [one.name for one in found]
    if len(set(names)) < len(names):
        raise UserError(
            "two of what is compared are called {name}",
            fix="rename one of their folders",
            name=next(name for name in names if names.count(name) > 1),
        )
    return found


def how_made(work: Work) -> HowMade:
    """Command, inputs, settings and versions, for the page."""
    from langwright.artifacts import library_versions
    from langwright.evaluation.pages.report import Made as HowMade
    from langwright.settings import flat

    return HowMade(
        command=work.making.request.command,
        origins=work.making.request.inputs,
        settings=flat(work.settings.model_dump(mode="json")),
        versions=library_versions(),
    )


def arms_side_by_side(work: Work) -> Made:
    """Arms over seeds: `comparison.json`, `report.json` and `report.html`; see `evaluation.compared`."""
    from langwright.evaluation.experiments.compared import compare, compared_measures, compared_report
    from langwright.evaluation.pages.gathering import gather
    from langwright.files import write_whole
    from langwright.measures import write_report
    from langwright.wording import current_language

    settings: CompareSettings = work.settings
    artifacts = [*work.artifacts.get("model", ()), *work.artifacts.get("report", ())]
    if not len(artifacts) == len(settings.arms) == len(settings.seeds):
        raise UserError(
            "{artifacts} artifacts, {arms} arms and {seeds} seeds were given, and each artifact needs one of either",
            fix="give as many arms and seeds as artifacts, in their order",
            artifacts=len(artifacts),
            arms=len(settings.arms),
            seeds=len(settings.seeds),
        )
    runs = [
        (arm, seed, gather([artifact])) for arm, seed, artifact in zip(settings.arms, settings.seeds, artifacts, strict=True)
    ]  # fmt: skip
    found = compare(runs, settings.measures, settings.claim)
    measures = compared_measures(found, work.command)
    write_whole(work.out / "comparison.json", found.model_dump_json(indent=2).encode() + b"\n")
    write_report(work.out / "report.json", measures)
    write_whole(work.out / "report.html", compared_report(found, measures, how_made(work), current_language()).encode())
    return Made(results=measures)


STAGE = Stage(
    name="compare",
    version=1,
    summary="Compare models on the same items, or runs that differ in one thing over several seeds, by paired differences",
    settings=CompareSettings,
    inputs=(
        Input("model", "model", "Trained models", many=True, optional=True),
        Input("report", "report", "Evaluations of them", many=True, optional=True),
        Input("dataset", "dataset", "Rows to measure the models on first", optional=True),
    ),
    makes="report",
    run=run,
    next="python3 -m webbrowser {out}/report.html",
)
