"""`langwright evaluate MODEL DATASET OUT`: measure a model on held-out rows, beside what simple methods achieve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from langwright.artifacts import Made
from langwright.evaluation.settings import EvaluateSettings
from langwright.stages.declaration import Input, Stage, Work

if TYPE_CHECKING:
    from langwright.evaluation.labels import Attacker, Predictor
    from langwright.tasks.loading import Model


def run(work: Work) -> Made:
    """Measure, and write `report.json`, `details.json` and `report.html`; see the module."""
    from langwright.artifacts import library_versions
    from langwright.data.dataset import open_dataset
    from langwright.evaluation.report import Made as HowMade
    from langwright.evaluation.report import evaluation_report
    from langwright.evaluation.running import evaluate
    from langwright.files import write_whole
    from langwright.measures import write_report
    from langwright.settings import flat
    from langwright.tasks.loading import load
    from langwright.wording import current_language

    settings: EvaluateSettings = work.settings
    artifact = work.one("model")
    name = artifact.path.resolve().name
    with load(artifact.path.resolve(), head=settings.head) as model:
        findings = evaluate(
            open_dataset(work.one("dataset").path),
            settings,
            name=name,
            writer=lambda: model.writer("score"),
            predictor=lambda labels: predictor_of(model, labels),
            attacker=attacker_of(model, settings),
            log=work.log,
            command=work.command,
        )
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
    page = evaluation_report(findings, name, how, current_language())
    write_whole(work.out / "report.html", page.encode())
    return Made(results=findings.measures)


def predictor_of(model: Model, labels: tuple[str, ...]) -> Predictor:
    """The model as one that labels: by its trained head, else by asking which label it finds likeliest.

    labels  those to choose from where the model has none of its own
    """
    from langwright.evaluation.word_counts import Guess

    def by_head(texts: Sequence[str]) -> list[Guess]:
        assert model.classifier is not None
        known = model.classifier.labels
        rows = model.classifier.probabilities(texts)
        return [Guess(known[int(row.argmax())], dict(zip(known, map(float, row), strict=True))) for row in rows]

    def by_asking(texts: Sequence[str]) -> list[Guess]:
        answers = [model.predict(text, labels) for text in texts]
        return [Guess(answer.labels[0], answer.probabilities) for answer in answers]

    return by_asking if model.classifier is None else by_head


def attacker_of(model: Model, settings: EvaluateSettings) -> Attacker | None:
    """What labels texts under the attack of the settings; None for a model without a head."""
    from langwright.evaluation.robustness import attacked

    classifier = model.classifier
    if classifier is None:
        return None
    return lambda texts, right: attacked(
        classifier, texts, right, epsilon=settings.attack, steps=settings.attack_steps, seed=settings.seed
    )


STAGE = Stage(
    name="evaluate",
    version=1,
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
