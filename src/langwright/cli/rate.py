"""`langwright rate make` and `langwright rate collect`: people judge what models wrote."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from langwright.cli.screen import screen_of
from langwright.cli.teaching import Command
from langwright.errors import UserError
from langwright.wording import current_language, say
from langwright.workspace import Workspace


def make(
    ctx: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE... FOLDER",
            help="Reports with samples or replies, or JSONL files of rows with prompt and text; then the new folder",
        ),
    ],
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Two texts beside each other instead of each on a scale")
    ] = False,
    raters: Annotated[int, typer.Option("--raters", metavar="NUMBER", min=1, help="How many sheets")] = 2,
    highest: Annotated[
        int, typer.Option("--scale", metavar="NUMBER", min=2, help="The highest rating; the lowest is 1")
    ] = 5,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="NUMBER", min=1, help="Most prompts, drawn by the seed")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="NUMBER", min=0, help="Seed of what is drawn")] = 0,
) -> None:
    """Write a sheet for each rater, and the key."""
    screen = screen_of(ctx)
    if len(paths) < 2:
        raise UserError(
            "there is no folder to write sheets to",
            fix="name the sources, then a new folder, as in `langwright rate make runs/chat-measured sheets`",
        )
    from langwright.evaluation.people.rating import make_sheets

    workspace, out = Workspace(), Path(paths[-1])
    sources = [workspace.path(name) for name in paths[:-1]]
    key = make_sheets(sources, out, kind="pairs" if pairs else "ratings", raters=raters, highest=highest, limit=limit, seed=seed)  # fmt: skip
    each = len(key.rows) // raters
    screen.line(say("{sheets} sheets of {rows} rows in {path}; give raters the sheets, not key.json", sheets=raters, rows=each, path=out))  # fmt: skip
    screen.answer(
        {"folder": str(out), "sheets": raters, "rows": each},
        next=shlex.join(["langwright", "rate", "collect", str(out)]),
    )


def collect(
    ctx: typer.Context,
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="The folder with the key and the filled-in sheets")],
) -> None:
    """Read the sheets, show agreement and ratings, write report.json."""
    screen = screen_of(ctx)
    from langwright.evaluation.pages.bilingual import translated
    from langwright.evaluation.pages.numbers import interval_of, value_of
    from langwright.evaluation.people.rated import rated
    from langwright.evaluation.people.rating import read_key, read_sheets
    from langwright.measures import write_report

    here, lang = Path(folder), current_language()
    key = read_key(here)
    judged = read_sheets(here, key)
    measures = rated(judged, key, data=here.resolve().name, command=shlex.join(screen.command))
    screen.line(say("{filled} of {all} rows are filled in", filled=len(judged), all=len(key.rows)))
    screen.table([[f"  {translated(m.name).in_(lang)}", m.model, value_of(m).in_(lang), interval_of(m)] for m in measures])  # fmt: skip
    write_report(here / "report.json", measures)
    screen.answer(
        {"filled": len(judged), "rows": len(key.rows), "measures": [m.model_dump(mode="json") for m in measures]},
        next=shlex.join(["langwright", "gate", str(here / "report.json"), "gate.toml"]),
    )


RATE = (
    Command(
        name="rate make",
        section="Look after runs",
        summary="Write sheets on which people judge what models wrote, without knowing which wrote it",
        examples=(
            "langwright rate make runs/chat-measured sheets",
            "langwright rate make runs/a-measured runs/b-measured sheets --pairs --raters 3",
        ),
        run=make,
    ),
    Command(
        name="rate collect",
        section="Look after runs",
        summary="Read filled-in sheets: how far raters agree, and how the models are rated",
        examples=("langwright rate collect sheets",),
        run=collect,
    ),
)
