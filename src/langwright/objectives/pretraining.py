"""What a model may learn from running text: declarations. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from langwright.settings import Settings


class OfFamily(Settings):
    """The objective that the preset's family of models is made for."""

    kind: Literal["auto"] = "auto"


class NextTokenPrediction(Settings):
    """Predict each token from those before it (Radford et al. 2019, section 2); with a tokenizer of single
    characters, the next character."""

    kind: Literal["next-token"] = "next-token"


Pretraining = Annotated[OfFamily | NextTokenPrediction, Field(discriminator="kind", description="What is learned from")]
