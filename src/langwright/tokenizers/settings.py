"""Settings of tokenizer training. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from langwright.settings import Settings


class TokenizerSettings(Settings):
    """How a vocabulary is learned."""

    unit: Annotated[
        Literal["piece", "character"],
        Field(
            description="Longest thing that is one token: a piece of text of any length, or a character, of which rare "
            "ones are bytes; vocab_size is then the most there may be"
        ),
    ] = "piece"
    vocab_size: Annotated[
        int, Field(ge=264, le=1_000_000, description="Tokens in the vocabulary, special tokens and 256 bytes included")
    ] = 8192
    min_frequency: Annotated[
        int, Field(ge=1, description="A pair seen less often than this in the training text is never made a token")
    ] = 2
    max_token_bytes: Annotated[
        int, Field(ge=4, description="Longest token in bytes; a Chinese character takes three")
    ] = 24
    split_digits: Annotated[
        bool, Field(description="Every digit is a token of its own; otherwise up to three may be one token")
    ] = True
    max_megabytes: Annotated[
        int,
        Field(ge=1, description="Learn from about this much text at most, rows taken evenly from the whole dataset"),
    ] = 200
