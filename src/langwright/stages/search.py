"""`langwright search DATASET [MODEL] [TOKENIZER] OUT`: try settings of a stage, and train the best once more."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue

from langwright.artifacts import Made
from langwright.errors import UserError, unknown
from langwright.evaluation.experiments.trials import Better, Confirmed, Trial, Trials
from langwright.measures import Measure
from langwright.stages.declaration import Input, Stage, Work
from langwright.stages.searching.settings import Grid, SearchSettings
from langwright.stages.searching.space import Space, read_space

if TYPE_CHECKING:
    from langwright.stages.searching.study import Study
    from langwright.training.preflight import Preflight

USUAL_TRIALS = 20
EVALUATE_ROWS = 256  # validation rows of every trial's curve, the same for all, so that trials can be compared
BETTER: dict[str, Better] = {"loss": "lower", "bits_per_byte": "lower", "accuracy": "higher"}
INCOMPARABLE = ("around", "objective", "loss", "labels")  # settings that change what the loss is


def run(work: Work) -> Made:
    """Explore, confirm, and write `best.toml`, `trials.json`, `report.json` and `report.html`; see the module."""
    from langwright.stages.searching.confirming import Confirmation, confirm
    from langwright.stages.searching.crew import Process, crew
    from langwright.stages.searching.exploring import Exploration, best_of, explore, told
    from langwright.stages.searching.study import Study

    settings: SearchSettings = work.settings
    space, inputs = prepared(work)
    assert work.cache is not None  # the executor always gives one
    folder = work.making.checkpoints
    study = Study(folder / "study", space, settings.method, settings.pruning, BETTER[settings.measure], settings.seed)
    search = Exploration(
        study=study, stage=settings.stage, inputs=inputs, measure=settings.measure, folder=folder / "trials",
        kept=work.making.run / "trials", cache=work.cache, log=work.log, most=most_trials(settings, study),
        seconds=None if settings.minutes is None else 60 * settings.minutes,
    )  # fmt: skip
    threads = max(1, cores() // settings.parallel)
    logs = [work.making.run / f"worker-{number}.log" for number in range(settings.parallel)]
    with crew([Process(log, threads) for log in logs]) as runners:
        explore(search, runners, spent(work))
        trials = told(search)
        best = best_of(trials, study.lower)
        confirmed = None
        if settings.confirm:
            seeds = tuple(space.seed + 1 + number for number in range(settings.confirm))
            job = Confirmation(space, settings.stage, inputs, settings.confirm_split, seeds, folder / "confirm", work.cache, work.log)  # fmt: skip
            confirmed = confirm(job, best.settings, runners)
    found = findings(work, space, study, trials, best, confirmed)
    study.close()
    measures = measures_of(work, found)
    write(work, found, measures)
    return Made(results=measures)


# --- before anything runs ------------------------------------------------------------------------


def prepared(work: Work) -> tuple[Space, dict[str, tuple[str, ...]]]:
    """The space and the inputs of every trial.

    raises  UserError for whatever would make a search fail, or mean nothing
    """
    from langwright.stages import STAGES
    from langwright.stages.execution import check_roles

    settings: SearchSettings = work.settings
    stage = STAGES[settings.stage]
    inputs = {
        role: tuple(str(artifact.path.resolve()) for artifact in artifacts)
        for role, artifacts in work.artifacts.items()
        if artifacts
    }
    roles = [declared.role for declared in stage.inputs]
    for role in inputs:
        if role not in roles:
            raise unknown("input", role, roles)
    check_roles(stage, inputs)
    if settings.parallel > cores():
        raise UserError(
            "parallel = {parallel}, and this machine has {cores} cores to share",
            fix="set parallel to {cores} or less",
            parallel=settings.parallel,
            cores=cores(),
        )
    space = read_space(stage.settings, fixed_settings(settings), settings.search)
    refuse_incomparable(settings, space)
    refuse_splits(work)
    return space, inputs


def fixed_settings(settings: SearchSettings) -> dict[str, JsonValue]:
    """What every trial has: its seed, and as many validation rows as all others."""
    common: dict[str, JsonValue] = {"seed": settings.seed, "evaluate_rows": EVALUATE_ROWS}
    return {name: value for name, value in common.items() if name not in settings.search} | settings.settings


def refuse_incomparable(settings: SearchSettings, space: Space) -> None:
    """UserError where the loss of one trial means something else than that of another."""
    wrong = [d.key for d in space.dimensions if d.key.split(".")[0] in INCOMPARABLE]
    if wrong and settings.measure != "accuracy":
        raise UserError(
            "{keys} and measure = {measure} do not go together: they change what the loss is, so that trials cannot be compared",
            fix="set measure = accuracy, or search other settings",
            keys=", ".join(wrong),
            measure=settings.measure,
        )


def refuse_splits(work: Work) -> None:
    """UserError where there are no rows to choose by, or none to confirm on that the search does not see."""
    settings: SearchSettings = work.settings
    card = work.one("dataset").card
    splits: Mapping[str, int] = card.dataset.splits if card and card.dataset else {}
    if not splits.get("validation"):
        raise UserError(
            "the dataset has no validation rows, and the search chooses by them",
            fix="read the data again with --set split.validation=0.1",
        )
    if settings.confirm and not splits.get(settings.confirm_split):
        raise UserError(
            "the dataset has no {split} rows, which the search never sees and is confirmed on",
            fix="read the data again with --set split.test=0.1, or set confirm = 0",
            split=settings.confirm_split,
        )


def check(work: Work) -> Preflight | None:
    """What `langwright check search` says: nothing where all is well."""
    prepared(work)
    return None


def cores() -> int:
    """Cores to share: those this process may use, at most OMP_NUM_THREADS."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(allowed, int(asked))) if asked.isdigit() else allowed


