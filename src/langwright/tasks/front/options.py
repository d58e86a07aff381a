"""How a text is to be written, as the front door takes it: named arguments that become a `Sampling` and the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from langwright.inference.control.settings import Control, ControlOptions, control_of
from langwright.inference.protocol import Guide, Sampling


class Writing(TypedDict, total=False):
    """How a prompt is taken and where the text ends."""

    stop: Sequence[str]  # strings that end it; the text is cut before them
    slide: bool  # drop the oldest tokens or turns of a prompt that is too long, instead of refusing it
    top_logprobs: int  # how many alternatives to report with each token
    control: Control | None  # what the text must be like
    guide: Guide | None  # what becomes likelier


class Ways(Writing, ControlOptions, total=False):
    """The same, what the text must be like word by word, and how each token is chosen."""

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
    others = Writing.__annotations__.keys() | ControlOptions.__annotations__.keys()
    given = {key: value for key, value in ways.items() if key not in others}
    return Sampling(**{"max_new_tokens": most, **given})  # type: ignore[arg-type]


def writing_of(ways: Ways) -> Writing:
    """The rest of them.

    raises  UserError for a control that is not allowed
    """
    control = control_of({key: ways[key] for key in ControlOptions.__annotations__ if key in ways})  # type: ignore[literal-required, arg-type]
    found = {key: ways[key] for key in Writing.__annotations__ if key in ways}  # type: ignore[literal-required]
    return {**found, "control": control} if control is not None else found  # type: ignore[return-value, typeddict-item]
