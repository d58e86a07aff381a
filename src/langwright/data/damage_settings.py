"""How whole texts are damaged, so that a model can learn to mend them. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from langwright.settings import Settings

Share = Annotated[float, Field(gt=0, lt=1, description="Share of what the noise touches, drawn piece by piece")]


class Listed(Settings):
    """Words are replaced by mistakes from a list. The test split has the mistakes of one half of the list's words, the
    other splits those of the other half."""

    kind: Literal["listed"] = "listed"
    share: Annotated[float, Field(gt=0, le=1, description="Share of the words with a listed mistake that get one")] = (
        0.3
    )


class Mistyped(Settings):
    """Characters are added, dropped, changed or turned with the next one; changed ones are drawn from the text itself."""

    kind: Literal["mistyped"] = "mistyped"
    share: Share = 0.05


class Dropped(Settings):
    """Words, and single Chinese characters, are left out."""

    kind: Literal["dropped"] = "dropped"
    share: Share = 0.1


class Masked(Settings):
    """Words, and single Chinese characters, are covered, one sign for each."""

    kind: Literal["masked"] = "masked"
    share: Share = 0.15
    sign: Annotated[str, Field(min_length=1, description="What stands for a covered word")] = "[MASK]"


class Shuffled(Settings):
    """Words, and single Chinese characters, change places with others near them."""

    kind: Literal["shuffled"] = "shuffled"
    within: Annotated[int, Field(ge=2, description="So many pieces in a row are shuffled among themselves")] = 3
    share: Share = 0.3


Noise = Annotated[
    Listed | Mistyped | Dropped | Masked | Shuffled, Field(discriminator="kind", description="A kind of damage")
]


class DamageSettings(Settings):
    """Which texts are damaged, and how."""

    noises: Annotated[tuple[Noise, ...], Field(min_length=1, description="Kinds of damage; each text gets one of them")] = (
        Mistyped(), Dropped(), Masked(), Shuffled(),
    )  # fmt: skip
    sentences: Annotated[bool, Field(description="Cut texts into sentences first; otherwise each row is one text")] = (
        True
    )
    min_characters: Annotated[int, Field(ge=1, description="Leave out shorter texts")] = 10
    max_characters: Annotated[int, Field(ge=10, description="Leave out longer texts")] = 200
    untouched: Annotated[
        float, Field(ge=0, lt=1, description="Share of texts left whole, so that a model learns to leave such alone")
    ] = 0.1
    limit: Annotated[int | None, Field(ge=1, description="Most texts of each split; all when left out")] = None
    seed: Annotated[int, Field(ge=0, description="Another seed damages otherwise")] = 0
