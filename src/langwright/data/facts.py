"""Measures of a dataset, for its card and the report."""

from __future__ import annotations

from langwright.artifacts import DatasetFacts
from langwright.data.cleaning import Drops
from langwright.measures import Measure

SPLIT_NAMED = "rows: {train} to train on, {validation} for validation, {test} for a test"


def dataset_measures(facts: DatasetFacts, data: str, command: str) -> tuple[Measure, ...]:
    """Size of a dataset; counts, so without an interval."""
    rows = sum(facts.splits.values())
    counted = {"method": "counted", "data": data, "command": command, "n": rows}
    return (
        Measure(name="rows", value=float(rows), unit="rows", **counted),  # type: ignore[arg-type]
        Measure(name="text", value=float(facts.bytes), unit="bytes", **counted),  # type: ignore[arg-type]
    )


def cleaning_measures(facts: DatasetFacts, drops: Drops, data: str, command: str) -> tuple[Measure, ...]:
    """What was kept and what each rule dropped, as shares of the rows looked at."""
    dropped = tuple(
        Measure(
            name=f"dropped: {rule}",
            value=count / drops.rows,
            n=drops.rows,
            unit="share",
            data=data,
            method="counted; a row is counted under the first rule that drops it",
            command=command,
            does_not_show="how many of these rows were in truth good text; look at drops.json",
        )
        for rule, count in drops.counts.items()
    )
    kept = Measure(
        name="kept",
        value=drops.kept / max(drops.rows, 1),
        n=drops.rows,
        unit="share",
        data=data,
        method="counted",
        command=command,
    )
    return (*dataset_measures(facts, data, command), kept, *dropped)
