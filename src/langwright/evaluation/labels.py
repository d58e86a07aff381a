"""A classifier on labelled texts: accuracy, F1, the confusion matrix, and how it compares with counting words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from langwright.data.schemas import ClassificationRow
from langwright.evaluation.baselines import MINUS, label_baselines
from langwright.evaluation.findings import Confusion, Details, Findings, Labelled
from langwright.evaluation.job import Job
from langwright.evaluation.sampling import blocks
from langwright.evaluation.word_counts import Guess
from langwright.measures import Measure
from langwright.metrics.classification import accuracy, confusion, f1
from langwright.metrics.comparison import difference, mcnemar
from langwright.metrics.yardsticks import signed
from langwright.runlog import Progressed

Predictor = Callable[[Sequence[str]], Sequence[Guess]]
TEXTS_AT_ONCE = 64
MISTAKES = 50


def evaluate_labels(predictor: Predictor, name: str, job: Job) -> Findings:
    """Predict every row's label and compare.

    predictor  texts -> one guess each
    name       what the model is called in measures
    """
    rows = [row for row in job.rows if isinstance(row, ClassificationRow)]
    texts, right = [row.text for row in rows], [row.label for row in rows]
    guesses: list[Guess] = []
    for block in blocks(texts, TEXTS_AT_ONCE):
        guesses += predictor(block)
        job.log.write(Progressed(what="labelling texts", done=len(guesses), total=len(texts)))
    predicted = [guess.label for guess in guesses]
    measures = [accuracy(predicted, right), *f1(predicted, right, seed=job.settings.seed)]
    if job.can_learn:
        measures += beside(name, predicted, texts, right, job)
    labels = sorted({*right, *predicted})
    counts = confusion(predicted, right, labels).tolist()
    wrong = [
        Labelled(text=row.text, right=row.label, predicted=guess.label, probability=probability(guess))
        for row, guess in zip(rows, guesses, strict=True)
        if guess.label != row.label
    ]
    return Findings(
        tuple(measures),
        Details(
            task="classification",
            rows=len(rows),
            mistakes=tuple(wrong[:MISTAKES]),
            confusion=Confusion(labels=tuple(labels), counts=tuple(tuple(row) for row in counts)),
        ),
    )


def beside(name: str, predicted: Sequence[str], texts: Sequence[str], right: Sequence[str], job: Job) -> Iterator[Measure]:  # fmt: skip
    """Accuracy and macro F1 of the baselines, and the paired difference in accuracy."""
    seed = job.settings.seed
    hits = [p == r for p, r in zip(predicted, right, strict=True)]
    for other, guesses in label_baselines(texts, job):
        labels = [guess.label for guess in guesses]
        macro, *_ = f1(labels, right, seed=seed)
        yield from signed([accuracy(labels, right), macro], model=other)
        theirs = [p == r for p, r in zip(labels, right, strict=True)]
        gap = difference(hits, theirs, of="accuracy", unit="share", seed=seed)
        yield from signed([gap, mcnemar(hits, theirs)], model=name + MINUS + other)


def probability(guess: Guess) -> float | None:
    """Of the guessed label, where the predictor gives one."""
    return guess.probabilities.get(guess.label) if guess.probabilities else None
