"""What a head of labels may be told of a text beside a model's vector: declarations. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from langwright.settings import Settings


class NoRuns(Settings):
    """The model reads the text alone."""

    kind: Literal["none"] = "none"


class Runs(Settings):
    """Runs of words and pieces of words beside what the model says (Cheng et al. 2016, arXiv:1606.07792)."""

    kind: Literal["ngrams"] = "ngrams"
    words: Annotated[
        int, Field(ge=1, le=5, description="Most words in a run; a Chinese character is a word, and so is a mark")
    ] = 3
    letters: Annotated[
        int, Field(ge=0, le=8, description="Most letters in a piece of a word, from 2 on; 0 takes words whole only")
    ] = 5
    fewest: Annotated[int, Field(ge=1, description="Texts that a run must stand in to be known")] = 2
    most: Annotated[int, Field(ge=1, description="How many runs are known at most, those in the most texts first")] = (
        200_000
    )
    strength: Annotated[
        float,
        Field(
            gt=0,
            description="Inverse strength of regularisation, C, of the logistic regression that their weights begin with",
        ),
    ] = 10.0
    hidden: Annotated[
        float,
        Field(ge=0, le=1, description="Share of texts that the model learns from without them, so that it learns too"),
    ] = 0.5


Lexical = Annotated[
    NoRuns | Runs,
    Field(
        discriminator="kind",
        description="For classification, what the head is told of a text beside the model's vector",
    ),
]
