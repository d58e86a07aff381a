"""Solving by a trained head: labels or a number of a text or a pair, tags, answers that stand in a passage, choices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from langwright.tasks.solving.quote import Quote
from langwright.tasks.solving.solvers import Solver
from langwright.tasks.summarization import SummarizationInput, SummaryOutput
from langwright.tasks.tagging import Entity, TaggingInput, TaggingOutput

if TYPE_CHECKING:
    from langwright.tasks.front.headed import Headed
    from langwright.tasks.front.loading import Model


def by_head(model: Model, task: Task, asked: Any) -> TaskOutput:
    """What the head says, by what the task is taught as."""
    return all_by_head(model, task, [asked])[0]


def all_by_head(model: Model, task: Task, asked: Sequence[Any]) -> list[TaskOutput]:
    """The same of many inputs, which the model reads in batches of like length."""
    assert model.headed is not None
    return (OF_TASKS.get(task.name) or WAYS[task.lesson])(model.headed, asked)


def classify(headed: Headed, asked: ClassificationInput | PairInput) -> ClassificationOutput:
    """The label of one text or pair; see `labels_of`."""
    return labels_of(headed, [asked])[0]


def labels_of(headed: Headed, asked: Sequence[ClassificationInput | PairInput]) -> list[ClassificationOutput]:
    """The label of each text or pair; with `labels`, the likeliest among those, which must be among the head's.

    raises  UserError for a label the head does not know, or when several labels are asked for of a head that gives one
    """
    for one in asked:
        if getattr(one, "multi_label", False) and not headed.several:
            raise UserError(
                "{name} was trained to give one label a text",
                fix="leave multi_label out, or ask a model that writes: it judges each label by itself",
                name=headed.name,
            )
        for label in one.labels:
            if label not in headed.labels:
                raise unknown("label", label, headed.labels)
    said = [one.text if isinstance(one, ClassificationInput) else (one.text_a, one.text_b) for one in asked]
    rows = headed.rows(said)  # type: ignore[arg-type]
    found = []
    for one, row_C, row in zip(asked, headed.probabilities(rows), rows, strict=True):
        shares, truncated = row_C, row.cut
        if truncated and isinstance(one, ClassificationInput) and one.whole:
            shares, truncated = headed.of_parts(one.text), False
        found.append(chosen(headed, one, dict(zip(headed.labels, map(float, shares), strict=True)), truncated))
    return found


def chosen(
    headed: Headed, asked: ClassificationInput | PairInput, found: dict[str, float], truncated: bool
) -> ClassificationOutput:
    """The labels that are given, of the probability of each."""
    kept = {label: share for label, share in found.items() if label in (asked.labels or headed.labels)}
    ranked = sorted(kept, key=lambda label: -kept[label])
    if headed.several:
        least = getattr(asked, "threshold", None)
        cuts = headed.thresholds if least is None else dict.fromkeys(kept, least)
        return ClassificationOutput(
            label=None, labels=tuple(label for label in ranked if kept[label] >= cuts[label]),
            probabilities=kept, solver=HEAD.name, truncated=truncated,
        )  # fmt: skip
    total = sum(kept.values())
    return ClassificationOutput(
        label=ranked[0], labels=(ranked[0],), probabilities={label: p / total for label, p in kept.items()},
        solver=HEAD.name, truncated=truncated,
    )  # fmt: skip


def values_of(headed: Headed, asked: Sequence[RegressionInput] | Sequence[SimilarityInput]) -> list[ValueOutput]:
    """The number of each text or pair."""
    said = [one.text if isinstance(one, RegressionInput) else (one.text_a, one.text_b) for one in asked]
    rows = headed.rows(said)  # type: ignore[arg-type]
    return [
        ValueOutput(score=value, truncated=row.cut, solver=HEAD.name)
        for value, row in zip(headed.values(rows), rows, strict=True)
    ]


def tags_of(headed: Headed, asked: Sequence[TaggingInput]) -> list[TaggingOutput]:
    """The labelled stretches of each text.

    raises  UserError for a label the head does not know
    """
    known = {label.partition("-")[2] for label in headed.labels} - {""}
    for one in asked:
        for label in one.labels:
            if label not in known:
                raise unknown("label", label, known)
    return [
        TaggingOutput(
            entities=tuple(
                Entity(start=span.start, end=span.end, label=span.label, text=one.text[span.start : span.end])
                for span in spans
                if not one.labels or span.label in one.labels
            ),
            solver=HEAD.name,
        )
        for one, spans in zip(asked, headed.tag([one.text for one in asked]), strict=True)
    ]


def answers_of(headed: Headed, asked: Sequence[QaInput]) -> list[QaOutput]:
    """The stretch of each passage that answers."""
    answers = []
    if any(not one.context.strip() for one in asked):
        raise UserError(
            "{name} looks for answers in a passage, and none was given",
            fix="give it: --with TEXT on the command line, or as the field context",
            name=headed.name,
        )
    for found in headed.answer([(one.question, one.context) for one in asked]):
        start = found.start if found.text else None
        end = None if start is None else start + len(found.text)
        answers.append(QaOutput(text=found.text, start=start, end=end, score=found.score, solver=HEAD.name))
    return answers


def said_most(headed: Headed, asked: Sequence[SummarizationInput]) -> list[SummaryOutput]:
    """The sentence or clause of each text that says most."""
    summaries = []
    for one, (start, end) in zip(asked, headed.says_most([one.text for one in asked]), strict=True):
        quote = Quote.of(one.text, start, end)
        summaries.append(SummaryOutput(text=quote.text, finish_reason="stop", sentences=(quote,), solver=HEAD.name))
    return summaries


def choices_of(headed: Headed, asked: Sequence[ChoiceInput]) -> list[ChoiceOutput]:
    """The answer with the highest score to each question."""
    found = []
    for one, row in zip(asked, headed.choice_probabilities([(one.text, one.choices) for one in asked]), strict=True):
        best = int(row.argmax())
        shares = tuple(map(float, row))
        found.append(ChoiceOutput(answer=best, text=one.choices[best], probabilities=shares, solver=HEAD.name))
    return found


def happened(headed: Headed, asked: Sequence[EventsInput]) -> list[TaskOutput]:
    """The events that a tagger of triggers and roles sees in each text."""
    spans = headed.tag([one.text for one in asked])
    return [events_of(one.text, some, HEAD.name, one.types) for one, some in zip(asked, spans, strict=True)]


def related(headed: Headed, asked: Sequence[RelationInput]) -> list[RelationOutput]:
    """What holds between the things of each text; see `holding`."""
    return [holding(headed, one) for one in asked]


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


WAYS: dict[str, Callable[[Headed, Any], list[Any]]] = {
    "classification": labels_of,
    "pair": labels_of,
    "regression": values_of,
    "similarity": values_of,
    "tagging": tags_of,
    "qa": answers_of,
    "choice": choices_of,
    "relation": related,
    "summarization": said_most,
}
"""By lesson: what the head that it makes is asked."""
OF_TASKS: dict[str, Callable[[Headed, Any], list[Any]]] = {"events": happened}
"""By task, where it is not asked as its lesson is."""

HEAD = Solver(
    name="head",
    summary="A head that was trained for the task answers, with a probability where it gives labels",
    needs="head",
    maker="langwright finetune MODEL DATASET OUT --task {task}",
    solve=by_head,
    solve_all=all_by_head,
)
