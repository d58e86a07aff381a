"""A model that does a task, on rows of its dataset: the task's measures, its simple methods, and the paired difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langwright.data.dataset import text_of
from langwright.data.schemas import PairRow, RelationRow, TranslationRow
from langwright.evaluation.baselines import paired
from langwright.evaluation.baselines import tasks as simple
from langwright.evaluation.baselines.language import MINUS
from langwright.evaluation.baselines.paired import Apart, all_of, by_row, by_target
from langwright.evaluation.measuring.findings import MOST_SHOWN, Details, Findings, Item, Labelled
from langwright.evaluation.measuring.groups import groups_of
from langwright.evaluation.measuring.job import TEXTS_AT_ONCE, Job
from langwright.evaluation.measuring.sampling import blocks, evenly
from langwright.measures import Measure
from langwright.metrics.answers import ANSWER_F1, EXACT_MATCH, answer_f1, answer_scores, matches
from langwright.metrics.classification import accuracy, f1
from langwright.metrics.label_rates import rates
from langwright.metrics.rouge import rouge, rouge_scores
from langwright.metrics.sets import ALL_RIGHT, RECALL, all_right, entity_scores
from langwright.metrics.translation import counted, translation_score
from langwright.metrics.values import ABSOLUTE_ERROR, value_scores
from langwright.metrics.yardsticks import signed
from langwright.runlog import Progressed
from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.tasks.events import ROLE, EventsOutput
from langwright.tasks.relation import NONE, RelationOutput

SolveAll = Callable[[Sequence[TaskInput]], Sequence[TaskOutput]]
MISTAKES = 50


@dataclass(frozen=True)
class Kind:
    """How tasks that are taught alike are measured.

    said     what of an output, given for a row, is compared
    right    what of a row it is compared with
    score    (said, right, rows, seed) -> measures
    simple   (train rows, rows) -> names and answers of simple methods
    apart    how far the model is from a simple method on the same rows
    item     (said, right) -> how good one answer is, 1 being best; answers below that are shown as mistakes
    marks    (said, right, row) -> what two models are compared in on one row
    """

    said: Callable[[Any, Any], Any]
    right: Callable[[Any], Any]
    score: Callable[[Sequence[Any], Sequence[Any], Sequence[Any], int], Iterator[Measure]]
    simple: Callable[[Sequence[Any], Sequence[Any]], simple.Found]
    apart: Apart
    item: Callable[[Any, Any], float] | None = None
    marks: Callable[[Any, Any, Any], Mapping[str, tuple[float, float]]] = lambda said, right, row: {}


def of_labels(said: Sequence[str], right: Sequence[str], rows: Sequence[Any], seed: int) -> Iterator[Measure]:
    """Accuracy, F1 and rates of labels."""
    yield accuracy(said, right)
    yield from f1(said, right, seed=seed)
    yield from rates(said, right, seed=seed)


def of_places(said: Sequence[int], right: Sequence[int], rows: Sequence[Any], seed: int) -> Iterator[Measure]:
    """Share of questions whose right answer was chosen."""
    yield accuracy(list(map(str, said)), list(map(str, right)))


def of_values(said: Sequence[float], right: Sequence[float], rows: Sequence[Any], seed: int) -> Iterator[Measure]:
    """Distance from the right numbers, and their order."""
    yield from value_scores(said, right, seed=seed)


def of_spans(said: Sequence[Any], right: Sequence[Any], rows: Sequence[Any], seed: int) -> Iterator[Measure]:
    """F1, precision and recall of whole spans, and the share of texts without any mistake."""
    yield from entity_scores(said, right, seed=seed)
    yield all_right(said, right)


def of_answers(
    said: Sequence[str], right: Sequence[Sequence[str]], rows: Sequence[Any], seed: int
) -> Iterator[Measure]:
    """Exact match and F1 of answers."""
    yield from answer_scores(said, right, seed=seed)


def of_summaries(said: Sequence[str], right: Sequence[str], rows: Sequence[Any], seed: int) -> Iterator[Measure]:
    """ROUGE."""
    yield from rouge_scores(said, [[one] for one in right], seed=seed)


def of_translations(
    said: Sequence[str], right: Sequence[str], rows: Sequence[TranslationRow], seed: int
) -> Iterator[Measure]:
    """BLEU, chrF and TER, of each language that was translated to by itself: they cut it into words each in its way."""
    groups = by_target(rows)
    for target, places in groups:
        some, true = [said[place] for place in places], [[right[place]] for place in places]
        found = [translation_score(kind, some, true, target, seed=seed) for kind in ("BLEU", "chrF", "TER")]
        yield from signed(found, data=f"→{target}") if len(groups) > 1 else found


def rouge_l(said: str, right: str) -> float:
    """F1 of ROUGE-L of one text."""
    return rouge(said, [right])["L"].f1


def rouge_one(said: str, right: str) -> float:
    """F1 of ROUGE-1 of one text."""
    return rouge(said, [right])["1"].f1


def equal(said: object, right: object) -> float:
    """1 where both are the same."""
    return float(said == right)


def spans_of(row: Any) -> set[tuple[int, int, str]]:
    """A row's spans."""
    return {(span.start, span.end, span.label) for span in row.spans}


