"""`langwright tokenizer inspect TOKENIZER TEXT`: how a tokenizer cuts a text, and what that costs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from langwright.cli.sampling import read_input
from langwright.cli.screen import columns, folded, screen_of
from langwright.cli.teaching import Command
from langwright.wording import say
from langwright.workspace import Workspace

if TYPE_CHECKING:
    from langwright.tokenizers.inspection import Piece

LINE = 96  # columns


def inspect(
    ctx: typer.Context,
    tokenizer: Annotated[
        str, typer.Argument(metavar="TOKENIZER", help="A tokenizer or a model: its folder, or the name of a run")
    ],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text to cut; @FILE reads a file, - standard input")],
) -> None:
    """Show tokens, bytes per token and unknowns, and what our sample texts cost."""
    screen = screen_of(ctx)
    given = read_input(text)
    from langwright.tokenizers.inspection import inspect as cut
    from langwright.tokenizers.inspection import report_on
    from langwright.tokenizers.loading import load_tokenizer

    opened = load_tokenizer(Path(Workspace().path(tokenizer)))
    found, report = cut(opened, given), report_on(opened, {})
    for line in folded(" ".join(shown(piece) for piece in found.pieces), LINE):
        screen.line(line)
    screen.line(
        say(
            "{tokens} tokens for {characters} characters, {bytes} bytes: {rate} bytes a token, {unknown} unknown",
            tokens=found.tokens, characters=found.characters, bytes=found.bytes,
            rate=f"{found.bytes_per_token:.2f}", unknown=found.unknown,
        )
    )  # fmt: skip
    screen.line()
    screen.line(say("vocabulary of {size} tokens; our sample texts cost:", size=f"{report.vocab_size:,}"))
    heads = ["", say("bytes a token"), say("tokens a character"), say("unknown")]
    rows = [
        [f"  {group.name}", f"{group.bytes_per_token:.2f}", f"{group.tokens_per_character:.2f}", str(group.unknown)]
        for group in report.groups
    ]
    for line in columns([heads, *rows]):
        screen.line(line)
    screen.line(f"{say('longest tokens')}: {' '.join(repr(token) for token in report.longest[:8])}")
    screen.answer(
        {"inspection": found.model_dump(mode="json"), "report": report.model_dump(mode="json")},
        next=shlex.join(["langwright", "pretrain", "DATASET", tokenizer, "runs/base"]),
    )


def shown(piece: Piece) -> str:
    """A token between bars: its text with blanks made visible, or its bytes where it is part of a character."""
    if piece.text is None:
        return f"⟨{piece.bytes}⟩"
    return f"[{piece.text}]".replace(" ", "␣").replace("\n", "↵").replace("\t", "⇥")


INSPECT = Command(
    name="tokenizer inspect",
    section="Use a model",
    summary="Show how a tokenizer cuts a text, and what that costs",
    examples=('langwright tokenizer inspect runs/tokenizer "Once upon a time 从前"',),
    run=inspect,
)
