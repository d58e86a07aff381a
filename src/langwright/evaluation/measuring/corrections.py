"""A model that corrects or repairs: how many mistakes it finds and mends, beside counting and doing nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from langwright.data.schemas import CorrectionRow
from langwright.evaluation.measuring.findings import MOST_SHOWN, Details, Findings, Item, Labelled
from langwright.evaluation.measuring.groups import groups_of
from langwright.evaluation.measuring.job import Job
from langwright.measures import Measure
from langwright.metrics.correcting import RECALL, RIGHT_AFTER, correction_scores, right_after
from langwright.metrics.edits import Edit, applied, edits_between
from langwright.metrics.transcription import character_errors
from langwright.metrics.yardsticks import signed
from langwright.runlog import Progressed

Corrector = Callable[[str], Sequence[Edit]]  # a text -> what to change, in order and apart
NOTHING = "nothing changed"
TABLE = "mistakes seen in training, replaced"
COUNTING = "noisy channel, counted"
SHOWN = 50


def evaluate_corrections(corrector: Corrector, task: str, name: str, job: Job) -> Findings:
    """Correct every row and compare.

    task  the name of what is done, correction or repair
    name  what the model is called in measures
    """
    rows = [row for row in job.rows if isinstance(row, CorrectionRow)]
    made = corrected(corrector, rows, job)
    right = [edits_between(row.text, row.correction) for row in rows]
    measures = list(scores_of(made, rows, right, job.settings.seed))
    for group, places in groups_of(rows, job.settings.groups):
        some = [made[place] for place in places], [right[place] for place in places]
        measures += signed(correction_scores(*some, seed=job.settings.seed), data=job.named(group))
    if job.settings.baselines:
        measures += beside(rows, right, job)
    wrong = [
        Labelled(text=row.text, right=row.correction, predicted=applied(row.text, edits))
        for row, edits in zip(rows, made, strict=True)
        if applied(row.text, edits) != row.correction
    ]
    details = Details(task=task, rows=len(rows), mistakes=tuple(wrong[:SHOWN]))
    return Findings(tuple(measures), details, tuple(items_of(made, rows, right, job)))


def items_of(
    made: Sequence[Sequence[Edit]], rows: Sequence[CorrectionRow], right: Sequence[Sequence[Edit]], job: Job
) -> Iterator[Item]:
    """Each text with what came out, whether that is right, and how many of its mistakes were corrected."""
    for key, row, edits, wanted in zip(job.names, rows, made, right, strict=True):
        text = applied(row.text, edits)
        hits = len(set(edits) & set(wanted))
        yield Item(
            data=job.named(), name=key, asked=row.text[:MOST_SHOWN], right=row.correction[:MOST_SHOWN], said=text[:MOST_SHOWN],
            marks={
                RIGHT_AFTER.name: (float(text == row.correction), 1.0), RECALL.name: (float(hits), float(len(wanted))),
            },
        )  # fmt: skip


def corrected(corrector: Corrector, rows: Sequence[CorrectionRow], job: Job) -> list[Sequence[Edit]]:
    """The edits of each row."""
    made = []
    for number, row in enumerate(rows, start=1):
        made.append(corrector(row.text))
        job.log.write(Progressed(what="correcting texts", done=number, total=len(rows)))
    return made


def scores_of(
    made: Sequence[Sequence[Edit]], rows: Sequence[CorrectionRow], right: Sequence[Sequence[Edit]], seed: int
) -> Iterator[Measure]:
    """All measures of corrections, and the character error rate of what comes out."""
    yield from correction_scores(made, right, seed=seed)
    texts = [applied(row.text, edits) for row, edits in zip(rows, made, strict=True)]
    yield right_after(texts, [row.correction for row in rows])
    yield character_errors(texts, [row.correction for row in rows], seed=seed)


def beside(rows: Sequence[CorrectionRow], right: Sequence[Sequence[Edit]], job: Job) -> Iterator[Measure]:
    """Doing nothing; and, learned from the train split, a table of mistakes and a noisy channel."""
    seed = job.settings.seed
    yield from signed(tuple(scores_of([()] * len(rows), rows, right, seed)), model=NOTHING)
    if not job.can_learn:
        return
    from langwright.tasks.correcting.counting import learned

    counted = learned(job.dataset)
    tabled = corrected(counted.from_table, rows, job)
    yield from signed(tuple(scores_of(tabled, rows, right, seed)), model=TABLE)
    channelled = corrected(lambda text: [one.edit for one in counted.correct(text)], rows, job)
    yield from signed(tuple(scores_of(channelled, rows, right, seed)), model=COUNTING)
