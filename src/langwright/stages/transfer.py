"""`langwright transfer MODEL DATASET OUT`: what a model's past is worth on another task or domain, by number of labels.

For each number of labels and each seed two models learn from the same labelled rows, with the same head, updates and
order: MODEL, and one of its shape with random weights. Numbers are nested: the rows of 10 labels are among those of 30.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from langwright.artifacts import Made
from langwright.errors import UserError
from langwright.evaluation.measuring.findings import SCRATCH, TRANSFERRED, Point
from langwright.runlog import Progressed, RunLog
from langwright.stages.declaration import Input, Stage, Work
from langwright.training.settings import TrainingSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from langwright.data.schemas import ClassificationRow
    from langwright.objectives.classification import TextExamples
    from langwright.training.fit import Plan

TEXTS_PER_UPDATE = 16
LEAST_UPDATES = 60  # few labels are read many times


class TransferSettings(TrainingSettings):
    """How the curve is drawn. Steps and epochs are of each run."""

    labels: Annotated[
        tuple[int, ...],
        Field(min_length=1, description="Numbers of labelled rows to learn from, each a point of the curve"),
    ] = (10, 30, 100, 300)
    seeds: Annotated[int, Field(ge=1, description="Runs of each point, with seed, seed + 1, …")] = 5
    epochs: Annotated[
        float,
        Field(
            gt=0, description="Passes over the labelled rows where steps are not given; at least 60 updates are made"
        ),
    ] = 10.0
    test_rows: Annotated[int, Field(ge=1, description="Most held-out rows to measure on, drawn by the seed")] = 1000
    length: Annotated[
        int | None, Field(ge=8, description="Most tokens in a row; the model's context when left out, 512 at most")
    ] = None


def run(work: Work) -> Made:
    """Learn every point, and write `report.json`, `curve.json` and `report.html`; see the module."""
    from langwright.evaluation.experiments.efficiency import efficiency_report, measures_of
    from langwright.evaluation.pages.report import Made as HowMade
    from langwright.files import write_whole
    from langwright.measures import write_report
    from langwright.metrics.yardsticks import signed
    from langwright.settings import flat
    from langwright.wording import current_language

    settings: TransferSettings = work.settings
    points = list(learn_all(Course.of(work)))
    data = work.one("dataset").path.name
    measures = tuple(
        measure
        for one in measures_of(points)
        for measure in signed([one], model=one.model, data=data, command=work.command)
    )
    write_report(work.out / "report.json", measures)
    write_whole(work.out / "curve.json", json.dumps([asdict(point) for point in points], indent=1).encode())
    how = HowMade(
        command=work.making.request.command,
        origins=work.making.request.inputs,
        settings=flat(settings.model_dump(mode="json")),
    )
    write_whole(work.out / "report.html", efficiency_report(points, measures, how, current_language()).encode())
    return Made(results=measures)


@dataclass(frozen=True)
class Course:
    """What all runs share.

    fresh     (arm, seed) -> the model as a run begins with it, its head drawn by the seed
    examples  rows -> token ids and labels
    """

    work: Work
    train: tuple[ClassificationRow, ...]
    test: TextExamples
    fresh: Callable[[str, int], PreTrainedModel]
    examples: Callable[[Sequence[ClassificationRow]], TextExamples]
    plan: Plan

    @classmethod
    def of(cls, work: Work) -> Course:
        """Open and check everything; UserError before anything is learned."""
        from langwright.data.dataset import open_dataset
        from langwright.data.schemas import ClassificationRow
        from langwright.evaluation.measuring.sampling import drawn
        from langwright.models.loading import load_model
        from langwright.stages.lessons.classification import encoded_row, single_examples
        from langwright.stages.lessons.lesson import row_length
        from langwright.tasks.front.headed import encoder_for
        from langwright.tokenizers.loading import load_tokenizer
        from langwright.training.devices import choose_device
        from langwright.training.planning import read_plan, save_plan
        from langwright.training.preflight import inspect_labels

        settings: TransferSettings = work.settings
        dataset = open_dataset(work.one("dataset").path)
        train = tuple(
            row for row in dataset.rows("train") if isinstance(row, ClassificationRow) and row.label is not None
        )
        labels = tuple(sorted(inspect_labels([row.label for row in train if row.label is not None])))
        check_counts(settings.labels, len(train), len(labels))
        split = held_out(dataset.splits, dataset.path)
        folder = work.one("model").path
        device = choose_device(settings.device)

        def fresh(arm: str, seed: int) -> PreTrainedModel:
            model = load_model(folder, head="classification", labels=labels, seed=seed)
            return (model if arm == TRANSFERRED else at_random(model, seed)).to(device)

        model = fresh(TRANSFERRED, settings.seed)
        encoder = encoder_for(model, load_tokenizer(folder), row_length(settings, model.config))

        def examples(rows: Sequence[ClassificationRow], name: str = "train") -> TextExamples:
            return single_examples([encoded_row(encoder, row) for row in rows], rows, labels, encoder, name)

        rows = [row for row in dataset.rows(split) if isinstance(row, ClassificationRow)]
        test = examples(drawn(rows, settings.test_rows, settings.seed), split)
        plan = read_plan(work.making.run) if work.making.resumed else None
        if plan is None:
            plan = planned(settings, model, encoder.length)
            save_plan(work.making.run, plan)
        return cls(work, train, test, fresh, examples, plan)


def check_counts(counts: Sequence[int], rows: int, labels: int) -> None:
    """UserError for more labels than there are rows, or too few to show each label once."""
    for count in counts:
        if not labels <= count <= rows:
            raise UserError(
                "a point of {count} labels cannot be drawn: the train split has {rows} rows of {labels} labels",
                fix="give numbers from {labels} to {rows} in labels",
                count=count,
                rows=rows,
                labels=labels,
            )


def held_out(splits: Sequence[str], path: Path) -> Literal["validation", "test"]:
    """The split to measure on; UserError when there is none beside the training rows."""
    for split in ("validation", "test"):
        if split in splits:
            return split
    raise UserError(
        "{path} has no rows to measure on beside the training rows",
        fix="read the data with a validation or test split",
        path=path,
    )


def at_random(model: PreTrainedModel, seed: int) -> PreTrainedModel:
    """A model of the same class and shape with random weights, drawn as pre-training draws them."""
    import torch

    from langwright.models.building import generator_kept, scale_residual_writers

    with generator_kept():
        torch.default_generator.manual_seed(seed)
        fresh: PreTrainedModel = type(model)(model.config)
        scale_residual_writers(fresh)
    return fresh


def planned(settings: TransferSettings, model: PreTrainedModel, length: int) -> Plan:
    """What this machine decides; the steps and rows of an update are each point's own."""
    from langwright.training.cores import physical_cores
    from langwright.training.devices import choose_device, compute_dtype
    from langwright.training.fit import Plan
    from langwright.training.planning import USUAL_EVALUATION, finetuning_rate

    device = choose_device(settings.device)
    rows = settings.batch_rows or TEXTS_PER_UPDATE
    size = sum(weight.numel() for weight in model.parameters())
    return Plan(
        steps=0, batch_rows=rows, micro_rows=settings.micro_rows or rows, length=length,
        learning_rate=settings.learning_rate or finetuning_rate(size, adapter=False),
        dtype=compute_dtype(settings.dtype, device), compile=False, threads=physical_cores(), device=str(device),
        evaluate_rows=settings.evaluate_rows or USUAL_EVALUATION,
    )  # fmt: skip


