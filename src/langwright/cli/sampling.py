"""How a model writes: the options of `generate` and `chat`, and what is read as text."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from langwright.errors import UserError
from langwright.inference.precision import Numbers
from langwright.inference.protocol import Sampling
from langwright.settings import parse_value, read_settings

MaxNewTokens = Annotated[
    str | None, typer.Option("--max-new-tokens", metavar="N", help="Most tokens to generate; the prompt is not counted")
]
Temperature = Annotated[
    str | None,
    typer.Option(
        "--temperature",
        metavar="T",
        help="0 always takes the likeliest token; 1 samples from the model's own distribution",
    ),
]
TopK = Annotated[
    str | None, typer.Option("--top-k", metavar="N", help="Sample among the k likeliest tokens only; 0 means all")
]
TopP = Annotated[
    str | None,
    typer.Option(
        "--top-p", metavar="P", help="Sample among the likeliest tokens that together hold this share of probability"
    ),
]
Seed = Annotated[
    str | None,
    typer.Option("--seed", metavar="S", help="Seed of this request alone; drawn at random and reported when left out"),
]

PrecisionName = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="P",
        help="Numbers a model computes in: float32, bfloat16, int8 or int4; the last two on the CPU, within 1% of perplexity",
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Give a request the same bits whatever else runs; on the CPU only, a little slower"),
]

Slide = Annotated[
    bool,
    typer.Option(
        "--slide", help="Drop the oldest tokens or turns of a prompt longer than the context, instead of refusing it"
    ),
]


def read_numbers(precision: str | None, strict: bool) -> Numbers:
    """How a model computes, from options; UserError names what is not allowed."""
    return read_settings(
        Numbers, given={"strict": strict} if precision is None else {"strict": strict, "precision": precision}
    )


def read_sampling(given: Mapping[str, str | None], **defaults: int | float) -> Sampling:
    """Sampling from options; UserError names an option's value that is not allowed."""
    values = {name: None if text is None else parse_value(text) for name, text in given.items()}
    return read_settings(Sampling, given={**defaults, **{k: v for k, v in values.items() if v is not None}})


def read_input(given: str) -> str:
    """A text: as given, `@FILE` for a file's, or `-` for standard input.

    raises  UserError when the file cannot be read or is no UTF-8 text
    """
    try:
        if given == "-":
            return sys.stdin.buffer.read().decode("utf-8")
        if given.startswith("@"):
            return Path(given[1:]).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError("{path} is not UTF-8 text: {error}", fix="save it as UTF-8", path=given, error=error) from None
    except OSError as error:
        raise UserError(
            "{path} cannot be read: {reason}",
            fix="check the path behind @, or put a text that begins with @ behind a blank",
            path=given[1:],
            reason=error.strerror,
        ) from None
    return given
