"""`langwright fill MODEL TEXT`: what stands in the blanks of a text."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import Annotated

import typer
from pydantic import Field

from langwright.cli.predict import listed
from langwright.cli.sampling import read_input
from langwright.cli.screen import screen_of
from langwright.cli.teaching import Command
from langwright.settings import Settings, parse_value, read_settings
from langwright.wording import say


class FillSettings(Settings):
    """What `fill` can be told."""

    top: Annotated[int, Field(ge=1, le=100, description="How many fillings to show")] = 5
    pieces: Annotated[int, Field(ge=1, le=8, description="Most tokens in a blank; every number up to it is tried")] = 1


def fill(
    ctx: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A masked language model: its folder, the name of a run, or hf:owner/name"
        ),
    ],
    text: Annotated[
        str,
        typer.Argument(metavar="TEXT", help="A text with [MASK] for each blank; @FILE reads a file, - standard input"),
    ],
    top: Annotated[str | None, typer.Option("--top", metavar="N", help="How many fillings to show")] = None,
    pieces: Annotated[
        str | None, typer.Option("--pieces", metavar="N", help="Most tokens in a blank; every number up to it is tried")
    ] = None,
    words: Annotated[
        str | None,
        typer.Option(
            "--words", metavar="A,B,...", help="Words to choose from, of any length, for a text with one blank"
        ),
    ] = None,
) -> None:
    """The best fillings of all blanks together, then what fits each blank alone."""
    screen = screen_of(ctx)
    given = {"top": top, "pieces": pieces}
    asked = read_settings(FillSettings, given={key: None if v is None else parse_value(v) for key, v in given.items()})
    said = read_input(text)
    from langwright.tasks.front.loading import load

    with load(model) as opened:
        found = opened.fill(said, top=asked.top, pieces=asked.pieces, words=listed(words or ""))
    screen.table([[f"{one.probability:.4f}", one.text] for one in found.fillings])
    if len(found.blanks) > 1:
        screen.line()
        for number, blank in enumerate(found.blanks, 1):
            named = "  ".join(f"{word} {probability:.3f}" for word, probability in blank)
            screen.line(say("blank {number} alone: {words}", number=number, words=named))
    screen.answer(asdict(found), next=shlex.join(["langwright", "embed", model, "FILE", "OUT.npy"]), beside=True)


FILL = Command(
    name="fill",
    section="Use a model",
    summary="Fill the blanks of a text",
    examples=(
        'langwright fill runs/encoder "The capital of France is [MASK]."',
        "langwright fill runs/encoder 床前[MASK]月光，疑是地上[MASK]。",
        'langwright fill runs/encoder "她住在[MASK]。" --words 北京,乌鲁木齐',
    ),
    run=fill,
)