# --- learning ------------------------------------------------------------------------------------------


def draw_order(labels: Sequence[str], seed: int) -> list[int]:
    """Row numbers in an order whose every beginning holds the labels as evenly as can be, each row equally likely.

    >>> [["a", "a", "a", "b"][i] for i in draw_order(["a", "a", "a", "b"], 0)]
    ['a', 'b', 'a', 'a']
    """
    numbers = random.Random(seed)
    piles = {label: [i for i, one in enumerate(labels) if one == label] for label in sorted(set(labels))}
    for pile in piles.values():
        numbers.shuffle(pile)
    turns = [(turn, label, row) for label, pile in piles.items() for turn, row in enumerate(pile)]
    return [row for _, _, row in sorted(turns)]


def learn_all(course: Course) -> Iterator[Point]:
    """Every point, or what was learned of it before; a run that was cut off goes on from its last checkpoint."""
    settings: TransferSettings = course.work.settings
    seeds = range(settings.seed, settings.seed + settings.seeds)
    cells = [(seed, count, arm) for seed in seeds for count in settings.labels for arm in (SCRATCH, TRANSFERRED)]
    for done, (seed, count, arm) in enumerate(cells, 1):
        name = f"{arm.replace(' ', '-')}-{count}-{seed}"
        folder = course.work.making.checkpoints / name
        if not (folder / "manifest.json").is_file():
            keep(folder, learn(course, arm, count, seed, name))
        yield Point(**json.loads((folder / "point.json").read_bytes()))
        course.work.log.write(Progressed(what="points learned", done=done, total=len(cells)))


