"""How a model writes: the options of `generate` and `chat`, and what is read as text."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypedDict, get_args

import typer
from pydantic import JsonValue

from langwright.errors import UserError, unknown
from langwright.inference.precision import Numbers
from langwright.inference.protocol import (
    Backend,
    Beams,
    Contrastive,
    DraftModel,
    PromptLookup,
    Sampling,
    Search,
    Speculation,
)
from langwright.models.stretching import Stretch, read_stretch
from langwright.settings import parse_value, read_settings

MaxNewTokens = Annotated[
    str | None, typer.Option("--max-new-tokens", metavar="N", help="Most tokens to generate; the prompt is not counted")
]
Tries = Annotated[int, typer.Option("--tries", metavar="N", min=1, max=64, help="How often each is drawn at most")]
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

AdapterName = Annotated[
    str | None,
    typer.Option(
        "--adapter", metavar="NAME", help="Which of the model's adapters to use; the one its card names when left out"
    ),
]
Slide = Annotated[
    bool,
    typer.Option(
        "--slide", help="Drop the oldest tokens or turns of a prompt longer than the context, instead of refusing it"
    ),
]

GuessBy = Annotated[
    str | None,
    typer.Option(
        "--guess",
        metavar="lookup|MODEL",
        help="Guess several tokens and read them in one pass: lookup takes what followed the same tokens before, "
        "a smaller model of the same tokenizer guesses by itself; the text stays the same, or as likely where it is drawn",
    ),
]
StretchBy = Annotated[
    str | None,
    typer.Option(
        "--stretch",
        metavar="KIND:FACTOR",
        help="Give the model a context so many times as long as it was trained with, by scaling its positions: linear, ntk "
        "or yarn, as in yarn:2; how well it reads far positions has to be measured",
    ),
]
BackendName = Annotated[
    str | None,
    typer.Option(
        "--backend",
        metavar="langwright|vllm",
        help="Who computes: our engine, or vLLM's server, started and ended with us",
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Another setting of sampling, such as min_p, typical_p, eta, mirostat, repetition_penalty, "
        "no_repeat_ngram or min_new_tokens; may be given again",
    ),
]
Candidates = Annotated[
    str | None,
    typer.Option(
        "--candidates", metavar="N", help="So many different texts: drawn with a temperature, or the best of the beams"
    ),
]
BestOf = Annotated[
    str | None, typer.Option("--best-of", metavar="N", help="Draw so many texts and show the likeliest by the token")
]
BeamCount = Annotated[
    str | None,
    typer.Option("--beams", metavar="N", help="Look for the likeliest text with so many beginnings at a time"),
]
LengthPenalty = Annotated[
    str | None,
    typer.Option(
        "--length-penalty",
        metavar="P",
        help="With beams: above 0 longer texts gain, below 0 shorter ones; 1 if left out",
    ),
]
EarlyStopping = Annotated[
    str | None,
    typer.Option(
        "--early-stopping",
        metavar="true|false|never",
        help="With beams: end when as many texts have ended as there are beams, when no better one is likely, "
        "or when none is possible; false if left out",
    ),
]
Groups = Annotated[
    str | None, typer.Option("--groups", metavar="N", help="With beams: groups that are kept apart by --diversity")
]
Diversity = Annotated[
    str | None,
    typer.Option(
        "--diversity", metavar="D", help="With groups: what a token costs that an earlier group took, such as 0.5"
    ),
]
Contrast = Annotated[
    str | None,
    typer.Option(
        "--contrast",
        metavar="A",
        help="Of the likeliest tokens take the least like what stands there; 0 is greedy, 0.6 is usual",
    ),
]


def read_numbers(precision: str | None, strict: bool) -> Numbers:
    """How a model computes, from options; UserError names what is not allowed."""
    return read_settings(
        Numbers, given={"strict": strict} if precision is None else {"strict": strict, "precision": precision}
    )


def read_sampling(given: Mapping[str, str | None], sets: Sequence[str] = (), **defaults: int | float) -> Sampling:
    """Sampling from options, then from `--set`; UserError names a value that is not allowed."""
    return read_settings(Sampling, given={**defaults, **parsed(given)}, sets=sets)


def read_search(beams: Mapping[str, str | None], contrast: str | None) -> Search | None:
    """The search that options ask for, if they do.

    beams    options of beam search, by the names of its settings
    raises   UserError where options do not go together
    """
    given = parsed(beams)
    if contrast is not None:
        if given:
            raise UserError(
                "--contrast and {option} are two searches",
                fix="give one of the two",
                option=option_of(next(iter(given))),
            )
        return read_settings(Contrastive, given={"alpha": parse_value(contrast)})
    if not given:
        return None
    if "width" not in given:
        raise UserError(
            "{option} means nothing without --beams", fix="give --beams too", option=option_of(next(iter(given)))
        )
    return read_settings(Beams, given=given)


def read_speculation(guess: str | None) -> Speculation | None:
    """Who guesses, if anybody does."""
    if guess is None:
        return None
    return PromptLookup() if guess == "lookup" else DraftModel(model=guess)


def read_backend(name: str | None) -> Backend:
    """Who computes; UserError for one that we do not know."""
    if name is None:
        return "langwright"
    if name not in get_args(Backend):
        raise unknown("backend", name, get_args(Backend))
    return name  # type: ignore[return-value]


class Ways(TypedDict):
    """What of `load` says how a model computes."""

    numbers: Numbers
    speculation: Speculation | None
    backend: Backend
    stretch: Stretch | None


def read_ways(
    precision: str | None, strict: bool, guess: str | None, backend: str | None, stretch: str | None = None
) -> Ways:
    """How a model computes, from options; UserError names what is not allowed."""
    return Ways(
        numbers=read_numbers(precision, strict),
        speculation=read_speculation(guess),
        backend=read_backend(backend),
        stretch=None if stretch is None else read_stretch(stretch),
    )


def read_count(text: str | None, option: str, default: int = 1) -> int:
    """A number of texts from an option."""
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise UserError("{option} {text} is no number of texts", fix="give 1 or more", option=option, text=text)
    return int(text)


def option_of(name: str) -> str:
    """The option of a setting of beam search."""
    return "--beams" if name == "width" else "--" + name.replace("_", "-")


def parsed(given: Mapping[str, str | None]) -> dict[str, JsonValue]:
    """The options that were given, as values."""
    return {name: parse_value(text) for name, text in given.items() if text is not None}


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