def held(out: RelationOutput, row: RelationRow) -> str:
    """What an output says of the two things of a row, in the row's order; NOTHING where it says that nothing holds."""
    asked = row.text[row.first_start : row.first_end], row.text[row.second_start : row.second_end]
    found = (one.label for one in out.relations if (one.first.text, one.second.text) == asked)
    return next(found, NOTHING)


def holds(row: RelationRow) -> str:
    """The label of a row, all those that say that nothing holds as one."""
    return NOTHING if row.label.casefold() in NONE else row.label


def stretches(out: EventsOutput, row: Any) -> set[tuple[int, int, str]]:
    """Triggers and participants of events, labelled as in the rows that they are learned from."""
    found = {(one.trigger.start, one.trigger.end, one.type) for one in out.events}
    found |= {
        (part.quote.start, part.quote.end, f"{one.type}{ROLE}{part.role}")
        for one in out.events
        for part in one.participants
    }
    return found | {(part.quote.start, part.quote.end, part.role) for part in out.alone}


def recalled(said: set[Any], right: set[Any], row: Any) -> dict[str, tuple[float, float]]:
    """Whether all spans of a text were named and nothing else, and how many were."""
    return {ALL_RIGHT.name: (equal(said, right), 1.0), RECALL.name: (float(len(said & right)), float(len(right)))}


def alike(said: str, right: str, row: TranslationRow) -> dict[str, tuple[float, float]]:
    """chrF of one translation; the chrF of a whole text counts all of it together."""
    found = counted("chrF", [said], [[right]], row.target_language)
    return {"chrF of a sentence": (float(found.score(found.counts_NK)[0]), 1.0)}


def marking(*names_and_scores: tuple[str, Callable[[Any, Any], float]]) -> Callable[[Any, Any, Any], dict[str, tuple[float, float]]]:  # fmt: skip
    """Marks that are means over rows, by name."""
    return lambda said, right, row: {name: (float(score(said, right)), 1.0) for name, score in names_and_scores}


def error(said: float, right: float) -> float:
    """How far a number is off."""
    return abs(said - right)


OF_LABELS = by_row("accuracy", equal)
OF_NUMBERS = by_row(ABSOLUTE_ERROR.name, error, ABSOLUTE_ERROR.unit)
OF_ANSWERS = all_of(by_row(EXACT_MATCH.name, matches), by_row(ANSWER_F1.name, answer_f1))

NOTHING = "none"
HITS = marking(("accuracy", equal))
OFF = marking((ABSOLUTE_ERROR.name, error))
SPANS = Kind(
    lambda out, row: {(one.start, one.end, one.label) for one in out.entities}, spans_of, of_spans, simple.of_tags,
    paired.of_spans, equal, recalled,
)  # fmt: skip
KINDS: dict[str, Kind] = {
    "pair": Kind(lambda out, row: out.label, lambda row: row.label, of_labels, simple.of_pairs, OF_LABELS, equal, HITS),
    "relation": Kind(held, holds, of_labels, simple.of_relations, OF_LABELS, equal, HITS),
    "choice": Kind(
        lambda out, row: out.answer, lambda row: row.answer, of_places, simple.of_choices, OF_LABELS, equal, HITS
    ),
    "similarity": Kind(
        lambda out, row: out.score, lambda row: row.score, of_values, simple.of_similarities, OF_NUMBERS, marks=OFF
    ),
    "regression": Kind(lambda out, row: out.score, lambda row: row.score, of_values, simple.of_values, OF_NUMBERS, marks=OFF),
    "tagging": SPANS,
    "events": replace(SPANS, said=stretches),
    "qa": Kind(
        lambda out, row: out.text, lambda row: [answer.text for answer in row.answers], of_answers, simple.of_questions,
        OF_ANSWERS, matches, marking((EXACT_MATCH.name, matches), (ANSWER_F1.name, answer_f1)),
    ),
    "summarization": Kind(
        lambda out, row: out.text, lambda row: row.summary, of_summaries, simple.of_summaries,
        all_of(by_row("ROUGE-1", rouge_one), by_row("ROUGE-L", rouge_l)), rouge_l,
        marking(("ROUGE-L", rouge_l), ("ROUGE-1", rouge_one)),
    ),
    "translation": Kind(
        lambda out, row: out.text, lambda row: row.translation, of_translations, simple.of_translations,
        paired.of_translations, marks=alike,
    ),
}  # fmt: skip
"""By lesson, and by task where it is measured otherwise than its lesson."""