def most_trials(settings: SearchSettings, study: Study) -> int | None:
    """How many trials there may be; None where time alone decides."""
    if isinstance(settings.method, Grid):
        assert study.grid is not None
        return min(settings.trials or len(study.grid), len(study.grid))
    return settings.trials or (None if settings.minutes is not None else USUAL_TRIALS)


def spent(work: Work) -> float:
    """Seconds that earlier processes worked on this search."""
    from langwright.stages.execution import seconds_worked

    return seconds_worked(work.making.run / "events.jsonl") if work.making.resumed else 0.0


# --- what it found -------------------------------------------------------------------------------


def findings(
    work: Work, space: Space, study: Study, trials: list[Trial], best: Trial, confirmed: Confirmed | None
) -> Trials:
    """All of it in one table."""
    from langwright.settings import to_toml
    from langwright.stages.searching.exploring import joules_of
    from langwright.training.cost import emitted

    settings: SearchSettings = work.settings
    again = (work.making.checkpoints / "confirm").glob("*")
    joules = sum(trial.joules for trial in trials) + sum(joules_of(run) for run in again)
    return Trials(
        stage=settings.stage,
        measure=settings.measure,
        better=BETTER[settings.measure],
        method=settings.method.kind,
        trials=tuple(trials),
        best=best.number,
        recipe=to_toml(space.settings(best.settings)),
        importance=study.importance(),
        confirmed=confirmed,
        joules=joules,
        grams=emitted(joules, space.settings({}).cost),  # type: ignore[attr-defined]
    )


def measures_of(work: Work, found: Trials) -> tuple[Measure, ...]:
    """The best value, and best against default where that was confirmed."""
    from langwright.evaluation.experiments.searched import search_measures

    return search_measures(found, data=work.one("dataset").path.name, command=work.command, seed=work.settings.seed)


def write(work: Work, found: Trials, measures: tuple[Measure, ...]) -> None:
    """The files of the report."""
    from langwright.artifacts import library_versions
    from langwright.evaluation.experiments.searched import search_report
    from langwright.evaluation.pages.report import Made as HowMade
    from langwright.files import write_whole
    from langwright.measures import write_report
    from langwright.settings import flat
    from langwright.wording import current_language

    how = HowMade(
        command=work.making.request.command,
        origins=work.making.request.inputs,
        settings=flat(work.settings.model_dump(mode="json")),
        versions=library_versions(),
    )
    write_whole(work.out / "best.toml", found.recipe.encode())
    write_whole(work.out / "trials.json", found.model_dump_json(indent=2).encode() + b"\n")
    write_report(work.out / "report.json", measures)
    write_whole(work.out / "report.html", search_report(found, measures, how, current_language()).encode())
    shutil.rmtree(work.making.checkpoints / "trials", ignore_errors=True)


STAGE = Stage(
    name="search",
    version=1,
    summary="Try settings of a training stage, give up what falls behind, and train the best once more with new seeds",
    settings=SearchSettings,
    inputs=(
        Input("model", "model", "The model to start from, where finetune is searched", optional=True),
        Input("dataset", "dataset", "The rows to learn from, with a validation split and, to confirm, a test split"),
        Input("tokenizer", "tokenizer", "The tokenizer, where pretrain is searched", optional=True),
    ),
    makes="report",
    run=run,
    next="python3 -m webbrowser {out}/report.html",
    options={
        "--stage": "stage",
        "--trials": "trials",
        "--minutes": "minutes",
        "--parallel": "parallel",
        "--confirm": "confirm",
        "--seed": "seed",
    },
    check=check,
)
