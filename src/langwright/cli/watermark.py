"""`langwright watermark key|detect`: make a secret key, and say whether a text was written under it."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import Field

from langwright.cli.sampling import read_input
from langwright.cli.screen import screen_of
from langwright.cli.teaching import Command
from langwright.errors import UserError
from langwright.inference.watermark.settings import KGW, WatermarkSettings
from langwright.settings import Settings, parse_value, read_settings
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.inference.protocol import Sampling
    from langwright.inference.watermark.keys import Mark

WatermarkFile = Annotated[
    str | None,
    typer.Option("--watermark", metavar="FILE", help="Mark what is written, by a key file of `langwright watermark key`"),
]  # fmt: skip


class Marking(Settings):
    """What `watermark key` can be told."""

    mark: WatermarkSettings = KGW()


class Detecting(Settings):
    """What `watermark detect` can be told."""

    false_positives: Annotated[
        float, Field(gt=0, lt=1, description="Share of unmarked texts that may be called marked")
    ] = 0.01


def read_mark_for(path: str | None, sampling: Sampling) -> Mark | None:
    """The watermark of a key file, or none.

    raises  UserError when it is no key file, or the mark cannot show in greedy text
    """
    if path is None:
        return None
    from langwright.inference.watermark.keys import read_mark

    mark = read_mark(Path(path))
    if mark.settings.kind == "synthid" and sampling.temperature == 0:
        raise UserError(
            "a SynthID watermark is in what is drawn, and at temperature 0 nothing is",
            fix="give --temperature 0.8, or a key file made with --kind kgw",
        )
    return mark


# --- commands ------------------------------------------------------------------------------------


def key(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The key file to make")],
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            metavar="kgw|synthid",
            help="How text is marked: kgw makes some tokens likelier, synthid draws by a tournament",
        ),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting of the watermark; may be given again"),
    ] = None,
) -> None:
    """Make a key file, which nobody but its owner may read."""
    screen = screen_of(ctx)
    settings = read_settings(Marking, sets=[f"mark.{item}" for item in sets or ()], given={"mark.kind": kind}).mark
    from langwright.inference.watermark.keys import new_mark, save_mark

    save_mark(new_mark(settings), Path(file))
    screen.line(say("{path}: a new key; who has it can find the mark, and forge it", path=file))
    after = shlex.join(["langwright", "generate", "MODEL", "PROMPT", "--temperature", "0.8", "--watermark", file])
    screen.answer({"path": file, "mark": settings.model_dump(mode="json"), "next": after}, next=after)


def detect(
    ctx: typer.Context,
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="The text to judge; @FILE reads a file, - standard input")
    ],
    model: Annotated[
        str, typer.Option("--model", metavar="MODEL", help="The model that may have written it, for its tokenizer")
    ],
    key_file: Annotated[str, typer.Option("--key-file", metavar="FILE", help="The key that it may be marked by")],
    prompt: Annotated[
        str, typer.Option("--prompt", metavar="TEXT", help="What stood before the text, if known; it is not counted")
    ] = "",
    false_positives: Annotated[
        str | None,
        typer.Option("--false-positives", metavar="P", help="Share of unmarked texts that may be called marked"),
    ] = None,
) -> None:
    """Look for the mark, and say how sure one can be."""
    screen = screen_of(ctx)
    given = {"false_positives": None if false_positives is None else parse_value(false_positives)}
    allowed = read_settings(Detecting, given=given).false_positives
    written, before = read_input(text), read_input(prompt)
    from langwright.inference.watermark.keys import read_mark
    from langwright.inference.watermark.reading import evidence_in
    from langwright.tasks.front.finding import find_model
    from langwright.tokenizers.loading import load_tokenizer

    mark = read_mark(Path(key_file))
    found = evidence_in(load_tokenizer(find_model(model)), mark, written, before)
    threshold, verdict = found.threshold(allowed), found.verdict(allowed)
    screen.line(say(verdict))
    screen.table(
        [
            [f"  {say('tokens counted')}", f"{found.scored:,}"],
            [f"  {say('score of the mark')}", f"{found.score:.4f}", say("by chance {expected}", expected=f"{found.expected:.4f}")],
            ["  z", f"{found.z:.3f}", "" if threshold is None else say("needed {threshold}", threshold=f"{threshold:.3f}")],
            ["  p", f"{found.p_value:.3g}", say("allowed {allowed}", allowed=allowed)],
        ]
    )  # fmt: skip
    answer = asdict(found) | {"z": found.z, "threshold": threshold, "verdict": verdict, "false_positives": allowed}
    screen.answer(answer, beside=True)


KEY = Command(
    name="watermark key",
    section="Use a model",
    summary="Make a secret key to mark what a model writes",
    examples=("langwright watermark key keys/mine.json", "langwright watermark key keys/synthid.json --kind synthid"),
    run=key,
)
DETECT = Command(
    name="watermark detect",
    section="Use a model",
    summary="Say whether a text was marked under a key, and how sure that is",
    examples=(
        "langwright watermark detect @letter.txt --model runs/base --key-file keys/mine.json",
        'langwright watermark detect "从前有座山" --model runs/base --key-file keys/mine.json --false-positives 0.001',
    ),
    run=detect,
)
WATERMARK = (KEY, DETECT)
