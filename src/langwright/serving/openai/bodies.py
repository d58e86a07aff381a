"""The requests of OpenAI's interface that this server reads.

What OpenAI defines and this version does not do is declared all the same, with the only value that
asks for nothing, so that it is refused by name and never ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from langwright.errors import UserError
from langwright.inference.control.settings import Control
from langwright.inference.protocol import Sampling
from langwright.serving.complaints import NOT_DONE, ApiError
from langwright.settings import Settings

LARGEST_SEED = 2**53 - 1  # the largest whole number that every JSON reader keeps exactly
COMPLETION_TOKENS = 16  # OpenAI's default for /v1/completions

SAMPLED = (
    "presence_penalty", "frequency_penalty", "logit_bias", "repetition_penalty", "no_repeat_ngram", "min_new_tokens",
)  # fmt: skip
DRAWN = ("top_k", "top_p", "min_p", "typical_p", "eta", "mirostat")

Bias = Annotated[float, Field(ge=-100, le=100)]
Unset = Annotated[None, NOT_DONE]
Empty = Annotated[tuple[JsonValue, ...] | None, Field(max_length=0), NOT_DONE]
EmptyTable = Annotated[dict[str, JsonValue] | None, Field(max_length=0), NOT_DONE]
StopText = Annotated[str, Field(min_length=1)]
TokenId = Annotated[int, Field(ge=0, lt=2**31)]


class StreamOptions(Settings):
    """How a stream ends."""

    include_usage: Annotated[bool, Field(description="Send one more event with the token counts at the end")] = False
    include_obfuscation: Annotated[Literal[False] | None, NOT_DONE] = None


class Asked(Settings):
    """What both kinds of requests may say."""

    model: Annotated[
        str,
        Field(description="Name of the model, one of those in /v1/models", examples=['"chat" (a name in /v1/models)']),
    ]
    n: Annotated[int | None, Field(ge=1, le=128, description="How many answers to make to each prompt; default 1")] = 1
    stop: Annotated[
        StopText | Annotated[tuple[StopText, ...], Field(max_length=16)] | None,
        Field(
            description="Texts that end the answer and are left out of it: one, or a list of up to 16",
            examples=['"\\n" or ["\\n", "。"]'],
        ),
    ] = None
    temperature: Annotated[
        float | None, Field(ge=0, le=2, description="0 always takes the likeliest token; default 1, as OpenAI's")
    ] = 1.0
    top_p: Annotated[
        float | None,
        Field(
            gt=0, le=1, description="Sample among the likeliest tokens that hold this share of probability; default 1"
        ),
    ] = 1.0
    top_k: Annotated[
        int | None,
        Field(ge=0, description="Sample among the k likeliest tokens; default 0, all. Not in OpenAI's interface"),
    ] = 0
    seed: Annotated[
        int | None,
        Field(
            ge=0,
            le=LARGEST_SEED,
            description="Seed of the first answer, the next one has seed + 1; drawn and reported when left out",
        ),
    ] = None
    control: Annotated[
        Control | None,
        Field(
            description="What the answer must be like: json_schema, regex, grammar or choices; length; must, never; "
            "contrast. Not in OpenAI's interface",
            examples=['{"regex": "[0-9]{4}"} or {"length": {"unit": "words", "at_most": 50}}'],
        ),
    ] = None
    stream: Annotated[bool | None, Field(description="Send the answer as server-sent events; default false")] = False
    stream_options: Annotated[StreamOptions | None, Field(description="Only with stream")] = None

    presence_penalty: Annotated[
        float | None, Field(ge=-2, le=2, description="Taken from the logits of tokens that the answer has; default 0")
    ] = None
    frequency_penalty: Annotated[
        float | None,
        Field(ge=-2, le=2, description="Taken from the logits of tokens for each time the answer has them; default 0"),
    ] = None
    logit_bias: Annotated[
        dict[int, Bias] | None,
        Field(
            description="Added to the logits of tokens, by id, -100 to 100; -100 rules a token out",
            examples=['{"50256": -100}'],
        ),
    ] = None
    min_p: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="Sample among tokens with this share of the likeliest one's probability. Not in OpenAI's interface",
        ),
    ] = None
    typical_p: Annotated[
        float | None,
        Field(
            gt=0,
            le=1,
            description="Sample among tokens that surprise as much as expected, which hold this share. Not in OpenAI's interface",
        ),
    ] = None
    eta: Annotated[
        float | None,
        Field(ge=0, lt=1, description="Leave out tokens less probable than about this. Not in OpenAI's interface"),
    ] = None
    mirostat: Annotated[
        float | None,
        Field(ge=0, description="Keep the surprise near so many bits a token; 0 is off. Not in OpenAI's interface"),
    ] = None
    repetition_penalty: Annotated[
        float | None,
        Field(
            gt=0,
            le=10,
            description="Above 1 lowers tokens of the prompt and of the answer; default 1. Not in OpenAI's interface",
        ),
    ] = None
    no_repeat_ngram: Annotated[
        int | None, Field(ge=0, description="No run of so many tokens comes twice; 0 is off. Not in OpenAI's interface")
    ] = None
    min_new_tokens: Annotated[
        int | None, Field(ge=0, description="Fewest tokens of an answer; default 0. Not in OpenAI's interface")
    ] = None

    user: Unset = None

    @model_validator(mode="after")
    def _stream_options_need_a_stream(self) -> Self:
        if self.stream_options is not None and not self.stream:
            raise needs("stream_options", "stream")
        return self

    @property
    def answers(self) -> int:
        """How many answers to each prompt."""
        return self.n or 1

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings as a tuple."""
        return (self.stop,) if isinstance(self.stop, str) else self.stop or ()

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the token counts."""
        return self.stream_options is not None and self.stream_options.include_usage

    def sampling(self, number: int, max_new_tokens: int) -> Sampling:
        """How the answer with this number, from 0, is sampled."""
        temperature = 1.0 if self.temperature is None else self.temperature
        names = [*SAMPLED, *(DRAWN if temperature else ())]  # at temperature 0 nothing is drawn, as at OpenAI
        given: dict[str, Any] = {name: value for name in names if (value := getattr(self, name)) is not None}
        return Sampling(
            temperature=temperature,
            max_new_tokens=max_new_tokens,
            seed=None if self.seed is None else self.seed + number,
            **given,
        )


class CompletionRequest(Asked):
    """POST /v1/completions: continue a text."""

    prompt: Annotated[
        str
        | tuple[TokenId, ...]
        | Annotated[tuple[str, ...], Field(min_length=1)]
        | Annotated[tuple[tuple[TokenId, ...], ...], Field(min_length=1)],
        Field(
            description="The text to continue, or a list of texts; token ids, or a list of lists of them, will do too",
            examples=['"Once upon a time"'],
        ),
    ]
    max_tokens: Annotated[
        int | None, Field(ge=0, description="Most new tokens; default 16, as OpenAI's; 0 only with echo")
    ] = None
    echo: Annotated[bool | None, Field(description="Put the prompt before the answer; default false")] = False
    logprobs: Annotated[
        int | None,
        Field(
            ge=0,
            le=5,
            description="Log-probabilities of the tokens in nats, with this many alternatives; with echo of the prompt too",
        ),
    ] = None

    best_of: Annotated[
        int | None,
        Field(ge=1, le=128, description="Write so many answers and give the n likeliest by the token; default n"),
    ] = None
    suffix: Annotated[Literal[""] | None, NOT_DONE] = None

    @model_validator(mode="after")
    def _what_goes_together(self) -> Self:
        if self.written < self.answers:
            raise ApiError(
                UserError(
                    "best_of = {best_of} is less than n = {n}",
                    fix="write at least as many answers as are given",
                    best_of=self.best_of,
                    n=self.answers,
                ),
                status=422,
                param="best_of",
            )
        if self.written > self.answers and self.stream:
            raise ApiError(
                UserError(
                    "the best of {best_of} answers is known when all are written, and cannot be streamed",
                    fix="leave out stream, or best_of",
                    best_of=self.best_of,
                ),
                param="best_of",
            )
        if self.max_tokens == 0 and not self.echo:
            raise needs("max_tokens = 0", "echo", "max_tokens")
        return self

    @property
    def written(self) -> int:
        """How many answers are written to each prompt, of which the best are given."""
        return self.best_of or self.answers

    @property
    def prompts(self) -> tuple[str | tuple[int, ...], ...]:
        """The prompts as a tuple of texts or ids."""
        if isinstance(self.prompt, str):
            return (self.prompt,)
        if self.prompt and not isinstance(self.prompt[0], int):
            return self.prompt
        return (self.prompt,)  # type: ignore[return-value]


def needs(field: str, other: str, param: str | None = None) -> ApiError:
    """A field that says nothing without another."""
    return ApiError(
        UserError(
            "{field} means nothing without {other}",
            fix="give {other} too, or leave {field} out",
            field=field,
            other=other,
        ),
        status=422,
        param=param or field,
    )
