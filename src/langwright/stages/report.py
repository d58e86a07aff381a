"""`langwright report ARTIFACT... OUT`: one HTML file on how artifacts were made and how good they are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from langwright.artifacts import Made
from langwright.errors import UserError
from langwright.settings import Settings
from langwright.stages.declaration import Input, Stage, Work


class ReportSettings(Settings):
    """What goes into a report."""

    language: Annotated[
        Literal["auto", "en", "zh"],
        Field(description="Language shown first; auto takes the language of the command; the file holds both"),
    ] = "auto"
    follow: Annotated[
        bool, Field(description="Include what the artifacts were made from, where it still lies unchanged")
    ] = True


def run(work: Work) -> Made:
    """Gather cards, events, drops and measures, and write `report.html`; see the module."""
    from langwright.evaluation.pages.report import pipeline_report
    from langwright.files import write_whole
    from langwright.wording import current_language

    settings: ReportSettings = work.settings
    artifacts = [artifact for declared in STAGE.inputs for artifact in work.artifacts.get(declared.role, ())]
    if not artifacts:
        raise UserError(
            "there is nothing to report on", fix="name one or more artifacts, such as runs/chat, before the output"
        )
    language = current_language() if settings.language == "auto" else settings.language
    write_whole(work.out / "report.html", pipeline_report(artifacts, language, follow=settings.follow).encode())
    return Made()


STAGE = Stage(
    name="report",
    version=1,
    summary="Write one HTML file on how artifacts were made, what they cost and how good they are",
    settings=ReportSettings,
    inputs=(
        Input("model", "model", "Models to report on", many=True, optional=True),
        Input("report", "report", "Evaluations of them", many=True, optional=True),
        Input("dataset", "dataset", "Datasets to report on", many=True, optional=True),
        Input("tokenizer", "tokenizer", "Tokenizers to report on", many=True, optional=True),
    ),
    makes="report",
    run=run,
    next="python3 -m webbrowser {out}/report.html",
    options={"follow": "follow"},
)
