"""A measured number that says what it is, how sure it is, how it was got and what it does not show.

Training results, evaluations, benchmarks, gates and reports all write this, as `report.json`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from langwright.errors import UserError

FORMAT = 1


class Measure(BaseModel):
    """One number about one model (or dataset, or run). What is not finite stands in JSON as "NaN" or "Infinity"."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", ser_json_inf_nan="strings")

    name: Annotated[str, Field(description="What was measured, such as 'bits per byte'")]
    value: Annotated[float, Field(strict=False, description="The number")]
    low: Annotated[
        float | None, Field(strict=False, description="Lower end of the 95 % interval; none where none is defined")
    ] = None
    high: Annotated[float | None, Field(strict=False, description="Upper end of the 95 % interval")] = None
    n: Annotated[int, Field(description="How many units it rests on")] = 0
    unit: Annotated[str, Field(description="Unit of the value, such as 'bits/byte', 'share', 'tokens/s'")] = ""
    better: Annotated[Literal["higher", "lower", "neither"], Field(description="Which way is good")] = "neither"
    model: Annotated[str, Field(description="What it was measured on")] = ""
    data: Annotated[str, Field(description="The data it was measured with")] = ""
    method: Annotated[str, Field(description="How it was computed, with source")] = ""
    seed: Annotated[int | None, Field(description="The seed, where chance took part")] = None
    command: Annotated[str, Field(description="The command that measures it again")] = ""
    does_not_show: Annotated[str, Field(description="What a reader must not conclude from it")] = ""


class Bounded(BaseModel):
    """From which confidence on answers are wrong no more often than a stated share."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    risk: float
    threshold: float
    kept: float  # share of the held-out items that are answered then
    bound: float  # of the share of wrong answers, but for a chance of `doubt`
    doubt: float


class Calibration(BaseModel):
    """How a head's scores become confidences, as fitted on rows that were not learned from.

    temperature  what logits are divided by
    shift        what is added to the score of an answer then, before it becomes the confidence in it
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    rows: int
    temperature: float = 1.0
    shift: float = 0.0
    bounds: tuple[Bounded, ...] = ()


class Report(BaseModel):
    """What `report.json` holds."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    format: int = FORMAT
    measures: tuple[Measure, ...] = ()


def write_report(path: Path, measures: tuple[Measure, ...]) -> None:
    """Write the measures as a `report.json` file."""
    path.write_text(Report(measures=measures).model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_report(path: Path) -> Report:
    """The measures of a `report.json` file; UserError when it is not one."""
    try:
        return Report.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise UserError(
            "{path} is not a report this version can read: {error}",
            fix="make it again with `langwright evaluate`",
            path=path,
            error=str(error).splitlines()[0],
        ) from None
