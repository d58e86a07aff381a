"""`langwright data clean DATASET OUT`: drop duplicates and what is no good text; every drop is counted by its rule."""

from __future__ import annotations

from langwright.artifacts import Made
from langwright.data.settings import CleanSettings
from langwright.errors import UserError
from langwright.stages.declaration import Input, Stage, Work
from langwright.wording import Term


def run(work: Work) -> Made:
    """Go through all rows, write those that are kept, and `drops.json`; see the module."""
    from langwright.data.cleaning import Cleaner
    from langwright.data.dataset import DatasetWriter, open_dataset
    from langwright.data.facts import cleaning_measures
    from langwright.files import write_whole

    dataset = open_dataset(work.one("dataset").path)
    cleaner = Cleaner(work.settings)
    with DatasetWriter(work.out, dataset.schema_name) as writer:
        for row, split in cleaner.clean(dataset, work.log):
            writer.write(row, split)
        drops = cleaner.drops()
        facts = writer.close().model_copy(update={"dropped": drops.counts})
    if "train" not in facts.splits:
        rule = max(drops.counts, key=lambda name: drops.counts[name], default="")
        raise UserError(
            "cleaning left no row to train on: {count} of {rows} were dropped, most by the rule {rule!r}",
            fix="loosen that rule; `langwright recipe data-clean` lists them all",
            count=drops.rows - drops.kept,
            rows=drops.rows,
            rule=Term(rule),
        )
    write_whole(work.out / "drops.json", drops.model_dump_json(indent=2).encode() + b"\n")
    return Made(results=cleaning_measures(facts, drops, dataset.path.name, work.command), dataset=facts)


STAGE = Stage(
    name="data-clean",
    version=1,
    summary="Drop duplicates and rows that are no good text, and count every drop by its rule",
    settings=CleanSettings,
    inputs=(Input("dataset", "dataset", "The dataset to clean"),),
    makes="dataset",
    run=run,
    next="langwright tokenizer train {out} {out}-tokenizer",
    options={"min-characters": "min_characters", "languages": "languages", "duplicates": "duplicates"},
)
