"""`langwright history ARTIFACT`: what an artifact was made from, down to the raw files, and whether that is still so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from langwright.artifacts import Artifact, Origin, open_artifact, source_origin, verify
from langwright.cli.screen import screen_of
from langwright.cli.stage import next_command
from langwright.cli.teaching import Command
from langwright.errors import UserError
from langwright.stages import STAGES
from langwright.wording import say
from langwright.workspace import Workspace

State = Literal["unchanged", "changed", "gone"]


@dataclass(frozen=True)
class Ancestor:
    """An input, as it was then and as it is now."""

    origin: Origin
    state: State
    inputs: tuple[Ancestor, ...]


def history(
    ctx: typer.Context,
    artifact: Annotated[str, typer.Argument(metavar="ARTIFACT", help="An artifact: its folder, or the name of a run")],
) -> None:
    """Print the tree, with what has changed since."""
    screen = screen_of(ctx)
    opened = open_artifact(Workspace().path(artifact))
    damaged = verify(opened)
    origin = opened.origin("")
    ancestors = tuple(traced(given) for given in origin.inputs)
    screen.line(
        f"{opened.path}  {say(opened.kind)}  {origin.digest[:12]}  {say('damaged') if damaged else ''}".rstrip()
    )
    if opened.card is not None:
        screen.line(say("made {time} by {stage}", time=opened.card.made_at, stage=opened.card.stage))
        screen.line(f"  {' '.join(opened.card.command)}")
    else:
        screen.line(say("not made here: a Hugging Face folder without a card"))
    for line in tree(ancestors):
        screen.line(line)
    for name in damaged:
        screen.line(say("{name} is not what the card says", name=name))
    screen.answer(
        {
            "artifact": str(opened.path), "kind": opened.kind, "digest": origin.digest, "damaged": damaged,
            "stage": opened.card.stage if opened.card else "", "made_at": opened.card.made_at if opened.card else "",
            "command": list(opened.card.command) if opened.card else [],
            "inputs": [as_table(ancestor) for ancestor in ancestors],
        },
        next=after(opened),
    )  # fmt: skip


def after(artifact: Artifact) -> str:
    """What may be done with an artifact: the next command of the stage that made it."""
    stage = STAGES.get(artifact.card.stage) if artifact.card else None
    return next_command(stage, artifact) if stage else f"langwright generate {artifact.path} 'Once upon a time'"


def traced(origin: Origin) -> Ancestor:
    """An input with its own, each compared with what lies at its path now."""
    return Ancestor(origin, state_of(origin), tuple(traced(given) for given in origin.inputs))


def state_of(origin: Origin) -> State:
    """Whether what lies at an origin's path is what was read then."""
    path = Path(origin.path)
    if not path.exists():
        return "gone"
    try:
        now = source_origin(path).digest if origin.kind == "source" else open_artifact(path).digest
    except UserError:
        return "changed"  # damaged, or no artifact any more
    return "unchanged" if now == origin.digest else "changed"


def tree(ancestors: Sequence[Ancestor], indent: str = "") -> Iterator[str]:
    """A line an input, its own below it."""
    for number, ancestor in enumerate(ancestors, 1):
        last = number == len(ancestors)
        origin = ancestor.origin
        words = [say(origin.role), origin.path, say(origin.kind), origin.digest[:12]]
        if origin.stage:
            words.append(origin.stage)
        if ancestor.state != "unchanged":
            words.append(say("changed since") if ancestor.state == "changed" else say("no longer there"))
        yield f"{indent}{'└─' if last else '├─'} {'  '.join(words)}"
        yield from tree(ancestor.inputs, indent + ("   " if last else "│  "))


def as_table(ancestor: Ancestor) -> dict[str, object]:
    """An input as an object."""
    origin = ancestor.origin
    return {
        "role": origin.role, "path": origin.path, "kind": origin.kind, "digest": origin.digest, "stage": origin.stage,
        "state": ancestor.state, "inputs": [as_table(given) for given in ancestor.inputs],
    }  # fmt: skip


HISTORY = Command(
    name="history",
    section="Look after runs",
    summary="Show what an artifact was made from, down to the raw files, and what has changed since",
    examples=("langwright history runs/chat",),
    run=history,
)
