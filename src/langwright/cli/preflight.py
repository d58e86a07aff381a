"""What a training run would see, for `langwright check`: shares in words, and a sample with what is learned marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from langwright.cli.plot import curve
from langwright.cli.progress import duration
from langwright.cli.screen import Screen
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.training.preflight import Piece, Preflight

GREEN, PLAIN = "\x1b[32m", "\x1b[0m"
MARKS = ("⟦", "⟧")  # where there are no colours


def show_preflight(screen: Screen, found: Preflight) -> None:
    """Numbers first, then the sample."""
    screen.table([[f"  {name}", value] for name, value in numbers(found)])
    if found.rates:
        screen.line(say("learning rate over {steps} updates:", steps=f"{found.steps or len(found.rates):,}"))
        for line in curve(found.rates):
            screen.line(f"  {line}")
    if found.sample:
        screen.line(say("a row as the model sees it; what is learned is marked:"))
        screen.line(marked(found.sample, coloured=screen.out.isatty()))


def numbers(found: Preflight) -> Iterator[tuple[str, str]]:
    """(what, how much) of all that was counted."""
    yield say("documents"), f"{found.documents:,}"
    yield say("tokens"), f"{found.tokens:,}"
    yield say("rows"), f"{found.rows:,}"
    yield say("tokens that are learned"), f"{found.supervised:.1%}"
    yield say("positions that are padding"), f"{found.padding:.1%}"
    yield say("documents cut to fit a row"), f"{found.truncated:,}"
    yield say("tokens unknown to the tokenizer"), f"{found.unknown:.2%}"
    yield say("special tokens twice in a row"), f"{found.doubled:,}"
    yield say("validation texts that stand in training too"), f"{found.leaked:,}"
    if found.labels:
        yield say("labels"), ", ".join(f"{label} {count:,}" for label, count in found.labels.items())
    if found.steps is not None:
        yield say("updates"), f"{found.steps:,}"
        yield say("rows in an update"), f"{found.batch_rows:,}"
        yield say("rows computed at once"), f"{found.micro_rows:,}"
    if found.seconds_per_update is not None:
        yield say("seconds an update"), f"{found.seconds_per_update:.2g}"
        if found.steps is not None:
            yield say("time for all updates"), duration(found.seconds_per_update * found.steps)
    if found.memory_bytes is not None:
        yield say("memory at the most"), f"{found.memory_bytes / 1e9:.1f} GB"


def marked(sample: Sequence[Piece], *, coloured: bool) -> str:
    """The sample's text, what is learned in green or between brackets."""
    before, after = (GREEN, PLAIN) if coloured else MARKS
    return "".join(f"{before}{piece.text}{after}" if piece.supervised else piece.text for piece in sample)
