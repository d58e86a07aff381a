"""Labels that nobody was taught: by whether the text entails each, and by which label's vector is nearest.

The third way, which label a model that writes finds likeliest, is `tasks.likelihood`.

Sources   Yin, Hay & Roth 2019, EMNLP, arXiv:1909.00161, section 5: the text is the premise, "this text is about LABEL"
          the hypothesis, and a model of textual entailment says how well they go together
          Chang, Ratinov, Roth & Srikumar 2008, AAAI, "Importance of Semantic Representation: Dataless Classification",
          section 2: text and label in one space, the nearest label is taken
Differs   entailment: the labels' probabilities of entailment are divided by their sum, so that they compare the labels
          with each other; with several labels a text each is entailment against contradiction alone
          vectors: a softmax of cosines with a temperature of 0.05 makes them probabilities, which are not calibrated
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from langwright.errors import UserError
from langwright.tasks.classification import ClassificationInput, ClassificationOutput
from langwright.tasks.declaration import Task
from langwright.tasks.solving.languages import language_of
from langwright.tasks.solving.likelihood import checked_labels, softmax
from langwright.tasks.solving.solvers import Solver
from langwright.wording import Language

if TYPE_CHECKING:
    from langwright.tasks.front.loading import Model

ABOUT: dict[Language, str] = {"en": "This text is about {label}.", "zh": "这段文本的内容是{label}。"}
ENTAILS = ("entailment", "entails", "entailed", "蕴含", "蕴涵")
CONTRADICTS = ("contradiction", "contradicts", "contradictory", "矛盾")
TEMPERATURE = 0.05


def by_entailment(model: Model, task: Task, asked: ClassificationInput) -> ClassificationOutput:
    """How well the text entails that it is about each label.

    raises  UserError when no labels are given and the task has none
    """
    assert model.headed is not None
    language = language_of(asked.text)
    labels = checked_labels(asked.labels or task.labels.get(language, ()))
    yes, no = named(model.headed.labels, ENTAILS), named(model.headed.labels, CONTRADICTS)
    pairs = [(asked.text, ABOUT[language].replace("{label}", label)) for label in labels]
    rows = model.headed.rows(pairs)
    rows_LC = model.headed.probabilities(rows)
    entailed = [math.fsum(float(row_C[place]) for place in yes) for row_C in rows_LC]
    truncated = any(row.cut for row in rows)
    if asked.multi_label:
        against = (
            [math.fsum(float(row_C[place]) for place in no) for row_C in rows_LC] if no else [1 - p for p in entailed]
        )
        each = [p / max(p + q, 1e-30) for p, q in zip(entailed, against, strict=True)]
        return several(dict(zip(labels, each, strict=True)), asked, ENTAILMENT_SOLVER.name, truncated)
    total = max(math.fsum(entailed), 1e-30)
    return one_of(
        {label: p / total for label, p in zip(labels, entailed, strict=True)}, ENTAILMENT_SOLVER.name, truncated
    )


def named(labels: Sequence[str], names: Sequence[str]) -> list[int]:
    """The places of labels that are called so, letter case aside."""
    return [place for place, label in enumerate(labels) if label.casefold() in names]


def by_nearness(model: Model, task: Task, asked: ClassificationInput) -> ClassificationOutput:
    """The label whose vector has the smallest angle with the text's.

    raises  UserError when no labels are given and the task has none, or several are to be judged each by itself
    """
    if asked.multi_label:
        raise UserError(
            "vectors say which label is nearest, not whether it fits",
            fix="leave multi_label out, or ask a model that writes or was taught entailment",
        )
    language = language_of(asked.text)
    labels = checked_labels(asked.labels or task.labels.get(language, ()))
    sentences = [ABOUT[language].replace("{label}", label) for label in labels]
    found = model.embeddings([asked.text, *sentences], normalise=True, truncate=True)
    cosines = [float(found.vectors[0] @ vector) for vector in found.vectors[1:]]
    shares = softmax([cosine / TEMPERATURE for cosine in cosines])
    return one_of(dict(zip(labels, shares, strict=True)), BY_VECTOR.name, any(found.truncated[:1]))


def one_of(probabilities: dict[str, float], solver: str, truncated: bool) -> ClassificationOutput:
    """The likeliest label."""
    best = max(probabilities, key=lambda label: probabilities[label])
    return ClassificationOutput(
        label=best, labels=(best,), probabilities=probabilities, solver=solver, truncated=truncated
    )


def several(
    probabilities: dict[str, float], asked: ClassificationInput, solver: str, truncated: bool
) -> ClassificationOutput:
    """Every label that fits, likeliest first."""
    ranked = sorted(probabilities, key=lambda label: -probabilities[label])
    least = 0.5 if asked.threshold is None else asked.threshold
    return ClassificationOutput(
        label=None, labels=tuple(label for label in ranked if probabilities[label] >= least),
        probabilities=probabilities, solver=solver, truncated=truncated,
    )  # fmt: skip


ENTAILMENT_SOLVER = Solver(
    name="entailment",
    summary="A model that was taught entailment says whether the text follows to be about each label",
    needs="entailment",
    maker="langwright finetune MODEL DATASET OUT --task entailment",
    solve=by_entailment,
)
BY_VECTOR = Solver(
    name="label-vectors",
    summary="The label is taken whose vector is nearest to that of the text",
    needs="backbone",
    maker="langwright finetune MODEL DATASET OUT --task embedding",
    solve=by_nearness,
)
