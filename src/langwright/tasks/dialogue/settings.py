"""What a conversation may be told about its context. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from langwright.settings import Settings


class ContextSettings(Settings):
    """How much of a conversation a model is given, and what becomes of the rest."""

    tokens: Annotated[
        int | None,
        Field(ge=32, description="Most tokens of a conversation and its answer together; the model's context when left out"),
    ] = None  # fmt: skip
    summary_share: Annotated[
        float,
        Field(ge=0, le=0.5, description="The share of the room that a summary of older turns may take; 0 for none at all"),
    ] = 0.2  # fmt: skip
    keep_share: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="When turns fall out, so many do that the turns kept whole fill this share of the room; less "
            "sums up more at a time, and less often",
        ),
    ] = 0.6
    summed_by: Annotated[
        Literal["model", "extract"],
        Field(
            description="model asks the model for the summary and looks at what it wrote; where that does not hold, and with "
            "extract always, it is sentences as they were said"
        ),
    ] = "model"
    long_turns: Annotated[
        Literal["refuse", "cut"],
        Field(description="A last turn that does not fit by itself is refused, or its middle is left out with a mark that says so"),
    ] = "refuse"  # fmt: skip
