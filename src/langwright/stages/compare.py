"""`langwright compare ARTIFACT... OUT`: arms of an experiment side by side, each with several seeds."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from langwright.artifacts import Made
from langwright.errors import UserError
from langwright.settings import Settings
from langwright.stages.declaration import Input, Stage, Work


class CompareSettings(Settings):
    """What is compared with what."""

    arms: Annotated[
        tuple[str, ...],
        Field(description="For each artifact, the arm it belongs to; others are compared with the first"),
    ] = ()
    seeds: Annotated[tuple[int, ...], Field(description="For each artifact, the seed of its run")] = ()
    measures: Annotated[
        tuple[str, ...],
        Field(min_length=1, description="Names of measures, of the artifacts or of what they were made from"),
    ] = ("accuracy",)
    claim: Annotated[str, Field(description="What the comparison is to show or to refute, in words")] = ""


def run(work: Work) -> Made:
    """Compare, and write `comparison.json`, `report.json` and `report.html`; see the module."""
    from langwright.artifacts import library_versions
    from langwright.evaluation.compared import compare, compared_measures, compared_report
    from langwright.evaluation.gathering import gather
    from langwright.evaluation.report import Made as HowMade
    from langwright.files import write_whole
    from langwright.measures import write_report
    from langwright.settings import flat
    from langwright.wording import current_language

    settings: CompareSettings = work.settings
    artifacts = [artifact for declared in STAGE.inputs for artifact in work.artifacts.get(declared.role, ())]
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
    how = HowMade(
        command=work.making.request.command,
        origins=work.making.request.inputs,
        settings=flat(settings.model_dump(mode="json")),
        versions=library_versions(),
    )
    write_whole(work.out / "comparison.json", found.model_dump_json(indent=2).encode() + b"\n")
    write_report(work.out / "report.json", measures)
    write_whole(work.out / "report.html", compared_report(found, measures, how, current_language()).encode())
    return Made(results=measures)


STAGE = Stage(
    name="compare",
    version=1,
    summary="Compare runs that differ in one thing, over several seeds, by paired differences",
    settings=CompareSettings,
    inputs=(
        Input("model", "model", "Trained models", many=True, optional=True),
        Input("report", "report", "Evaluations of them", many=True, optional=True),
    ),
    makes="report",
    run=run,
    next="python3 -m webbrowser {out}/report.html",
)
