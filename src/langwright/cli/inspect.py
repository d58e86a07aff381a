"""`langwright tokenizer inspect TOKENIZER TEXT`: how a tokenizer cuts a text, and what that costs."""

from __future__ import annotations

from typing import Annotated

import typer

from langwright.cli.sampling import read_input
from langwright.cli.screen import screen_of
from langwright.cli.teaching import Command


def inspect(
    ctx: typer.Context,
    tokenizer: Annotated[
        str, typer.Argument(metavar="TOKENIZER", help="A tokenizer or a model: its folder, or the name of a run")
    ],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text to cut; @FILE reads a file, - standard input")],
) -> None:
    """Show tokens, bytes per token and unknowns."""
    screen = screen_of(ctx)
    given = read_input(text)


INSPECT = Command(
    name="tokenizer inspect",
    section="Use a model",
    summary="Show how a tokenizer cuts a text, and what that costs",
    examples=('langwright tokenizer inspect runs/tokenizer "Once upon a time 从前"',),
    run=inspect,
)
