"""`langwright mine DATASET OUT`: what a collection of texts is made of and about, as one HTML file and measures."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Literal

from pydantic import Field

from langwright.artifacts import Made
from langwright.errors import unknown
from langwright.settings import Settings
from langwright.stages.declaration import Input, Stage, Work


class MineSettings(Settings):
    """What is looked at."""

    split: Annotated[
        Literal["all", "train", "validation", "test"], Field(description="Which rows are read; all reads every split")
    ] = "all"
    texts: Annotated[int, Field(ge=1, description="At most so many rows are read")] = 20_000
    shown: Annotated[int, Field(ge=1, description="How many words, pairs and phrases are shown of each kind")] = 30
    group: Annotated[
        str,
        Field(
            description="Column whose values part the texts, to see which words set them apart, such as label or source; "
            "auto takes the label, else the source where there are several"
        ),
    ] = "auto"
    language: Annotated[
        Literal["auto", "en", "zh"],
        Field(description="Language shown first; auto takes the language of the command; the file holds both"),
    ] = "auto"


def run(work: Work) -> Made:
    """Read the rows once and write `report.json` and `report.html`; see `evaluation.mining`."""
    from langwright.data.dataset import open_dataset
    from langwright.evaluation.collections.mined import mining_report
    from langwright.evaluation.collections.mining import measures, mine
    from langwright.evaluation.pages.report import Made as HowMade
    from langwright.files import write_whole
    from langwright.measures import write_report
    from langwright.metrics.yardsticks import signed
    from langwright.settings import flat
    from langwright.wording import current_language

    settings: MineSettings = work.settings
    dataset = open_dataset(work.one("dataset").path)
    columns = dataset.schema.model_fields
    if settings.group not in ("auto", *columns):
        raise unknown("column", settings.group, columns)
    splits = dataset.splits if settings.split == "all" else (settings.split,)
    rows = (row for split in splits for row in dataset.rows(split))
    group = settings.group if settings.group != "auto" else "label" if "label" in columns else "source"
    found = mine(islice(rows, settings.texts), group)
    name = dataset.path.name
    made = signed(measures(found), data=name, command=work.command)
    write_report(work.out / "report.json", made)
    how = HowMade(
        command=work.making.request.command,
        origins=work.making.request.inputs,
        settings=flat(settings.model_dump(mode="json")),
    )
    language = current_language() if settings.language == "auto" else settings.language
    write_whole(work.out / "report.html", mining_report(found, made, name, settings.shown, how, language).encode())
    return Made(results=made)


STAGE = Stage(
    name="mine",
    version=1,
    summary="Look at a collection of texts: counts, keywords, collocations, the laws of its words, readability",
    settings=MineSettings,
    inputs=(Input("dataset", "dataset", "The texts, rows of any schema"),),
    makes="report",
    run=run,
    next="python3 -m webbrowser {out}/report.html",
    options={"texts": "texts", "group": "group"},
)
