"""`langwright evaluate MODEL DATASET OUT`: measure a model on held-out rows, beside what simple methods achieve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from langwright.artifacts import Made
from langwright.errors import UserError
from langwright.evaluation.settings import EvaluateSettings
from langwright.stages.declaration import Input, Stage, Work
from langwright.tasks.solving.few_shot import NoExamples

if TYPE_CHECKING:
    from pathlib import Path

    from langwright.data.dataset import Dataset
    from langwright.evaluation.measuring.findings import Findings
    from langwright.evaluation.measuring.labels import Attacker, Predictor
    from langwright.evaluation.measuring.solved import SolveAll
    from langwright.measures import Measure
    from langwright.runlog import RunLog
    from langwright.tasks.front.loading import Model
    from langwright.tasks.solving.few_shot import Shot


def run(work: Work) -> Made:
    """Measure, and write `report.json`, `details.json`, `items.jsonl` and `report.html`; see the module."""
    from langwright.artifacts import library_versions
    from langwright.evaluation.measuring.items import write_items
    from langwright.evaluation.pages.report import Made as HowMade
    from langwright.evaluation.pages.report import evaluation_report
    from langwright.files import write_whole
    from langwright.measures import write_report
    from langwright.settings import flat
    from langwright.wording import current_language

    settings: EvaluateSettings = work.settings
    artifact = work.one("model")
    name = artifact.path.resolve().name
    findings = found_of(artifact.path.resolve(), name, work.one("dataset").path, settings, work.log, work.command)
    facts = artifact.card.model if artifact.card else None
    how = HowMade(
        command=work.making.request.command,
        origins=work.making.request.inputs,
        settings=flat(settings.model_dump(mode="json")),
        versions=library_versions(),
        parameters=facts.parameters if facts else None,
    )
    write_report(work.out / "report.json", findings.measures)
    write_whole(work.out / "details.json", findings.details.model_dump_json(indent=2).encode() + b"\n")
    if findings.items:
        write_items(work.out, findings.items)
    page = evaluation_report(findings, name, how, current_language())
    write_whole(work.out / "report.html", page.encode())
    return Made(results=findings.measures)


def found_of(model: Path, name: str, rows: Path, settings: EvaluateSettings, log: RunLog, command: str) -> Findings:
    """What is found of one model on one dataset; `compare` asks for it too.

    name     what the model is called in measures
    rows     folder of the dataset
    command  what measures it again
    raises   UserError as `evaluate` of `langwright.evaluation.running`
    """
    from langwright.data.dataset import open_dataset
    from langwright.evaluation.running import evaluate
    from langwright.inference.precision import Numbers
    from langwright.metrics.yardsticks import signed
    from langwright.tasks.front.loading import load

    dataset = open_dataset(rows)
    shots = examples_for(dataset, settings)
    with load(model, head=settings.head, numbers=Numbers(precision=settings.precision)) as opened:
        findings = evaluate(
            dataset,
            settings,
            name=name,
            writer=lambda: opened.local("score"),
            predictor=lambda labels: predictor_of(opened, labels) if shots is None else shown(opened, shots, settings),
            several=lambda labels: several_of(opened, labels),
            attacker=attacker_of(opened, settings),
            solve=opened.solve,
            calibration=opened.headed.calibration if opened.headed and shots is None else None,
            many=lambda task: solving(opened, task),
            taught=opened.taught,
            log=log,
            command=command,
        )
    if not settings.expense:
        return findings
    return replace(findings, measures=findings.measures + signed(expense_of(model), model=name, command=command))


def expense_of(model: Path) -> tuple[Measure, ...]:
    """Memory this process took at most, and the room that a model's weights take."""
    import torch

    from langwright.metrics.expense import MEMORY, ON_DISK
    from langwright.training.devices import peak_memory_bytes

    files = sorted(model.resolve().rglob("*.safetensors"))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return (
        MEMORY.measure(float(peak_memory_bytes(device)), n=1),
        ON_DISK.measure(float(sum(file.stat().st_size for file in files)), n=len(files)),
    )


def solving(model: Model, task: str) -> SolveAll:
    """The model as one that does a task.

    raises  UserError when it cannot
    """
    model.require(task)
    return lambda inputs: model.solve_all(task, inputs)