def kind_for(task: Task, rows: Sequence[Any]) -> Kind:
    """How a task is measured on these rows: a pair with a number as one of similarity."""
    scored = task.lesson == "pair" and all(isinstance(row, PairRow) and row.score is not None for row in rows)
    return KINDS["similarity" if scored else task.name if task.name in KINDS else task.lesson]


def bounded(asked: TaskInput, most: int) -> TaskInput:
    """What is asked, with at most so many tokens to write where something is written."""
    from langwright.inference.protocol import Sampling

    if getattr(asked, "sampling", asked) is not None:  # nothing is written, or it is told how
        return asked
    return asked.model_copy(update={"sampling": Sampling(max_new_tokens=most)})


def evaluate_solved(task: Task, solve: SolveAll, name: str, job: Job) -> Findings:
    """Do the task on every row and compare.

    solve  inputs -> outputs
    name   what the model is called in measures
    """
    assert task.ask is not None
    kind, seed = kind_for(task, job.rows), job.settings.seed
    outputs: list[TaskOutput] = []
    for block in blocks(job.rows, TEXTS_AT_ONCE * 2):
        outputs += solve([bounded(task.ask(row), job.settings.max_new_tokens) for row in block])
        job.log.write(Progressed(what="solving tasks", done=len(outputs), total=len(job.rows)))
    said = [kind.said(one, row) for one, row in zip(outputs, job.rows, strict=True)]
    right = [kind.right(row) for row in job.rows]
    measures = list(kind.score(said, right, job.rows, seed))
    for group, places in groups_of(job.rows, job.settings.groups):
        some = [job.rows[place] for place in places]
        if len(some) > 1:
            scored = kind.score([said[place] for place in places], [right[place] for place in places], some, seed)
            measures += signed(list(scored)[:1], data=job.named(group))
    if job.can_learn:
        measures += list(beside(kind, said, right, name, job))
    wrong = [
        Labelled(text=str(task.ask(row))[:300], right=str(true), predicted=str(one))
        for row, one, true in zip(job.rows, said, right, strict=True)
        if kind.item is not None and kind.item(one, true) < 1
    ]
    details = Details(task=task.name, rows=len(job.rows), mistakes=tuple(wrong[:MISTAKES]))
    return Findings(tuple(measures), details, tuple(items_of(kind, said, right, job)))


def items_of(kind: Kind, said: Sequence[Any], right: Sequence[Any], job: Job) -> Iterator[Item]:
    """Each row with what was said of it and its marks."""
    for name, row, one, true in zip(job.names, job.rows, said, right, strict=True):
        yield Item(
            data=job.named(), name=name, asked=text_of(row)[:MOST_SHOWN], right=shown(true), said=shown(one),
            marks=dict(kind.marks(one, true, row)),
        )  # fmt: skip


def shown(answer: Any) -> str:
    """An answer for a person: several in their order, one after the other."""
    several = sorted(map(str, answer)) if isinstance(answer, (set, list)) else [str(answer)]
    return "; ".join(several)[:MOST_SHOWN]


def beside(kind: Kind, said: Sequence[Any], right: Sequence[Any], name: str, job: Job) -> Iterator[Measure]:
    """The same of simple methods, and how far the model is from each on the same rows."""
    seed = job.settings.seed
    train = list(evenly(job.dataset.rows("train"), job.train_share))
    for other, answers in kind.simple(train, job.rows):
        yield from signed(list(kind.score(answers, right, job.rows, seed)), model=other)
        yield from signed(list(kind.apart(said, answers, right, job.rows, seed)), model=name + MINUS + other)
