"""`langwright data damage DATASET [MISTAKES...] OUT`: texts with mistakes, gaps and disorder, and what they should be."""

from __future__ import annotations

from langwright.artifacts import Made
from langwright.data.damage_settings import DamageSettings
from langwright.errors import UserError
from langwright.stages.declaration import Input, Stage, Work


def run(work: Work) -> Made:
    """Damage the texts of every split; see the module."""
    from langwright.data.damage import damaged_rows, read_mistakes
    from langwright.data.dataset import DatasetWriter, open_dataset

    dataset = open_dataset(work.one("dataset").path)
    listed = read_mistakes(work.sources.get("mistakes", ()))
    with DatasetWriter(work.out, "correction") as writer:
        for row, split in damaged_rows(dataset, work.settings, listed):
            writer.write(row, split)
        facts = writer.close()
    if not facts.splits:
        raise UserError(
            "no text of {path} has from {least} to {most} characters",
            fix="set min_characters and max_characters otherwise",
            path=dataset.path,
            least=work.settings.min_characters,
            most=work.settings.max_characters,
        )
    return Made(dataset=facts)


STAGE = Stage(
    name="data-damage",
    version=1,
    summary="Damage whole texts, so that a model can learn to mend them",
    settings=DamageSettings,
    inputs=(
        Input("dataset", "dataset", "The dataset with whole texts"),
        Input("mistakes", "source", "Lists of mistakes, a line each: wrong->right", many=True, optional=True),
    ),
    makes="dataset",
    run=run,
    next="langwright finetune MODEL {out} {out}-model --task correction",
    options={"limit": "limit", "seed": "seed"},
)
