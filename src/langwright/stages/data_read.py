"""`langwright data read SOURCE... OUT`: raw files become a dataset with splits."""

from __future__ import annotations

from langwright.artifacts import Made
from langwright.data.settings import ReadSettings
from langwright.stages.declaration import Input, Stage, Work


def run(work: Work) -> Made:
    """Read, split and write; see the module."""
    from langwright.data.dataset import DatasetWriter
    from langwright.data.facts import SPLIT_NAMED, dataset_measures
    from langwright.data.reading import Reader
    from langwright.data.splitting import Splitter
    from langwright.runlog import Chosen

    settings: ReadSettings = work.settings
    reader = Reader(settings, work.log)
    with DatasetWriter(work.out, settings.schema_name) as writer:
        for row, split in Splitter(settings.split).split(reader.rows(work.sources["source"])):
            writer.write(row, split)
        facts = writer.close().model_copy(update={"dropped": dict(sorted(reader.left_out.items()))})
    values = {split: facts.splits.get(split, 0) for split in ("train", "validation", "test")}
    work.log.write(Chosen(message=SPLIT_NAMED, values=dict(values)))
    return Made(results=dataset_measures(facts, work.out.name.removesuffix(".partial"), work.command), dataset=facts)


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
