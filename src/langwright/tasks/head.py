"""Solving by a trained head: labels or a number of a text or a pair, tags, answers that stand in a passage, choices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from langwright.errors import UserError, unknown
from langwright.tasks.choice import ChoiceInput, ChoiceOutput
from langwright.tasks.classification import ClassificationInput, ClassificationOutput
from langwright.tasks.declaration import Task, TaskOutput
from langwright.tasks.events import EventsInput, events_of
from langwright.tasks.pair import PairInput
from langwright.tasks.qa import QaInput, QaOutput
from langwright.tasks.regression import RegressionInput, ValueOutput
from langwright.tasks.relation import NONE, Relation, RelationInput, RelationOutput, marked, pairs_of
from langwright.tasks.similarity import SimilarityInput
from langwright.tasks.solvers import Solver
from langwright.tasks.tagging import Entity, TaggingInput, TaggingOutput

if TYPE_CHECKING:
    from langwright.tasks.headed import Headed
    from langwright.tasks.loading import Model


def by_head(model: Model, task: Task, asked: Any) -> TaskOutput:
    """What the head says, by what the task is taught as."""
    assert model.headed is not None
    return (OF_TASKS.get(task.name) or WAYS[task.lesson])(model.headed, asked)


def classify(headed: Headed, asked: ClassificationInput | PairInput) -> ClassificationOutput:
    """The label of a text or a pair; with `labels`, the likeliest among those, which must be among the head's.

    raises  UserError for a label the head does not know, or when several labels are asked for of a head that gives one
    """
    if getattr(asked, "multi_label", False) and not headed.several:
        raise UserError(
            "{name} was trained to give one label a text",
            fix="leave multi_label out, or ask a model that writes: it judges each label by itself",
            name=headed.name,
        )
    for label in asked.labels:
        if label not in headed.labels:
            raise unknown("label", label, headed.labels)
    said = asked.text if isinstance(asked, ClassificationInput) else (asked.text_a, asked.text_b)
    truncated = headed.truncates(said)
    if truncated and getattr(asked, "whole", False):
        row_C, truncated = headed.of_parts(asked.text), False
    else:
        row_C = headed.probabilities([said])[0]  # type: ignore[arg-type]
    kept = {
        label: float(p)
        for label, p in zip(headed.labels, row_C, strict=True)
        if label in (asked.labels or headed.labels)
    }
    ranked = sorted(kept, key=lambda label: -kept[label])
    if headed.several:
        threshold = getattr(asked, "threshold", 0.5)
        return ClassificationOutput(
            label=None, labels=tuple(label for label in ranked if kept[label] >= threshold),
            probabilities=kept, solver=HEAD.name, truncated=truncated,
        )  # fmt: skip
    total = sum(kept.values())
    return ClassificationOutput(
        label=ranked[0], labels=(ranked[0],), probabilities={label: p / total for label, p in kept.items()},
        solver=HEAD.name, truncated=truncated,
    )  # fmt: skip


def value_of(headed: Headed, asked: RegressionInput | SimilarityInput) -> ValueOutput:
    """The number of a text or a pair."""
    said = asked.text if isinstance(asked, RegressionInput) else (asked.text_a, asked.text_b)
    (value,) = headed.values([said])  # type: ignore[arg-type]
    return ValueOutput(score=value, truncated=headed.truncates(said), solver=HEAD.name)


def tags_of(headed: Headed, asked: TaggingInput) -> TaggingOutput:
    """The labelled stretches of a text.

    raises  UserError for a label the head does not know
    """
    known = {label.partition("-")[2] for label in headed.labels} - {""}
    for label in asked.labels:
        if label not in known:
            raise unknown("label", label, known)
    (spans,) = headed.tag([asked.text])
    return TaggingOutput(
        entities=tuple(
            Entity(start=span.start, end=span.end, label=span.label, text=asked.text[span.start : span.end])
            for span in spans
            if not asked.labels or span.label in asked.labels
        ),
        solver=HEAD.name,
    )


def answer_of(headed: Headed, asked: QaInput) -> QaOutput:
    """The stretch of the passage that answers."""
    (found,) = headed.answer([(asked.question, asked.context)])
    start = found.start if found.text else None
    end = None if start is None else start + len(found.text)
    return QaOutput(text=found.text, start=start, end=end, score=found.score, solver=HEAD.name)


def choice_of(headed: Headed, asked: ChoiceInput) -> ChoiceOutput:
    """The answer with the highest score."""
    (row,) = headed.choice_probabilities([(asked.text, asked.choices)])
    best = int(row.argmax())
    return ChoiceOutput(
        answer=best, text=asked.choices[best], probabilities=tuple(map(float, row)), solver=HEAD.name
    )  # fmt: skip


def happened(headed: Headed, asked: EventsInput) -> TaskOutput:
    """The events that a tagger of triggers and roles sees."""
    (spans,) = headed.tag([asked.text])
    return events_of(asked.text, spans, HEAD.name, asked.types)


def holding(headed: Headed, asked: RelationInput) -> RelationOutput:
    """What holds between each ordered pair of things; pairs of which no relation holds are left out.

    raises  UserError for a label the head does not know, or things that do not stand in the text
    """
    for label in asked.labels:
        if label not in headed.labels:
            raise unknown("label", label, headed.labels)
    pairs = pairs_of(asked)
    texts = [marked(asked.text, (one.start, one.end), (other.start, other.end)) for one, other in pairs]
    found = []
    for (one, other), row_C in zip(pairs, headed.probabilities(texts) if texts else (), strict=True):
        label, probability = headed.labels[int(row_C.argmax())], float(row_C.max())
        if label.casefold() not in NONE and (not asked.labels or label in asked.labels):
            found.append(Relation(first=one, second=other, label=label, probability=probability))
    return RelationOutput(relations=tuple(found), solver=HEAD.name)


WAYS: dict[str, Callable[[Headed, Any], TaskOutput]] = {
    "classification": classify,
    "pair": classify,
    "regression": value_of,
    "similarity": value_of,
    "tagging": tags_of,
    "qa": answer_of,
    "choice": choice_of,
    "relation": holding,
}
"""By lesson: what the head that it makes is asked."""
OF_TASKS: dict[str, Callable[[Headed, Any], TaskOutput]] = {"events": happened}
"""By task, where it is not asked as its lesson is."""

HEAD = Solver(
    name="head",
    summary="A head that was trained for the task answers, with a probability where it gives labels",
    needs="head",
    maker="langwright finetune MODEL DATASET OUT --task {task}",
    solve=by_head,
)
