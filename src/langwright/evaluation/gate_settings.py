"""What a gate file may say. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from langwright.settings import Settings


class Threshold(Settings):
    """One demand on one measure."""

    measure: Annotated[str, Field(description="Name of the measure, as reports give it")]
    at_least: Annotated[float | None, Field(description="The least value that passes")] = None
    at_most: Annotated[float | None, Field(description="The largest value that passes")] = None
    by: Annotated[
        Literal["value", "interval"],
        Field(description="Whether the value has to keep the bound, or its whole 95 % interval"),
    ] = "value"
    data: Annotated[str | None, Field(description="Only on this data, as reports name it; on any when left out")] = None
    model: Annotated[
        str | None, Field(description="Of this model or baseline, as reports name it; the model itself when left out")
    ] = None
    group_by: Annotated[
        str | None, Field(description="Each group of this column has to keep the bound, instead of all rows together")
    ] = None
    largest_gap: Annotated[
        float | None, Field(ge=0, description="The most that the best group may be ahead of the worst")
    ] = None


class Gate(Settings):
    """The demands that a model has to meet."""

    threshold: Annotated[tuple[Threshold, ...], Field(min_length=1, description="One demand each")]
