"""In what numbers a model is computed when it serves, as settings; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Field

from langwright.settings import Settings

Precision = Literal["float32", "bfloat16", "int8", "int4"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


Rows = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Preparation:
    """How an engine makes its model ready.

    precision  None leaves the model in the numbers it comes in
    strict     a request gives the same bits whatever else runs
    rows       token ids on which int8 and int4 may cost one per cent of perplexity; what the model writes by itself
               when left out, and nothing is measured on none
    keep       hold what is exchanged, so that the model is given back as it came; without, memory is freed
    reads      it reads many rows at a time, for several callers at once: each linear layer computes by itself
    """

    precision: Precision | None = None
    strict: bool = False
    rows: Rows | None = None
    keep: bool = True
    reads: bool = False

    @property
    def changes(self) -> bool:
        """Whether anything is done to the model."""
        return self.precision is not None or self.strict or self.reads


class Numbers(Settings):
    """How a model that is opened computes."""

    precision: Annotated[
        Precision,
        Field(
            description="Numbers a model computes in; int8 and int4 on the CPU only, as far as perplexity stays within 1%"
        ),
    ] = "float32"
    strict: Annotated[
        bool, Field(description="Give a request the same bits whatever else runs; on the CPU only, a little slower")
    ] = False
