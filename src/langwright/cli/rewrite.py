"""`langwright rewrite offer` and `langwright rewrite decide`: rewriting a text together with a model."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from langwright.cli.sampling import MaxNewTokens, Seed, Sets, Tries, read_input, read_sampling
from langwright.cli.screen import Screen, screen_of
from langwright.cli.teaching import Command
from langwright.errors import UserError, unknown
from langwright.tasks.rewording import RewritingInput, Way
from langwright.tasks.solving.drafting import USUAL, complaints
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.tasks.together.deciding import Session

SESSION = Annotated[str, typer.Argument(metavar="SESSION", help="A JSON file that keeps the text and what was decided")]


def offer(
    ctx: typer.Context,
    session: SESSION,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model that writes")],
    text: Annotated[
        str | None,
        typer.Option("--text", metavar="TEXT", help="The text to begin with, for a new session; @FILE reads a file"),
    ] = None,
    way: Annotated[
        list[str] | None,
        typer.Option(
            "--way",
            metavar="WAY",
            help="In what a suggestion is to differ: shorter, longer, plainer, more formal, livelier or gentler; may be given again",
        ),
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", metavar="WORD", help="A word that has to stay; may be given again")
    ] = None,
    tries: Tries = 4,
    max_new_tokens: MaxNewTokens = None,
    seed: Seed = None,
    sets: Sets = None,
) -> None:
    """Ask for suggestions about the text as it stands, and keep them in the session."""
    screen = screen_of(ctx)
    from langwright.tasks.front.loading import load
    from langwright.tasks.together.deciding import save

    file = Path(session)
    held = begun(file, None if text is None else read_input(text))
    sampling = read_sampling({"max_new_tokens": max_new_tokens, "seed": seed}, sets or (), **USUAL)
    ways = tuple(named(one) for one in way) if way else ("shorter", "plainer", "more formal")
    asked = held.asked(
        RewritingInput(text=held.text, ways=ways, keep=tuple(keep or ()), tries=tries, sampling=sampling)
    )
    with load(model) as opened:
        found = opened.solve("rewriting", asked)
    held = held.offered(found.suggestions)  # type: ignore[attr-defined]
    save(file, held)
    show(screen, held)
    screen.answer(told(held, file), next=shlex.join(["langwright", "rewrite", "decide", session, "--accept", str(held.open[0])]))  # fmt: skip


def decide(
    ctx: typer.Context,
    session: SESSION,
    accept: Annotated[
        int | None, typer.Option("--accept", metavar="N", help="Take suggestion N; with --edit, as edited")
    ] = None,
    reject: Annotated[
        list[int] | None,
        typer.Option(
            "--reject", metavar="N", help="Turn suggestion N down, so that it is not offered again; may be given again"
        ),
    ] = None,
    edit: Annotated[
        str | None, typer.Option("--edit", metavar="TEXT", help="Your own text instead; @FILE reads a file")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Go back to the text before")] = False,
) -> None:
    """Write down what was decided; without options, show what there is."""
    screen = screen_of(ctx)
    from langwright.tasks.together.deciding import read_session, save

    file = Path(session)
    held = read_session(file)
    if undo and (accept is not None or edit is not None):
        raise UserError("--undo does not go together with --accept or --edit", fix="give one of them")
    if reject:
        held = held.rejected(reject)
    if accept is not None:
        held = held.accepted(accept, None if edit is None else read_input(edit))
    elif edit is not None:
        held = held.edited(read_input(edit))
    elif undo:
        held = held.undone()
    save(file, held)
    show(screen, held)
    screen.answer(told(held, file), next=shlex.join(["langwright", "rewrite", "offer", session, "MODEL"]))


def begun(file: Path, text: str | None) -> Session:
    """The session of a file, or a new one.

    raises  UserError for a text where there is a session already, and for none where there is none
    """
    from langwright.tasks.together.deciding import Session, read_session

    if file.exists() and text is not None:
        raise UserError(
            "{path} is a session already, with a text of its own",
            fix="leave --text out to go on with it, change the text with `langwright rewrite decide {path} --edit TEXT`, or name another file",
            path=file,
        )
    if file.exists():
        return read_session(file)
    if text is None or not text.strip():
        raise UserError(
            "{path} is not there, and no text to begin with is given", fix="give one with --text", path=file
        )
    return Session(texts=(text,))


def named(way: str) -> Way:
    """A way by its name; UserError when there is none."""
    ways: tuple[Way, ...] = get_args(Way)
    found = next((one for one in ways if one == way), None)
    if found is None:
        raise unknown("way", way, get_args(Way))
    return found


def show(screen: Screen, held: Session) -> None:
    """The text as it stands, then what is open."""
    screen.line(held.text)
    for number in held.open:
        offer = held.offers[number - 1]
        screen.line()
        screen.line(f"[{number}] {say(offer.suggestion.way)}: {offer.text}")
        for line in complaints(offer.suggestion.draft.checks):
            screen.note(line)


def told(held: Session, file: Path) -> dict[str, object]:
    """The session as one object."""
    return {"session": str(file), "text": held.text, "open": held.open, **held.model_dump(mode="json")}


REWRITE = (
    Command(
        name="rewrite offer",
        section="Use a model",
        summary="Suggest ways to rewrite a text, to be accepted or rejected",
        examples=(
            'langwright rewrite offer letter.json runs/chat --text "We regret to tell you that it is late."',
            'langwright rewrite offer letter.json runs/chat --way gentler --way "more formal"',
        ),
        run=offer,
    ),
    Command(
        name="rewrite decide",
        section="Use a model",
        summary="Accept, edit or reject what was suggested, or go back",
        examples=(
            "langwright rewrite decide letter.json --accept 2 --reject 1",
            'langwright rewrite decide letter.json --edit "I am sorry: it is late."',
            "langwright rewrite decide letter.json --undo",
        ),
        run=decide,
    ),
)
