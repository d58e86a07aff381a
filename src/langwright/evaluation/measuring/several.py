"""A labeller of texts that may have several labels, or none: with labels from one half, and with a threshold for each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from langwright.data.schemas import ClassificationRow
from langwright.errors import UserError
from langwright.evaluation.baselines.language import MINUS, several_baselines
from langwright.evaluation.measuring.findings import MOST_SHOWN, Details, Findings, Item
from langwright.evaluation.measuring.groups import groups_of
from langwright.evaluation.measuring.job import Job
from langwright.evaluation.measuring.labels import Predictor, asked
from langwright.evaluation.measuring.sampling import drawn
from langwright.measures import Measure
from langwright.metrics.comparison import paired_test
from langwright.metrics.label_rates import divided
from langwright.metrics.ranking import macro_auc
from langwright.metrics.sets import labels_f1
from langwright.metrics.several_labels import ALL_LABELS, HAMMING, above, choose_thresholds, several_labels_scores
from langwright.metrics.yardsticks import signed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from langwright.evaluation.baselines.word_counts import Guess
    from langwright.metrics.intervals import Floats

HALF = 0.5
THRESHOLDS = " with a threshold for each label"

Rows = Sequence[ClassificationRow]
Table = list[list[float]]


def has_several(rows: Sequence[object]) -> bool:
    """Whether rows may have several labels each."""
    return any(isinstance(row, ClassificationRow) and row.labels is not None for row in rows)


def labels_in(rows: Sequence[object]) -> tuple[str, ...]:
    """Every label that rows have."""
    return tuple(sorted({label for row in rows if isinstance(row, ClassificationRow) for label in row.labels or ()}))


def evaluate_several(predictor: Predictor, name: str, job: Job) -> Findings:
    """Measure labels from a probability of one half, and where the test split is measured, those that thresholds give
    which were chosen on the validation split.

    raises  UserError when some rows have one label and some several, or the predictor gives no probabilities
    """
    rows = checked(job.rows, job)
    guesses, expense = asked(predictor, [row.text for row in rows], job)
    if not all(guess.probabilities for guess in guesses):
        raise UserError(
            "{name} gives no probability of each label, which rows with several labels need",
            fix="measure a model of `langwright finetune --task classification` that was taught such rows",
            name=name,
        )
    labels = sorted({*labels_in(rows), *(label for guess in guesses for label in guess.probabilities or {})})
    scores_NL = table(guesses, labels)
    measures = [*of_labels(rows, labels, scores_NL, [HALF] * len(labels), job), *expense]
    places = [
        place for place, label in enumerate(labels) if 0 < sum(label in (row.labels or ()) for row in rows) < len(rows)
    ]
    if places:
        measures.append(macro_auc(scores_NL, truth(rows, labels)))
    thresholds: dict[str, float] = {}
    ways = {"": [HALF] * len(labels)}
    if job.split == "test" and "validation" in job.dataset.splits:
        cuts = chosen(predictor, labels, job)
        measures += signed(list(of_labels(rows, labels, scores_NL, cuts, job)), model=name + THRESHOLDS)
        thresholds = {label: cut for label, cut in zip(labels, cuts, strict=True) if math.isfinite(cut)}
        ways[THRESHOLDS] = cuts
    if job.can_learn:
        measures += beside(name, rows, labels, scores_NL, ways, job)
    details = Details(task="classification", rows=len(rows), thresholds=thresholds)
    return Findings(tuple(measures), details, tuple(items_of(rows, labels, scores_NL, job)))


def items_of(rows: Rows, labels: Sequence[str], scores_NL: Table, job: Job) -> Iterator[Item]:
    """Each text with the labels given from one half on: whether all are right, and how many decisions are wrong."""
    for key, row, given_L in zip(job.names, rows, above(scores_NL, [HALF] * len(labels)).tolist(), strict=True):
        said = [label for label, so in zip(labels, given_L, strict=True) if so]
        wrong = len(set(said) ^ set(row.labels or ()))
        yield Item(
            data=job.named(), name=key, asked=row.text[:MOST_SHOWN], right=", ".join(row.labels or ()), said=", ".join(said),
            marks={ALL_LABELS.name: (float(not wrong), 1.0), HAMMING.name: (float(wrong), float(len(labels)))},
        )  # fmt: skip


def checked(rows: Sequence[object], job: Job) -> list[ClassificationRow]:
    """The rows, which all have labels of the same kind."""
    found = [row for row in rows if isinstance(row, ClassificationRow)]
    for row in found:
        if row.labels is None:
            raise UserError(
                "row {row} of {path} has one label, and others several",
                fix="give every row its labels in a list, or every row one label",
                row=row.id,
                path=job.dataset.path,
            )
    return found


def table(guesses: Sequence[Guess], labels: Sequence[str]) -> Table:
    """The probability of each label in each guess, (N, L); 0 of one that it does not name."""
    return [[(guess.probabilities or {}).get(label, 0.0) for label in labels] for guess in guesses]


def beside(
    name: str, rows: Rows, labels: Sequence[str], scores_NL: Table, ways: Mapping[str, Sequence[float]], job: Job
) -> Iterator[Measure]:
    """Micro and macro F1 of the baselines, and the paired difference in micro F1, each with thresholds of its own.

    ways  the model's thresholds, by what is added to its name; those of baselines are found as its own are
    """
    right_NL, seed = truth(rows, labels), job.settings.seed
    for other, predictor in several_baselines(job):
        theirs_NL = table(predictor([row.text for row in rows]), labels)
        for way, cuts_L in ways.items():
            their_cuts_L = chosen(predictor, labels, job) if way else cuts_L
            yield from signed(list(of_labels(rows, labels, theirs_NL, their_cuts_L, job))[:2], model=other + way)
            mine_N2 = of_texts(above(scores_NL, cuts_L), right_NL)
            theirs_N2 = of_texts(above(theirs_NL, their_cuts_L), right_NL)
            gap = paired_test(mine_N2, theirs_N2, micro_f1, of="micro F1 of labels", unit="share", seed=seed)
            yield from signed(gap, model=name + way + MINUS + other + way)


def of_texts(given_NL: NDArray[np.bool_], right_NL: Sequence[Sequence[bool]]) -> Floats:
    """Labels that are given rightly, and those given and those right together, by text: (N, 2)."""
    right = np.asarray(right_NL, bool)
    return np.stack([(given_NL & right).sum(1), given_NL.sum(1) + right.sum(1)], axis=1).astype(float)


def micro_f1(sums_RK: Floats) -> Floats:
    """2 · rightly given / (given + right), (R,)."""
    found: Floats = divided(2 * sums_RK[:, 0], sums_RK[:, 1])
    return found


def truth(rows: Rows, labels: Sequence[str]) -> list[list[bool]]:
    """Which labels each row has, (N, L)."""
    return [[label in (row.labels or ()) for label in labels] for row in rows]


def of_labels(
    rows: Rows, labels: Sequence[str], scores_NL: Table, cuts_L: Sequence[float], job: Job
) -> Iterator[Measure]:
    """Micro and macro F1, exact share and Hamming loss of what is given from these thresholds on; micro F1 by group."""
    given_NL = above(scores_NL, cuts_L).tolist()
    named = [{label for label, so in zip(labels, row, strict=True) if so} for row in given_NL]
    right = [set(row.labels or ()) for row in rows]
    seed = job.settings.seed
    yield labels_f1(named, right, seed=seed)
    yield from several_labels_scores(given_NL, truth(rows, labels), seed=seed)
    for group, places in groups_of(rows, job.settings.groups):
        those = labels_f1([named[place] for place in places], [right[place] for place in places], seed=seed)
        yield from signed([those], data=job.named(group))


def chosen(predictor: Predictor, labels: Sequence[str], job: Job) -> list[float]:
    """The threshold of each label that is best on the validation split."""
    held = checked(drawn(job.dataset.rows("validation"), job.settings.limit, job.settings.seed), job)
    guesses, _ = asked(predictor, [row.text for row in held], job)
    scores_NL = table(guesses, labels)
    return choose_thresholds(scores_NL, truth(held, labels))
