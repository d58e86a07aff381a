"""`langwright cowrite`: an article written together with a model, step by step, in a file that is gone on with."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from langwright.cli.sampling import MaxNewTokens, Seed, Sets, Tries, read_input, read_sampling
from langwright.cli.screen import Screen, screen_of
from langwright.cli.teaching import Command
from langwright.errors import UserError
from langwright.tasks.solving.drafting import USUAL, complaints
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.tasks.together.cowriting import Document

FILE = Annotated[str, typer.Argument(metavar="FILE", help="A JSON file that keeps the article and what was decided")]
HEADINGS = Annotated[
    list[str] | None,
    typer.Option(
        "--heading",
        metavar="HEADING",
        help="A section of your own outline, as 'Heading: point; point'; give it once for each",
    ),
]


def begin(
    ctx: typer.Context,
    file: FILE,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What the article is called")],
    brief: Annotated[
        str, typer.Option("--brief", metavar="TEXT", help="What it is to say, and for whom; @FILE reads a file")
    ] = "",
    sections: Annotated[int, typer.Option("--sections", metavar="N", min=1, max=20, help="How many sections")] = 4,
    heading: HEADINGS = None,
) -> None:
    """Write a new document; refused where there is a file already."""
    screen = screen_of(ctx)
    from langwright.tasks.solving.languages import language_of
    from langwright.tasks.together.cowriting import Document
    from langwright.tasks.together.deciding import save

    path = Path(file)
    if path.exists():
        raise UserError("{path} already exists", fix="go on with it, or name another file", path=path)
    made = Document(title=title, brief=read_input(brief), sections=sections, language=language_of(title))
    if heading:
        made = made.planned(tuple(map(read_heading, heading)))
    save(path, made)
    show_state(screen, made)
    screen.answer(told(made, path), next=shlex.join(["langwright", "cowrite", "go", file, "MODEL"]))


def go(
    ctx: typer.Context,
    file: FILE,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model that writes")],
    section: Annotated[
        int | None,
        typer.Option("--section", metavar="N", min=1, help="Which section; the first open one when left out"),
    ] = None,
    tries: Tries = 4,
    max_new_tokens: MaxNewTokens = None,
    seed: Seed = None,
    sets: Sets = None,
) -> None:
    """Let the model propose what comes next: the outline, then a section."""
    screen = screen_of(ctx)
    from langwright.tasks.front.loading import load
    from langwright.tasks.together.cowriting import read_document
    from langwright.tasks.together.deciding import save

    path = Path(file)
    held = read_document(path)
    usual = {**USUAL, "max_new_tokens": 512}
    sampling = read_sampling({"max_new_tokens": max_new_tokens, "seed": seed}, sets or (), **usual)
    with load(model) as opened:
        held = held.proposed(opened, section, sampling, tries)
    save(path, held)
    show_state(screen, held)
    number = 0 if held.outline == "proposed" else waiting(held)[0]
    screen.answer(told(held, path), next=shlex.join(["langwright", "cowrite", "decide", file, "--accept", str(number)]))


def decide(
    ctx: typer.Context,
    file: FILE,
    accept: Annotated[
        list[int] | None,
        typer.Option("--accept", metavar="N", help="Take section N as proposed, 0 the outline; may be given again"),
    ] = None,
    reject: Annotated[
        list[int] | None,
        typer.Option("--reject", metavar="N", help="Turn section N down, 0 the outline; may be given again"),
    ] = None,
    edit: Annotated[
        list[str] | None,
        typer.Option(
            "--edit", metavar="N=TEXT", help="Your own text of section N; N=@FILE reads a file; may be given again"
        ),
    ] = None,
    start: Annotated[
        list[str] | None,
        typer.Option(
            "--start", metavar="N=TEXT", help="How section N begins; the model goes on from there; may be given again"
        ),
    ] = None,
    heading: HEADINGS = None,
) -> None:
    """Write down what was decided; all or, where one of it cannot be, nothing."""
    screen = screen_of(ctx)
    from langwright.tasks.together.cowriting import read_document
    from langwright.tasks.together.deciding import save

    path = Path(file)
    held = read_document(path)
    if heading:
        held = held.planned(tuple(map(read_heading, heading)))
    for number in reject or ():
        held = held.turned_down(number)
    for number in accept or ():
        held = held.accepted(number)
    for place, text in map(read_numbered, edit or ()):
        held = held.edited(place, text)
    for place, text in map(read_numbered, start or ()):
        held = held.begun(place, text)
    save(path, held)
    show_state(screen, held)
    words = ["show", file] if held.done else ["go", file, "MODEL"]
    screen.answer(told(held, path), next=shlex.join(["langwright", "cowrite", *words]))


def show(
    ctx: typer.Context,
    file: FILE,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Write it there instead, as Markdown")
    ] = None,
) -> None:
    """The article as it stands, in Markdown."""
    screen = screen_of(ctx)
    from langwright.files import write_whole
    from langwright.tasks.together.cowriting import read_document

    held = read_document(Path(file))
    if out is None:
        screen.line(held.markdown())
    else:
        write_whole(Path(out), held.markdown().encode())
    screen.answer(told(held, Path(file)) | {"markdown": held.markdown(), "out": out})


def read_heading(text: str):  # type: ignore[no-untyped-def]
    """A section as it is written on the command line.

    >>> read_heading("Roots: how deep; how wide").points
    ('how deep', 'how wide')
    """
    from langwright.tasks.article import Heading

    heading, _, points = text.replace("：", ":").replace("；", ";").partition(":")
    return Heading(heading=heading.strip(), points=tuple(one.strip() for one in points.split(";") if one.strip()))


def read_numbered(text: str) -> tuple[int, str]:
    """N=TEXT as a number and a text; UserError where it is not."""
    number, equals, said = text.partition("=")
    if not equals or not number.strip().isdecimal():
        raise UserError("{text} does not begin with a number and =", fix="write it like 2=TEXT or 2=@FILE", text=text)
    return int(number), read_input(said)


def waiting(held: Document) -> list[int]:
    """Numbers of the sections that were proposed."""
    return [number for number, one in enumerate(held.chapters, 1) if one.state == "proposed"]


def show_state(screen: Screen, held: Document) -> None:
    """The outline with the state of each section, then what was proposed."""
    screen.line(f"{held.title} ({say('outline')}: {say(held.outline)})")
    for number, one in enumerate(held.chapters, 1):
        screen.line(f"  {number}. {one.heading.heading} ({say(one.state)})")
    for number in waiting(held):
        proposal = held.chapters[number - 1].proposal
        assert proposal is not None
        screen.line()
        screen.line(f"[{number}] {proposal.text}")
        for line in complaints(proposal.checks):
            screen.note(line)


def told(held: Document, path: Path) -> dict[str, object]:
    """The document as one object."""
    return {"file": str(path), "done": held.done, **held.model_dump(mode="json")}


COWRITE = (
    Command(
        name="cowrite begin",
        section="Use a model",
        summary="Begin an article that is written together with a model",
        examples=(
            'langwright cowrite begin bees.json "How bees find their way" --brief "For children, with an experiment"',
            'langwright cowrite begin tea.json "茶的历史" --heading "起源: 传说；史料" --heading "传播"',
        ),
        run=begin,
    ),
    Command(
        name="cowrite go",
        section="Use a model",
        summary="Let the model propose what comes next: the outline, then section by section",
        examples=("langwright cowrite go bees.json runs/chat", "langwright cowrite go bees.json runs/chat --section 2"),
        run=go,
    ),
    Command(
        name="cowrite decide",
        section="Use a model",
        summary="Accept, reject or edit what was proposed, or begin a section yourself",
        examples=(
            "langwright cowrite decide bees.json --accept 0",
            'langwright cowrite decide bees.json --reject 1 --start "1=A bee leaves the hive at dawn."',
            "langwright cowrite decide bees.json --edit 2=@section.txt",
        ),
        run=decide,
    ),
    Command(
        name="cowrite show",
        section="Use a model",
        summary="Show the article as it stands, in Markdown",
        examples=("langwright cowrite show bees.json", "langwright cowrite show bees.json --out bees.md"),
        run=show,
    ),
)
