"""`langwright data read SOURCE... OUT`: raw files become a dataset with splits."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from langwright.artifacts import Made
from langwright.data.settings import ReadSettings
from langwright.errors import UserError, unknown
from langwright.runlog import RunLog
from langwright.stages.declaration import Input, Stage, Work
from langwright.tasks import TASKS
from langwright.tasks.declaration import Task

if TYPE_CHECKING:
    from langwright.data.reading import Reader
    from langwright.data.records import Record

NOT_TAUGHT = "it does not teach the task"


def run(work: Work) -> Made:
    """Read, split and write; see the module."""
    from langwright.data.dataset import DatasetWriter
    from langwright.data.facts import SPLIT_NAMED, dataset_measures
    from langwright.data.splitting import Splitter
    from langwright.runlog import Chosen

    reader = reader_of(work.settings, work.log)
    settings = reader.settings
    with DatasetWriter(work.out, settings.schema_name) as writer:
        for row, split in Splitter(settings.split).split(reader.rows(work.sources["source"])):
            writer.write(row, split)
        facts = writer.close().model_copy(update={"dropped": dict(sorted(reader.left_out.items()))})
    values = {split: facts.splits.get(split, 0) for split in ("train", "validation", "test")}
    work.log.write(Chosen(message=SPLIT_NAMED, values=dict(values)))
    return Made(results=dataset_measures(facts, work.out.name.removesuffix(".partial"), work.command), dataset=facts)


def reader_of(settings: ReadSettings, log: RunLog) -> Reader:
    """What reads as the settings say.

    raises  UserError for a task that is unknown, or has rows of a schema of its own
    """
    from langwright.data.reading import Reader
    from langwright.tasks.front.dictation import WRITTEN

    if settings.task is None:
        return Reader(settings, log)
    if settings.task not in TASKS:
        raise unknown("task", settings.task, TASKS)
    task = TASKS[settings.task]
    wanted = task.dataset or "chat"
    if task.dataset or settings.schema_name not in ("chat", "text"):
        raise UserError(
            "{task} is learned from rows of schema {schema}",
            fix="read them with --schema {schema}, and leave task out" if task.dataset else "leave --schema out",
            task=task.name, schema=wanted,
        )  # fmt: skip
    columns = frozenset({*task.input.model_fields, WRITTEN})
    return Reader(settings.model_copy(update={"schema_name": wanted}), log, partial(conversed, task), columns)


def conversed(task: Task, record: Record) -> Iterator[Record]:
    """An input of a task with what should be written, as the conversations that teach a model to."""
    from langwright.data.reading import ROW_COLUMNS
    from langwright.data.records import Record
    from langwright.tasks.front.dictation import conversations

    if record.problem:
        yield record
        return
    about = {name: value for name, value in record.values.items() if name in ROW_COLUMNS}
    fields = {
        name: value for name, value in record.values.items() if name in task.input.model_fields or name not in about
    }
    try:
        rows = conversations(task, {name: value for name, value in fields.items() if value is not None})
    except UserError as error:
        yield Record(record.row, problem=NOT_TAUGHT, detail=error.problem())
        return
    for number, row in enumerate(rows):
        named = {"id": f"{about['id']}.{number}"} if number and about.get("id") else {}
        yield Record(record.row, {**about, **named, **row.model_dump(mode="json", include={"messages", "expect"})})


STAGE = Stage(
    name="data-read",
    version=1,
    summary="Read files and folders into a dataset with train and validation rows",
    settings=ReadSettings,
    inputs=(Input("source", "source", "Files or folders: text, code, JSONL, JSON, CSV, TSV, Parquet", many=True),),
    makes="dataset",
    run=run,
    next="langwright data clean {out} {out}-clean",
    options={
        "schema": "schema_name",
        "task": "task",
        "unit": "unit",
        "encoding": "encoding",
        "language": "language",
        "licence": "licence",
        "exclude": "exclude",
        "columns": "columns",
        "validation": "split.validation",
        "skip-bad": "skip_bad",
    },
)
