"""Which watermark, and how strong. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from langwright.settings import Settings


class KGW(Settings):
    """Some tokens are green after each context, and are made likelier."""

    kind: Literal["kgw"] = "kgw"
    green_share: Annotated[
        float, Field(gt=0, lt=1, description="Share of the vocabulary that is green after each context (gamma)")
    ] = 0.25
    bias: Annotated[
        float,
        Field(
            gt=0,
            le=20,
            description="What is added to the logits of green tokens (delta): more is found sooner, and costs more quality",
        ),
    ] = 2.0
    scheme: Annotated[
        Literal["left", "self"],
        Field(
            description="What decides which tokens are green: left takes the tokens before, self also the token itself, "
            "which is harder to find out from outside"
        ),
    ] = "left"
    width: Annotated[
        int,
        Field(
            ge=1,
            le=8,
            description="Tokens that decide: those before for left, those before and itself for self. More are harder to find out, and an edit spoils more of them",
        ),
    ] = 1


class SynthID(Settings):
    """Tokens are chosen by a tournament; over many keys the model's own distribution is kept."""

    kind: Literal["synthid"] = "synthid"
    depth: Annotated[
        int, Field(ge=1, le=64, description="Layers of the tournament: more are found sooner, up to some thirty")
    ] = 30
    width: Annotated[
        int, Field(ge=1, le=8, description="Tokens before that decide; a context that comes again is left unmarked")
    ] = 4


WatermarkSettings = Annotated[
    KGW | SynthID, Field(discriminator="kind", description="How text is marked, and how strongly")
]