def predictor_of(model: Model, labels: tuple[str, ...]) -> Predictor:
    """The model as one that labels: by its trained head, else by asking which label it finds likeliest.

    labels  those to choose from where the model has none of its own
    """
    from langwright.evaluation.baselines.word_counts import Guess

    def by_head(texts: Sequence[str]) -> list[Guess]:
        assert model.headed is not None
        known = model.headed.labels
        rows = model.headed.probabilities(texts)
        return [Guess(known[int(row.argmax())], dict(zip(known, map(float, row), strict=True))) for row in rows]

    def by_asking(texts: Sequence[str]) -> list[Guess]:
        answers = [model.predict(text, labels) for text in texts]
        return [Guess(answer.labels[0], answer.probabilities) for answer in answers]

    return by_head if model.abilities.get("classification") == "head" else by_asking


def several_of(model: Model, labels: tuple[str, ...]) -> Predictor:
    """The model as one that judges each label by itself: by its trained head, else by asking of every label whether it fits.

    raises  UserError for a head that was taught one label a text
    """
    from langwright.evaluation.baselines.word_counts import Guess

    classifier = model.headed
    if classifier is not None and not classifier.several:
        raise UserError(
            "{name} was taught one label a text, and these rows have several",
            fix="teach it rows with several labels, or measure it on rows with one",
            name=classifier.name,
        )

    def judged(texts: Sequence[str]) -> list[Guess]:
        answers = [model.predict(text, labels, multi_label=True) for text in texts]
        return [Guess(answer.labels[0] if answer.labels else "", answer.probabilities) for answer in answers]

    if classifier is not None:
        return predictor_of(model, labels)
    return judged


def examples_for(dataset: Dataset, settings: EvaluateSettings) -> tuple[Shot, ...] | None:
    """The examples that labels are told by; None where none are wanted.

    raises  UserError where the rows to measure on are those the examples would be drawn from
    """
    from langwright.data.schemas import ClassificationRow
    from langwright.evaluation.measuring.sampling import split_of
    from langwright.tasks.solving.few_shot import draw_shots

    if isinstance(settings.few_shot, NoExamples):
        return None
    if "train" not in dataset.splits or split_of(dataset, settings.split) == "train":
        raise UserError(
            "few_shot = {kind} draws its examples from the train split, and {path} has no other rows to measure on",
            fix="read the data with a validation or test split, or measure on that",
            kind=settings.few_shot.kind,
            path=dataset.path,
        )
    rows = (row for row in dataset.rows("train") if isinstance(row, ClassificationRow))
    pairs = ((row.text, row.label) for row in rows if row.label is not None)
    return draw_shots(pairs, settings.few_shot.per_label, settings.seed)


def shown(model: Model, shots: Sequence[Shot], settings: EvaluateSettings) -> Predictor:
    """The model as one that labels from examples."""
    from langwright.evaluation.baselines.word_counts import Guess
    from langwright.tasks.solving.few_shot import few_shot

    assert not isinstance(settings.few_shot, NoExamples)
    label = few_shot(
        settings.few_shot,
        shots,
        embed=partial(model.embed, truncate=True),
        writer=lambda: model.local("score"),
        seed=settings.seed,
    )
    return lambda texts: [Guess(max(found, key=lambda one: found[one]), found) for found in label(texts)]


def attacker_of(model: Model, settings: EvaluateSettings) -> Attacker | None:
    """What labels texts under the attack of the settings; None for a model without a head."""
    from langwright.evaluation.measuring.robustness import attacked

    classifier = model.headed
    if classifier is None:
        return None
    return lambda texts, right: attacked(
        classifier, texts, right, epsilon=settings.attack, steps=settings.attack_steps, seed=settings.seed
    )


STAGE = Stage(
    name="evaluate",
    version=2,
    summary="Measure a model on held-out rows, beside what simple methods achieve, with intervals and a report",
    settings=EvaluateSettings,
    inputs=(Input("model", "model", "The model to measure"), Input("dataset", "dataset", "The rows to measure it on")),
    makes="report",
    run=run,
    next="langwright report {out} {out}-page",
    options={
        "task": "task",
        "split": "split",
        "limit": "limit",
        "samples": "samples",
        "max-new-tokens": "max_new_tokens",
        "baselines": "baselines",
        "seed": "seed",
    },
)
