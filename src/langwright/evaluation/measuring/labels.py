"""A classifier on labelled texts: accuracy, F1, the confusion matrix, and how it compares with counting words."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from langwright.data.schemas import ClassificationRow
from langwright.errors import UserError
from langwright.evaluation.baselines.language import MINUS, label_baselines
from langwright.evaluation.baselines.word_counts import Guess
from langwright.evaluation.measuring.findings import MOST_SHOWN, Bar, Confusion, Details, Findings, Item, Labelled
from langwright.evaluation.measuring.groups import groups_of
from langwright.evaluation.measuring.job import Job
from langwright.evaluation.measuring.robustness import noisy
from langwright.evaluation.measuring.sampling import blocks
from langwright.measures import Calibration, Measure
from langwright.metrics.abstaining import at_risk, risk_area, selective_accuracy
from langwright.metrics.calibration import brier, calibration_error, reliability, unscaled_error
from langwright.metrics.classification import ACCURACY, accuracy, confusion, f1, under_attack, under_noise
from langwright.metrics.comparison import difference, mcnemar
from langwright.metrics.expense import time_a_text
from langwright.metrics.label_rates import rates
from langwright.metrics.ranking import macro_auc
from langwright.metrics.yardsticks import signed
from langwright.runlog import Progressed, Warned

Predictor = Callable[[Sequence[str]], Sequence[Guess]]
Attacker = Callable[[Sequence[str], Sequence[str]], Sequence[str]]  # texts, right labels -> labels under attack
TEXTS_AT_ONCE = 64
MISTAKES = 50


def evaluate_labels(
    predictor: Predictor, name: str, job: Job, attacker: Attacker | None = None, calibration: Calibration | None = None
) -> Findings:
    """Predict every row's label and compare.

    predictor  texts -> one guess each
    calibration  how the probabilities were made and from which one on to answer, where that was fitted
    attacker   asked where the settings want an attack
    raises     UserError where an attack is wanted and there is nobody who could make it
    name       what the model is called in measures
    """
    rows = [row for row in job.rows if isinstance(row, ClassificationRow)]
    texts, right = [row.text for row in rows], [row.label for row in rows]
    guesses, expense = asked(predictor, texts, job)
    predicted = [guess.label for guess in guesses]
    measures = [accuracy(predicted, right), *f1(predicted, right, seed=job.settings.seed)]
    measures += rates(predicted, right, seed=job.settings.seed)
    measures += by_group(rows, predicted, job)
    measures += of_probabilities(guesses, right, job.settings.seed, calibration)
    warn_of_unknown(guesses, right, name, job)
    measures += expense
    measures += robust(predictor, attacker, texts, right, job)
    if job.can_learn:
        measures += beside(name, predicted, texts, right, job)
    labels = sorted({*right, *predicted})
    counts = confusion(predicted, right, labels).tolist()
    wrong = [
        Labelled(text=row.text, right=row.label, predicted=guess.label, probability=probability(guess))
        for row, guess in zip(rows, guesses, strict=True)
        if guess.label != row.label
    ]
    details = Details(
        task="classification",
        rows=len(rows),
        mistakes=tuple(wrong[:MISTAKES]),
        confusion=Confusion(labels=tuple(labels), counts=tuple(tuple(row) for row in counts)),
        reliability=tuple(bars_of(guesses, right)),
    )
    items = tuple(
        Item(
            data=job.named(), name=key, asked=row.text[:MOST_SHOWN], right=row.label, said=label,
            marks={ACCURACY.name: (float(label == row.label), 1.0)},
        )
        for key, row, label in zip(job.names, rows, predicted, strict=True)
    )  # fmt: skip
    return Findings(tuple(measures), details, items)


def asked(predictor: Predictor, texts: Sequence[str], job: Job) -> tuple[list[Guess], list[Measure]]:
    """A guess for every text, and the time a text took, where that is wanted."""
    guesses: list[Guess] = []
    seconds: list[float] = []
    sizes: list[int] = []
    for block in blocks(texts, TEXTS_AT_ONCE):
        began = time.perf_counter()
        guesses += predictor(block)
        seconds.append(time.perf_counter() - began)
        sizes.append(len(block))
        job.log.write(Progressed(what="labelling texts", done=len(guesses), total=len(texts)))
    wanted = job.settings.expense
    return guesses, [time_a_text(seconds, sizes, TEXTS_AT_ONCE, seed=job.settings.seed)] if wanted else []


def by_group(rows: Sequence[ClassificationRow], predicted: Sequence[str], job: Job) -> Iterator[Measure]:
    """Accuracy and macro F1 of each group; the latter over the labels that occur there."""
    for group, places in groups_of(rows, job.settings.groups):
        named, right = [predicted[place] for place in places], [rows[place].label for place in places]
        macro, *_ = f1(named, right, seed=job.settings.seed)
        yield from signed([accuracy(named, right), macro], data=job.named(group))


def of_probabilities(
    guesses: Sequence[Guess], right: Sequence[str], seed: int, fitted: Calibration | None = None
) -> Iterator[Measure]:
    """Calibration, order and what abstaining would gain, where every guess has probabilities."""
    if not all(guess.probabilities for guess in guesses):
        return
    sure, hits = confidence_of(guesses, right)
    labels = sorted({*right, *(label for guess in guesses for label in guess.probabilities or {})})
    rows_NL = [[(guess.probabilities or {}).get(label, 0.0) for label in labels] for guess in guesses]
    yield calibration_error(sure, hits, seed=seed)
    if fitted is not None and fitted.temperature != 1.0:
        yield unscaled_error(undone(guesses, fitted.temperature), hits, fitted.temperature, seed)
    yield calibration_error(sure, hits, adaptive=True, seed=seed)
    yield brier(rows_NL, [labels.index(label) for label in right], seed=seed)
    if len(set(right)) > 1:
        yield macro_auc(rows_NL, [[label == one for label in labels] for one in right])
    yield selective_accuracy(sure, hits)
    yield risk_area(sure, hits)
    for bound in fitted.bounds if fitted is not None else ():
        yield from at_risk(sure, hits, bound.risk, bound.threshold)


def warn_of_unknown(guesses: Sequence[Guess], right: Sequence[str], name: str, job: Job) -> None:
    """Say which labels of the rows a model does not have, and so never gets right."""
    known = {label for guess in guesses for label in guess.probabilities or {}}
    unknown = Counter(label for label in right if known and label not in known)
    if unknown:
        labels = ", ".join(list(unknown)[:20])
        job.log.write(
            Warned(
                message="{count} rows have labels that {name} does not know and counts as wrong: {labels}",
                values={"count": unknown.total(), "name": name, "labels": labels},
            )
        )


def undone(guesses: Sequence[Guess], temperature: float) -> list[float]:
    """Probability of each guessed label as it was before logits were divided: shares to the power of the temperature."""
    found = []
    for guess in guesses:
        raised = {label: share**temperature for label, share in (guess.probabilities or {}).items()}
        found.append(min(1.0, raised[guess.label] / sum(raised.values())))
    return found


def confidence_of(guesses: Sequence[Guess], right: Sequence[str]) -> tuple[list[float], list[bool]]:
    """Probability of each guessed label, and whether it was right."""
    sure = [min(1.0, probability(guess) or 0.0) for guess in guesses]  # sums of float32 may exceed 1 a little
    return sure, [guess.label == one for guess, one in zip(guesses, right, strict=True)]


def bars_of(guesses: Sequence[Guess], right: Sequence[str]) -> Iterator[Bar]:
    """The reliability diagram's bars that hold items; none where a guess has no probabilities."""
    if all(guess.probabilities for guess in guesses):
        for one in reliability(*confidence_of(guesses, right)):
            if one.items:
                yield Bar(items=one.items, confidence=one.confidence, accuracy=one.accuracy)


def robust(
    predictor: Predictor, attacker: Attacker | None, texts: Sequence[str], right: Sequence[str], job: Job
) -> Iterator[Measure]:
    """Accuracy on mistyped texts and under attack, where they are wanted."""
    settings = job.settings
    if settings.noise:
        guesses = [guess for block in blocks(noisy(texts, settings.noise, settings.seed), TEXTS_AT_ONCE) for guess in predictor(block)]  # fmt: skip
        yield under_noise([guess.label for guess in guesses], right, settings.noise)
    if settings.attack:
        if attacker is None:
            raise UserError(
                "this model has no classification head whose gradient an attack could follow",
                fix="leave attack out, or measure a model of `langwright finetune --task classification`",
            )
        yield under_attack(attacker(texts, right), right, settings.attack, settings.attack_steps)


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
