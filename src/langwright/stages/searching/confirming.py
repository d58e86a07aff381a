"""Best against default once more: both trained with new seeds, measured on rows that the search never saw.

The best of many trials is the best by luck too: its value on the rows it was chosen by is too good. So it is trained
again with seeds that it was not chosen by, beside the default with the same seeds, and both are measured elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from langwright.artifacts import open_artifact
from langwright.errors import UserError
from langwright.evaluation.experiments.trials import Better, Confirmed
from langwright.measures import Measure
from langwright.runlog import Progressed, RunLog
from langwright.stages.searching.crew import Runner, carried_out
from langwright.stages.searching.space import Space, Values
from langwright.stages.searching.worker import Answer, Order


@dataclass(frozen=True)
class Confirmation:
    """What is trained again, and where.

    seeds   new ones
    folder  where the runs lie until the search is done
    """

    space: Space
    stage: str
    inputs: Mapping[str, tuple[str, ...]]
    split: str
    seeds: tuple[int, ...]
    folder: Path
    cache: Path
    log: RunLog

    def place(self, side: str, seed: int) -> Path:
        """The model of one side with one seed."""
        return self.folder / f"{side}-{seed}"

    def measured(self, side: str, seed: int) -> Path:
        """The report on it."""
        return self.folder / f"{side}-{seed}-measured"


def confirm(job: Confirmation, best: Values, runners: Sequence[Runner]) -> Confirmed:
    """Train and measure; what an earlier process has measured is not done again.

    raises  UserError when one of the runs fails
    """
    sides: dict[str, Values] = {"best": best, "default": {}}
    runs = [(side, seed) for seed in job.seeds for side in sides]
    todo = [(side, seed) for side, seed in runs if not job.measured(side, seed).exists()]
    train = [training(job, side, seed, sides[side]) for side, seed in todo]
    measure = [measuring(job, side, seed) for side, seed in todo]

    def trained(count: int) -> None:
        job.log.write(Progressed(what="training again", done=count, total=len(train)))

    def measured(count: int) -> None:
        job.log.write(Progressed(what="measuring again", done=count, total=len(measure)))

    check_done(train, carried_out(train, runners, trained))
    check_done(measure, carried_out(measure, runners, measured))
    return compared(job)


def check_done(orders: Sequence[Order], answers: Sequence[Answer]) -> None:
    """UserError where one of the orders was not carried out."""
    for order, answer in zip(orders, answers, strict=True):
        if answer.end != "made":
            raise UserError(
                "{run} of the confirmation ended early: {reason}",
                fix="run the same command again to go on; with confirm = 0 the search ends without it",
                run=order.out.name,
                reason=answer.problem or answer.end,
            )


def training(job: Confirmation, side: str, seed: int, values: Values) -> Order:
    """The run of one side with one seed."""
    settings = job.space.settings(values, seed=seed).model_dump(mode="json")
    return Order(
        stage=job.stage, inputs=dict(job.inputs), settings=settings, out=job.place(side, seed), cache=job.cache
    )


def measuring(job: Confirmation, side: str, seed: int) -> Order:
    """Its evaluation, without baselines and texts."""
    return Order(
        stage="evaluate",
        inputs={"model": (str(job.place(side, seed)),), "dataset": job.inputs["dataset"]},
        settings={"split": job.split, "baselines": False, "samples": 0},
        out=job.measured(side, seed),
        cache=job.cache,
    )


def compared(job: Confirmation) -> Confirmed:
    """The first measure of every report, side by side."""
    found = {side: [first_measure(job, side, seed) for seed in job.seeds] for side in ("best", "default")}
    one = found["best"][0]
    better: Better = "higher" if one.better == "higher" else "lower"
    best, default = (tuple(measure.value for measure in found[side]) for side in ("best", "default"))
    return Confirmed(
        measure=one.name, unit=one.unit, better=better, data=one.data, seeds=job.seeds, best=best, default=default
    )


def first_measure(job: Confirmation, side: str, seed: int) -> Measure:
    """What an evaluation puts first of the model, and says which way is good."""
    report = open_artifact(job.measured(side, seed), "report")
    assert report.card is not None
    return next(measures_of(report.card.results, job.place(side, seed).name))


def measures_of(results: Sequence[Measure], model: str) -> Iterator[Measure]:
    """Those of a model that can be better or worse."""
    return (measure for measure in results if measure.model == model and measure.better != "neither")
