"""What a model may learn from running text: declarations. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from langwright.errors import UserError
from langwright.settings import Settings


class OfFamily(Settings):
    """The objective that the preset's family of models is made for."""

    kind: Literal["auto"] = "auto"


class NextTokenPrediction(Settings):
    """Predict each token from those before it (Radford et al. 2019, section 2); with a tokenizer of single
    characters, the next character."""

    kind: Literal["next-token"] = "next-token"


class MaskingSettings(Settings):
    """How tokens are hidden (Devlin et al. 2019, section 3.1)."""

    probability: Annotated[float, Field(gt=0, lt=1, description="Share of a row's tokens that are hidden")] = 0.15
    as_mask: Annotated[
        float, Field(ge=0, le=1, description="Share of the hidden tokens that the mask token stands for")
    ] = 0.8
    as_random: Annotated[
        float, Field(ge=0, le=1, description="Share of the hidden tokens that any other stands for; the rest is shown")
    ] = 0.1
    together: Annotated[
        Literal["token", "word", "chinese-word"],
        Field(
            description="What is hidden as a whole: single tokens, words (a Chinese character is one), or words with "
            "Chinese text cut into words by a dictionary"
        ),
    ] = "token"
    dynamic: Annotated[
        bool, Field(description="Other tokens are hidden at each pass; otherwise the same at every pass")
    ] = True

    @model_validator(mode="after")
    def shares(self) -> Self:
        """UserError where the two shares are more than the whole."""
        if self.as_mask + self.as_random > 1:
            raise UserError(
                "as_mask = {as_mask} and as_random = {as_random} are together more than all hidden tokens",
                fix="lower one of them, so that their sum is at most 1",
                as_mask=self.as_mask,
                as_random=self.as_random,
            )
        return self


class MaskedTokens(MaskingSettings):
    """Predict hidden tokens from both sides (Devlin et al. 2019, arXiv:1810.04805)."""

    kind: Literal["masked"] = "masked"


Pretraining = Annotated[
    OfFamily | NextTokenPrediction | MaskedTokens, Field(discriminator="kind", description="What is learned from")
]
