"""`langwright score MODEL TEXT`: how probable a model finds a text, token by token."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import Field

from langwright.cli.sampling import read_input
from langwright.cli.screen import screen_of, shown, width
from langwright.cli.teaching import Command
from langwright.settings import Settings, parse_value, read_settings
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.inference.texts.written import TextScore

LINE = 96  # columns
LEVELS = "▁▂▃▄▅▆▇█"
BITS_A_LEVEL = 2.0  # so that the highest begins at one in sixteen thousand


class Scoring(Settings):
    """What `score` can be told."""

    top: Annotated[int, Field(ge=0, le=100, description="Show the likeliest tokens at the place of each")] = 0


def score(
    ctx: typer.Context,
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model: its folder, the name of a run, or hf:owner/name")
    ],
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="The text to score; @FILE reads a file, - standard input")
    ],
    given: Annotated[
        str, typer.Option("--given", metavar="TEXT", help="What stands before it and is not scored; @FILE reads a file")
    ] = "",
    top: Annotated[
        str | None, typer.Option("--top", metavar="N", help="Show the likeliest tokens at the place of each")
    ] = None,
    table: Annotated[bool, typer.Option("--table", help="One line a token")] = False,
) -> None:
    """Heat over the text, a table where it is wanted, and the sums."""
    screen = screen_of(ctx)
    wanted = read_settings(Scoring, given={"top": None if top is None else parse_value(top)}).top
    said, before = read_input(text), read_input(given)
    from langwright.tasks.front.loading import load

    with load(model, max_batch=1) as opened:
        found = opened.score(said, before, top=wanted, rolling=True)
    if table or wanted:
        screen.table(rows_of(found))
    else:
        for line in heat(found):
            screen.line(line)
    screen.line()
    screen.table(
        [
            [f"  {say('log-probability')}", f"{found.log_probability:.4f}", say("nats")],
            [f"  {say('perplexity')}", shown(found.perplexity), say("per token")],
            [f"  {say('bits per byte')}", shown(found.bits_per_byte)],
            [f"  {say('tokens')}", f"{len(found.tokens):,}"],
        ]
    )
    screen.answer(as_table(found), next=shlex.join(["langwright", "score", model, text, "--top", "5"]))


def heat(found: TextScore) -> list[str]:
    """The tokens, and below each a bar as high as its surprise; two lines for each line of text."""
    lines: list[str] = []
    above = below = ""
    for (token, _), bits in zip(found.tokens, found.surprisals, strict=True):
        text = readable(token)
        if above and width(above + text) > LINE:
            lines += [above, below]
            above = below = ""
        above, below = above + text, below + LEVELS[level(bits)] * width(text)
    return [*lines, above, below, say("each step of a bar: {bits} bits", bits=f"{BITS_A_LEVEL:g}")]


def level(bits: float) -> int:
    """Which bar stands for a surprise; the highest for a token that was ruled out."""
    return min(len(LEVELS) - 1, int(bits / BITS_A_LEVEL)) if math.isfinite(bits) else len(LEVELS) - 1


def readable(token: str) -> str:
    """A token with what has no width made visible, a space left as it is."""
    return token.replace("\n", "⏎").replace("\t", "→").replace("\r", "␍") or "∅"


def rows_of(found: TextScore) -> list[list[str]]:
    """One line a token: itself, its bits and probability, and what was likelier."""
    heads = [say("token"), say("bits"), say("probability"), say("likeliest there") if found.top else ""]
    rows = []
    for place, ((token, logprob), bits) in enumerate(zip(found.tokens, found.surprisals, strict=True)):
        others = found.top[place] if found.top else ()
        named = "  ".join(f"{readable(other)!r} {math.exp(value):.3f}" for other, value in others)
        rows.append([f"{readable(token)!r}", f"{bits:.2f}", f"{math.exp(logprob):.4f}", named])
    return [heads, *rows]


def as_table(found: TextScore) -> dict[str, object]:
    """The score as one object."""
    tops: Sequence[Sequence[tuple[str, float]]] = found.top or [()] * len(found.tokens)
    return {
        "log_probability": found.log_probability,
        "perplexity": found.perplexity,
        "bits_per_byte": found.bits_per_byte,
        "bytes": found.bytes,
        "tokens": [
            {"id": id, "text": token, "logprob": logprob, "bits": bits, "top": [list(pair) for pair in top]}
            for id, (token, logprob), bits, top in zip(found.token_ids, found.tokens, found.surprisals, tops, strict=True)
        ],
    }  # fmt: skip


SCORE = Command(
    name="score",
    section="Use a model",
    summary="Say how probable a model finds a text, token by token",
    examples=(
        'langwright score runs/base "The cat sat on the mat"',
        "langwright score runs/base 海内存知己，天涯若比邻 --top 3",
        "langwright score runs/base @letter.txt --table",
    ),
    run=score,
)
