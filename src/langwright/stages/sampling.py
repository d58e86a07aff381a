"""`langwright sampling MODEL DATASET [JUDGE] OUT`: quality against diversity for temperature, top-k and top-p."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from langwright.artifacts import Artifact, Made
from langwright.settings import Settings
from langwright.stages.declaration import Input, Stage, Work

if TYPE_CHECKING:
    from langwright.tasks.front.loading import Model

Temperature = Annotated[float, Field(ge=0, le=10)]
Count = Annotated[int, Field(ge=0)]
Mass = Annotated[float, Field(gt=0, le=1)]


class SamplingSettings(Settings):
    """What is compared: every temperature with every top-k and every top-p."""

    split: Annotated[
        Literal["auto", "train", "validation", "test"],
        Field(description="Rows to begin texts with; auto takes validation, else test, else train"),
    ] = "auto"
    texts: Annotated[int, Field(ge=2, description="Texts to write by each setting, after the same beginnings")] = 64
    prompt_pieces: Annotated[
        int, Field(ge=1, description="Chinese characters, words or marks of a row that each text begins with")
    ] = 8
    max_new_tokens: Annotated[int, Field(ge=1, description="Most tokens of each text")] = 64
    temperatures: Annotated[
        tuple[Temperature, ...], Field(min_length=1, description="Temperatures; 0 is greedy, whatever else is set")
    ] = (0.0, 0.5, 0.8, 1.0, 1.3)
    top_k: Annotated[tuple[Count, ...], Field(min_length=1, description="Numbers of likeliest tokens; 0 means all")] = (
        0,
        20,
    )
    top_p: Annotated[
        tuple[Mass, ...], Field(min_length=1, description="Shares of probability that the likeliest tokens hold; 1 means all")
    ] = (1.0, 0.9)  # fmt: skip
    seed: Annotated[int, Field(ge=0, description="Seed of drawn rows, written texts and bootstrap intervals")] = 0


def run(work: Work) -> Made:
    """Write by every setting, and write `report.json` and `report.html`; see `evaluation.sampled`."""
    from langwright.data.dataset import open_dataset
    from langwright.evaluation.measuring.sampled import (
        PEOPLE,
        beginnings,
        by_people,
        choices,
        measures_of,
        sampling_report,
        write_all,
    )
    from langwright.evaluation.measuring.sampling import split_of
    from langwright.evaluation.pages.report import Made as HowMade
    from langwright.files import write_whole
    from langwright.measures import Measure, write_report
    from langwright.metrics.yardsticks import signed
    from langwright.settings import flat
    from langwright.wording import current_language

    settings: SamplingSettings = work.settings
    dataset = open_dataset(work.one("dataset").path)
    split = split_of(dataset, settings.split)
    begun = beginnings(list(dataset.texts(split)), settings.prompt_pieces, settings.texts, settings.seed)
    every = choices(settings.temperatures, settings.top_k, settings.top_p)
    given = work.artifacts.get("judge", ())
    found: list[Measure] = []
    opened = opened_model(work.one("model"))
    other = opened_model(given[0]) if given else None
    try:
        model, judge = opened.local("write"), other.local("score") if other else None
        called = given[0].path.resolve().name if given else ""
        prompts = [prompt for prompt, _ in begun]
        for choice in every:
            texts = write_all(model, judge, prompts, choice, settings.max_new_tokens, settings.seed, work.log)
            found += measures_of(texts, choice.name, called, settings.seed)
        found += measures_of(by_people(model, judge, begun, texts), PEOPLE, called, settings.seed)
    finally:
        opened.close()
        if other:
            other.close()
    measures = signed(found, data=f"{dataset.path.name}/{split}", command=work.command)
    write_report(work.out / "report.json", measures)
    how = HowMade(
        command=work.making.request.command,
        origins=work.making.request.inputs,
        settings=flat(settings.model_dump(mode="json")),
    )
    write_whole(work.out / "report.html", sampling_report(every, measures, how, current_language()).encode())
    return Made(results=measures)


def opened_model(artifact: Artifact) -> Model:
    """A model of an artifact."""
    from langwright.tasks.front.loading import load

    return load(artifact.path.resolve())


STAGE = Stage(
    name="sampling",
    version=1,
    summary="Compare temperatures, top-k and top-p: how varied the texts are, and how probable",
    settings=SamplingSettings,
    inputs=(
        Input("model", "model", "The model that writes"),
        Input("dataset", "dataset", "Texts to begin with, and to compare with"),
        Input("judge", "model", "Another model that says how probable the texts are", optional=True),
    ),
    makes="report",
    run=run,
    next="python3 -m webbrowser {out}/report.html",
    options={"texts": "texts", "max-new-tokens": "max_new_tokens", "seed": "seed"},
)
