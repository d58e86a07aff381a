"""How a text is to be written, as the front door takes it: named arguments that become a `Sampling` and the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from langwright.inference.protocol import Sampling


class Writing(TypedDict, total=False):
    """How a prompt is taken and where the text ends."""

    stop: Sequence[str]  # strings that end it; the text is cut before them
    slide: bool  # drop the oldest tokens or turns of a prompt that is too long, instead of refusing it
    top_logprobs: int  # how many alternatives to report with each token


class Ways(Writing, total=False):
    """The same, and how each token is chosen."""

    max_new_tokens: int
    min_new_tokens: int
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    typical_p: float
    eta: float
    mirostat: float
    mirostat_rate: float
    repetition_penalty: float
    presence_penalty: float
    frequency_penalty: float
    no_repeat_ngram: int
    logit_bias: dict[int, float]
    bad_words: tuple[tuple[int, ...], ...]
    seed: int | None


def sampling_of(ways: Ways, most: int) -> Sampling:
    """The sampling among the ways; `most` new tokens where they do not say."""
    given = {key: value for key, value in ways.items() if key not in Writing.__annotations__}
    return Sampling(**{"max_new_tokens": most, **given})  # type: ignore[arg-type]


def writing_of(ways: Ways) -> Writing:
    """The rest of them."""
    return {key: ways[key] for key in Writing.__annotations__ if key in ways}  # type: ignore[return-value, literal-required]
