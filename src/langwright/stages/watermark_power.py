"""`langwright watermark power MODEL DATASET OUT`: how many tokens a watermark needs to be found, and what it costs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from langwright.artifacts import Made
from langwright.inference.watermark.settings import KGW, WatermarkSettings
from langwright.settings import Settings
from langwright.stages.declaration import Input, Stage, Work

Length = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1)]


class PowerSettings(Settings):
    """What is tried."""

    mark: WatermarkSettings = KGW()
    split: Annotated[
        Literal["auto", "train", "validation", "test"],
        Field(description="Rows to begin texts with; auto takes validation, else test, else train"),
    ] = "auto"
    texts: Annotated[int, Field(ge=2, description="Marked texts to write, and as many unmarked ones")] = 100
    prompt_tokens: Annotated[int, Field(ge=1, description="Tokens of a row that each text begins with")] = 16
    lengths: Annotated[
        tuple[Length, ...], Field(min_length=1, description="Numbers of tokens to look for the mark in")
    ] = (25, 50, 100, 200)
    edited: Annotated[
        tuple[Share, ...],
        Field(description="Shares of the tokens to replace by others, to see what edits leave of the mark"),
    ] = (0.1, 0.3)
    false_positives: Annotated[
        float, Field(gt=0, lt=1, description="Share of unmarked texts that may be called marked")
    ] = 0.01
    temperature: Annotated[
        float, Field(ge=0, le=10, description="Temperature of the texts; the lower, the less of a mark they can carry")
    ] = 1.0
    top_p: Annotated[
        float, Field(gt=0, le=1, description="Texts are sampled among the likeliest tokens of this total probability")
    ] = 1.0
    seed: Annotated[
        int, Field(ge=0, description="Seed of drawn rows, written texts and the keys they are tried with")
    ] = 0


def run(work: Work) -> Made:
    """Write, look for the mark, and write `report.json` and `report.html`; see `evaluation.marked`."""
    from langwright.data.dataset import open_dataset
    from langwright.evaluation.measuring.marked import (
        MARKED,
        UNMARKED,
        Trial,
        measure_all,
        power_report,
        prompts_and_rest,
        write_texts,
    )
    from langwright.evaluation.measuring.perplexity import token_ids
    from langwright.evaluation.measuring.sampling import split_of
    from langwright.evaluation.pages.report import Made as HowMade
    from langwright.files import write_whole
    from langwright.inference.protocol import Sampling
    from langwright.measures import write_report
    from langwright.metrics.yardsticks import signed
    from langwright.settings import flat
    from langwright.tasks.front.loading import load
    from langwright.wording import current_language

    settings: PowerSettings = work.settings
    trial = Trial(
        mark=settings.mark, lengths=tuple(sorted(set(settings.lengths))), edited=settings.edited,
        false_positives=settings.false_positives,
        sampling=Sampling(temperature=settings.temperature, top_p=settings.top_p), seed=settings.seed,
    )  # fmt: skip
    dataset = open_dataset(work.one("dataset").path)
    split = split_of(dataset, settings.split)
    with load(work.one("model").path.resolve()) as opened:
        model = opened.local("write")
        rows = [ids for _, ids in token_ids(model.tokenizer, dataset.texts(split))]
        prompts, people = prompts_and_rest(model, rows, trial, settings.texts, settings.prompt_tokens)
        marked, unmarked = (write_texts(model, prompts, trial, name, work.log) for name in (MARKED, UNMARKED))
    measures = signed(
        measure_all(trial, marked, unmarked, people, work.log),
        data=f"{dataset.path.name}/{split}",
        command=work.command,
    )
    write_report(work.out / "report.json", measures)
    how = HowMade(
        command=work.making.request.command,
        origins=work.making.request.inputs,
        settings=flat(settings.model_dump(mode="json")),
    )
    write_whole(work.out / "report.html", power_report(trial, measures, how, current_language()).encode())
    return Made(results=measures)


STAGE = Stage(
    name="watermark-power",
    version=1,
    summary="Measure how many tokens a watermark needs to be found, what edits leave of it, and what it costs",
    settings=PowerSettings,
    inputs=(
        Input("model", "model", "The model that writes"),
        Input("dataset", "dataset", "Texts to begin with, and to see how often the mark is seen where it is not"),
    ),
    makes="report",
    run=run,
    next="python3 -m webbrowser {out}/report.html",
    options={"texts": "texts", "seed": "seed"},
)