def learn(course: Course, arm: str, count: int, seed: int, name: str) -> Point:
    """Train one model on so many rows, and measure it."""
    from langwright.data.order import Order
    from langwright.objectives.classification import Classification
    from langwright.training.evaluating import evaluate_loss
    from langwright.training.feed import Feed, whole_epoch
    from langwright.training.fit import Fit, fit
    from langwright.training.planning import steps_for

    making = course.work.making
    settings = course.work.settings.model_copy(update={"seed": seed})
    order = draw_order([str(row.label) for row in course.train], seed)
    examples = course.examples([course.train[row] for row in order[:count]])
    rows = min(course.plan.batch_rows, count)
    steps = settings.steps or max(LEAST_UPDATES, steps_for(None, settings.epochs, count, rows))
    plan = course.plan.model_copy(
        update={"steps": steps, "batch_rows": rows, "micro_rows": min(course.plan.micro_rows, rows)}
    )
    model = course.fresh(arm, seed)
    run = making.run / name
    run.mkdir(parents=True, exist_ok=True)
    log = RunLog(run / "events.jsonl")
    steps_folder = making.checkpoints / f"{name}.steps"
    try:
        fit(
            Fit(
                model=model, objective=Classification(), feed=Feed(examples, Order(seed, count), rows, plan.micro_rows),
                validation=None, plan=plan, settings=settings, checkpoints=steps_folder, run=run, log=log,
            )
        )  # fmt: skip
    finally:
        log.close()
    found = evaluate_loss(model, Classification(), whole_epoch(course.test, course.plan.micro_rows), plan.dtype)
    return Point(arm, seed, count, found["accuracy"])


def keep(folder: Path, point: Point) -> None:
    """Make a learned point whole on disk; its training's checkpoints are not needed any more."""
    from langwright.training.checkpoints import write_synced

    scratch = folder.with_name(folder.name + ".new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    write_synced(scratch / "point.json", json.dumps(asdict(point)).encode())
    write_synced(scratch / "manifest.json", b"{}\n")
    scratch.rename(folder)
    shutil.rmtree(folder.with_name(folder.name + ".steps"), ignore_errors=True)


STAGE = Stage(
    name="transfer",
    version=1,
    summary="Measure what a model's past is worth on another domain or task, by number of labels, against random weights",
    settings=TransferSettings,
    inputs=(
        Input("model", "model", "The model to start from"),
        Input("dataset", "dataset", "Texts with labels of the new domain or task"),
    ),
    makes="report",
    run=run,
    next="python3 -m webbrowser {out}/report.html",
    options={"--seeds": "seeds", "--steps": "steps", "--seed": "seed"},
)
