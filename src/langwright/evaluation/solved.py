"""A model that does a task, on rows of its dataset: the task's measures, its simple methods, and the paired difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from langwright.data.schemas import PairRow, TranslationRow
from langwright.evaluation import paired, simple
from langwright.evaluation.baselines import MINUS
from langwright.evaluation.findings import Details, Findings, Labelled
from langwright.evaluation.groups import groups_of
from langwright.evaluation.job import TEXTS_AT_ONCE, Job
from langwright.evaluation.paired import Apart, all_of, by_row, by_target
from langwright.evaluation.sampling import blocks, evenly
from langwright.measures import Measure
from langwright.metrics.answers import ANSWER_F1, EXACT_MATCH, answer_f1, answer_scores, matches
from langwright.metrics.classification import accuracy, f1
from langwright.metrics.label_rates import rates
from langwright.metrics.rouge import rouge, rouge_scores
from langwright.metrics.sets import entity_scores
from langwright.metrics.translation import translation_score
from langwright.metrics.values import ABSOLUTE_ERROR, value_scores
from langwright.metrics.yardsticks import signed
from langwright.runlog import Progressed
from langwright.tasks.declaration import Task, TaskInput, TaskOutput

SolveAll = Callable[[Sequence[TaskInput]], Sequence[TaskOutput]]
MISTAKES = 50


@dataclass(frozen=True)
class Kind:
    """How tasks that are taught alike are measured.

    said     what of an output is compared
    right    what of a row it is compared with
    score    (said, right, rows, seed) -> measures
    simple   (train rows, rows) -> names and answers of simple methods
    apart    how far the model is from a simple method on the same rows
    item     (said, right) -> how good one answer is, 1 being best; answers below that are shown as mistakes
    """

    said: Callable[[Any], Any]
    right: Callable[[Any], Any]
    score: Callable[[Sequence[Any], Sequence[Any], Sequence[Any], int], Iterator[Measure]]
    simple: Callable[[Sequence[Any], Sequence[Any]], simple.Found]
    apart: Apart
    item: Callable[[Any, Any], float] | None = None


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
    """F1, precision and recall of whole spans."""
    yield from entity_scores(said, right, seed=seed)


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


def error(said: float, right: float) -> float:
    """How far a number is off."""
    return abs(said - right)


OF_LABELS = by_row("accuracy", equal)
OF_NUMBERS = by_row(ABSOLUTE_ERROR.name, error, ABSOLUTE_ERROR.unit)
OF_ANSWERS = all_of(by_row(EXACT_MATCH.name, matches), by_row(ANSWER_F1.name, answer_f1))

KINDS: dict[str, Kind] = {
    "pair": Kind(lambda out: out.label, lambda row: row.label, of_labels, simple.of_pairs, OF_LABELS, equal),
    "choice": Kind(lambda out: out.answer, lambda row: row.answer, of_places, simple.of_choices, OF_LABELS, equal),
    "similarity": Kind(lambda out: out.score, lambda row: row.score, of_values, simple.of_similarities, OF_NUMBERS),
    "regression": Kind(lambda out: out.score, lambda row: row.score, of_values, simple.of_values, OF_NUMBERS),
    "tagging": Kind(
        lambda out: {(one.start, one.end, one.label) for one in out.entities}, spans_of, of_spans, simple.of_tags,
        paired.of_spans,
    ),
    "qa": Kind(
        lambda out: out.text, lambda row: [answer.text for answer in row.answers], of_answers, simple.of_questions,
        OF_ANSWERS, matches,
    ),
    "summarization": Kind(
        lambda out: out.text, lambda row: row.summary, of_summaries, simple.of_summaries,
        all_of(by_row("ROUGE-1", rouge_one), by_row("ROUGE-L", rouge_l)), rouge_l,
    ),
    "translation": Kind(
        lambda out: out.text, lambda row: row.translation, of_translations, simple.of_translations,
        paired.of_translations,
    ),
}  # fmt: skip
"""By lesson."""


def lesson_for(task: Task, rows: Sequence[Any]) -> str:
    """How a task is measured on these rows: a pair with a number as one of similarity."""
    scored = task.lesson == "pair" and all(isinstance(row, PairRow) and row.score is not None for row in rows)
    return "similarity" if scored else task.lesson


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
    kind, seed = KINDS[lesson_for(task, job.rows)], job.settings.seed
    outputs: list[TaskOutput] = []
    for block in blocks(job.rows, TEXTS_AT_ONCE * 2):
        outputs += solve([bounded(task.ask(row), job.settings.max_new_tokens) for row in block])
        job.log.write(Progressed(what="solving tasks", done=len(outputs), total=len(job.rows)))
    said, right = [kind.said(one) for one in outputs], [kind.right(row) for row in job.rows]
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
    return Findings(tuple(measures), Details(task=task.name, rows=len(job.rows), mistakes=tuple(wrong[:MISTAKES])))


def beside(kind: Kind, said: Sequence[Any], right: Sequence[Any], name: str, job: Job) -> Iterator[Measure]:
    """The same of simple methods, and how far the model is from each on the same rows."""
    seed = job.settings.seed
    train = list(evenly(job.dataset.rows("train"), job.train_share))
    for other, answers in kind.simple(train, job.rows):
        yield from signed(list(kind.score(answers, right, job.rows, seed)), model=other)
        yield from signed(list(kind.apart(said, answers, right, job.rows, seed)), model=name + MINUS + other)
