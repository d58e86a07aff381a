"""What a model may learn from running text: declarations. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from langwright.errors import UserError
from langwright.settings import Settings

SHARE = "Share of the tokens that this is done to"


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


class PairSettings(Settings):
    """How pieces of text are paired."""

    relation: Annotated[
        Literal["next", "order"],
        Field(
            description="What a pair that does not belong together is: a piece of another document (next), or the two "
            "swapped (order)"
        ),
    ] = "order"


class Pairs(PairSettings):
    """Say whether one piece of text follows another (Devlin et al. 2019; order: Lan et al. 2020, arXiv:1909.11942)."""

    kind: Literal["sentence-pairs"] = "sentence-pairs"
    dynamic: Annotated[bool, Field(description="Texts are parted anew at each pass")] = True


class MaskedPairsOfText(MaskingSettings, PairSettings):
    """Predict hidden tokens, and say whether one piece of text follows another (Devlin et al. 2019)."""

    kind: Literal["masked-pairs"] = "masked-pairs"


class ReplacedTokenDetection(MaskingSettings):
    """Say which tokens a small generator has put in (Clark et al. 2020, arXiv:2003.10555)."""

    kind: Literal["replaced"] = "replaced"
    as_mask: Annotated[
        float, Field(ge=0, le=1, description="Share of the hidden tokens that the mask token stands for")
    ] = 1.0
    as_random: Annotated[
        float, Field(ge=0, le=1, description="Share of the hidden tokens that any other stands for; the rest is shown")
    ] = 0.0
    generator_share: Annotated[
        float, Field(gt=0, le=1, description="Width of the generator as a share of the model's")
    ] = 0.25
    weight: Annotated[float, Field(gt=0, description="Weight of the model's loss beside the generator's")] = 50.0


class ContrastiveVectors(Settings):
    """Find a sentence again among others by its vector, under other dropout (Gao et al. 2021, arXiv:2104.08821)."""

    kind: Literal["contrastive"] = "contrastive"
    temperature: Annotated[
        float, Field(gt=0, description="What similarities are divided by: the lower, the more the nearest others count")
    ] = 0.05


class PrefixPrediction(Settings):
    """Read the beginning of each text in both directions and predict the rest (Raffel et al. 2020, section 3.2.1)."""

    kind: Literal["prefix-lm"] = "prefix-lm"


class Continuing(Settings):
    """Read the beginning of a row with the encoder and write the rest (Raffel et al. 2020, section 3.2.3)."""

    kind: Literal["continuation"] = "continuation"


class SpanCorruption(Settings):
    """Write what stood where spans were replaced by marks (Raffel et al. 2020, section 3.1.4)."""

    kind: Literal["span-corruption"] = "span-corruption"
    density: Annotated[float, Field(gt=0, lt=1, description="Share of the tokens that is corrupted")] = 0.15
    mean_span: Annotated[float, Field(ge=1, description="Tokens in a span on average")] = 3.0


class TokenMasking(Settings):
    """Random tokens replaced by the mask."""

    kind: Literal["token-masking"] = "token-masking"
    share: Annotated[float, Field(gt=0, lt=1, description=SHARE)] = 0.15


class TokenDeletion(Settings):
    """Random tokens left out."""

    kind: Literal["token-deletion"] = "token-deletion"
    share: Annotated[float, Field(gt=0, lt=1, description=SHARE)] = 0.15


class TextInfilling(Settings):
    """Spans of random length, none among them, each replaced by one mask."""

    kind: Literal["text-infilling"] = "text-infilling"
    share: Annotated[float, Field(gt=0, lt=1, description=SHARE)] = 0.3
    mean_span: Annotated[float, Field(ge=1, description="Mean of the Poisson distribution that lengths are drawn from")] = 3.0  # fmt: skip


class SentencePermutation(Settings):
    """Sentences in random order."""

    kind: Literal["sentence-permutation"] = "sentence-permutation"


class DocumentRotation(Settings):
    """The row begun at a random token."""

    kind: Literal["document-rotation"] = "document-rotation"


Noising = Annotated[
    TokenMasking | TokenDeletion | TextInfilling | SentencePermutation | DocumentRotation, Field(discriminator="kind")
]


class Denoising(Settings):
    """Write a text as it was before it was made noisy (Lewis et al. 2020, section 2.2)."""

    kind: Literal["denoising"] = "denoising"
    noises: Annotated[
        tuple[Noising, ...],
        Field(
            min_length=1,
            description="What is done to a row, in this order: token-masking, token-deletion, text-infilling, "
            "sentence-permutation, document-rotation",
        ),
    ] = (SentencePermutation(), TextInfilling())


Pretraining = Annotated[
    OfFamily
    | NextTokenPrediction
    | PrefixPrediction
    | MaskedTokens
    | MaskedPairsOfText
    | Pairs
    | ReplacedTokenDetection
    | ContrastiveVectors
    | SpanCorruption
    | Denoising
    | Continuing,
    Field(discriminator="kind", description="What is learned from"),
]
