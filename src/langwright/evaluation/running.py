"""Measure a model on a dataset, by what the dataset holds and what is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from langwright.data.dataset import Dataset
from langwright.errors import UserError
from langwright.evaluation.measuring.chat import evaluate_chat
from langwright.evaluation.measuring.coding import evaluate_code
from langwright.evaluation.measuring.corrections import evaluate_corrections
from langwright.evaluation.measuring.findings import Findings
from langwright.evaluation.measuring.job import Job
from langwright.evaluation.measuring.labels import Attacker, Predictor, evaluate_labels
from langwright.evaluation.measuring.sampling import split_of
from langwright.evaluation.measuring.several import evaluate_several, has_several, labels_in
from langwright.evaluation.measuring.solved import SolveAll, evaluate_solved
from langwright.evaluation.measuring.text import evaluate_text
from langwright.evaluation.settings import EvaluateSettings
from langwright.inference.protocol import Sampling
from langwright.inference.texts.text import TextModel
from langwright.measures import Calibration
from langwright.metrics.edits import Edit
from langwright.metrics.yardsticks import signed
from langwright.runlog import RunLog
from langwright.tasks import TASKS
from langwright.tasks.correction import CorrectionOutput
from langwright.tasks.declaration import Task, TaskInput, TaskOutput

Solve = Callable[[str, TaskInput], TaskOutput]
BY_SCHEMA: dict[str, str] = {
    "chat": "chat", "classification": "classification", "pair": "pair", "regression": "regression", "tagging": "tagging",
    "qa": "qa", "choice": "choice", "translation": "translation", "summary": "summarization", "correction": "correction",
    "code": "code",
}  # fmt: skip
"""What rows of a schema are asked where nothing else is said; all others are running text."""
FIRST = ("chat", "classification", "correction", "code")  # measured in these rows whatever the model is


def task_for(dataset: Dataset, settings: EvaluateSettings, taught: Sequence[str] = ()) -> str:
    """What will be measured: what the settings say, else what the dataset's rows are.

    taught  tasks of such rows that the model was taught; rows of other tasks are measured as running text
    raises  UserError when the rows cannot serve the task; every row can serve as running text
    """
    usual = BY_SCHEMA.get(dataset.schema_name, "text")
    if settings.task == "auto":
        of_rows = [task for task in taught if task in TASKS and TASKS[task].dataset == dataset.schema_name]
        return usual if usual in FIRST else next(iter(of_rows), "text")
    if settings.task != "text" and TASKS[settings.task].dataset != dataset.schema_name:
        raise UserError(
            "{path} holds rows of schema {schema}, which cannot serve the task {task}",
            fix="read the source again with `langwright data read --schema {wanted}`, or leave the task out",
            path=dataset.path,
            schema=dataset.schema_name,
            task=settings.task,
            wanted=TASKS[settings.task].dataset,
        )
    return settings.task


def evaluate(
    dataset: Dataset,
    settings: EvaluateSettings,
    *,
    name: str,
    writer: Callable[[], TextModel],
    predictor: Callable[[tuple[str, ...]], Predictor],
    several: Callable[[tuple[str, ...]], Predictor] | None = None,
    attacker: Attacker | None = None,
    solve: Solve | None = None,
    calibration: Calibration | None = None,
    many: Callable[[str], SolveAll] | None = None,
    taught: Sequence[str] = (),
    log: RunLog | None = None,
    command: str = "",
) -> Findings:
    """Measure one model on one split of a dataset.

    name       what the model is called in measures
    writer     opens the model as one that writes; asked only for the tasks text and chat
    predictor  opens the model as one that labels, given the labels of the train split, or of the rows measured
               where there is none; asked only for classification
    several    like predictor, for rows that may have several labels each; such rows are refused without it
    solve      does any task by its name; asked only for correction and code
    calibration  how the head's logits become confidences, where that was fitted
    attacker   labels texts under attack, where the model has a head
    many       opens the model as one that does a task of this name; asked only for tasks other than those above
    taught     tasks that the model was taught, of which auto takes the one that fits the rows
    command    what measures it again, written into each measure
    raises     UserError when the dataset has no such split or rows, or cannot serve the task
    """
    job = Job(dataset, split_of(dataset, settings.split), settings, log or RunLog(None))
    task = task_for(dataset, settings, taught)
    if task == "text":
        found = evaluate_text(writer(), job)
    elif task == "chat":
        found = evaluate_chat(writer(), job)
    elif TASKS[task].dataset == "correction" and solve:
        found = evaluate_corrections(partial(edits_of, solve, TASKS[task], settings.max_new_tokens), task, name, job)
    elif task == "code" and solve:
        found = evaluate_code(lambda asked: solve("code", asked), name, job)  # type: ignore[arg-type, return-value]
    elif TASKS[task].lesson != "classification":
        assert many is not None  # the stage always gives one
        found = evaluate_solved(TASKS[task], many(task), name, job)
    elif several and has_several(job.rows):
        known = "train" if "train" in dataset.splits else job.split
        found = evaluate_several(several(labels_in(list(dataset.rows(known)))), name, job)
    else:
        known = "train" if "train" in dataset.splits else job.split
        labels = tuple(sorted(set(dataset.labels(known))))
        found = evaluate_labels(predictor(labels), name, job, attacker, calibration)
    return replace(found, measures=signed(found.measures, model=name, data=job.named(), command=command))


def edits_of(solve: Solve, task: Task, most: int, text: str) -> tuple[Edit, ...]:
    """What a model changes in a text by a task that mends, where it writes in at most so many tokens."""
    asked = {"text": text, "sampling": Sampling(max_new_tokens=most)}
    made = solve(task.name, task.input.model_validate(asked))
    assert isinstance(made, CorrectionOutput)
    return tuple(Edit(one.start, one.end, one.replacement) for one in made.edits)
