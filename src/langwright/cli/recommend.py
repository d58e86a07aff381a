"""`langwright recommend`: items on a shelf, recommended to users, learned from their feedback."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from langwright.cli.screen import screen_of
from langwright.cli.teaching import Command
from langwright.errors import UserError
from langwright.settings import read_settings
from langwright.wording import say

SHELF = Annotated[str, typer.Argument(metavar="SHELF", help="The folder that keeps items, their vectors and tastes")]
USER = Annotated[str, typer.Option("--user", metavar="NAME", help="For whom; any name, a new one knows nothing yet")]


def shelve(
    ctx: typer.Context,
    shelf: SHELF,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model that turns texts into vectors")],
    items: Annotated[str, typer.Argument(metavar="ITEMS", help="JSONL file of items, each with id and text")],
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Of a new shelf: dimensions, explore, ridge or forget"),
    ] = None,
) -> None:
    """Make a shelf, or put more items on the one that is there."""
    screen = screen_of(ctx)
    from langwright.tasks.front.loading import load
    from langwright.tasks.together.recommending import STATE, RecommendSettings, Shelf, open_shelf, read_items

    folder, more = Path(shelf), read_items(Path(items))
    old = open_shelf(folder) if (folder / STATE).exists() else None
    if old is not None and sets:
        raise UserError("{path} has its settings already", fix="leave --set out, or make a new shelf", path=folder)
    if old is not None and old.model != model:
        raise UserError(
            "the vectors of {path} are those of {model}",
            fix="use the same model, or make a new shelf",
            path=folder,
            model=old.model,
        )
    settings = read_settings(RecommendSettings, sets=sets or ())
    with load(model) as opened:

        def embed(texts):  # type: ignore[no-untyped-def]
            return opened.embed(list(texts), normalise=True, truncate=True)

        if old is None:
            old = Shelf.of(more, embed, settings, model)
        else:
            old.add(more, embed)
    old.save(folder)
    screen.line(say("{count} items on {path}, {dimensions} dimensions", count=len(old.items), path=folder, dimensions=old.vectors_ND.shape[1]))  # fmt: skip
    screen.answer({"shelf": shelf, "items": len(old.items)}, next=shlex.join(["langwright", "recommend", "next", shelf, "--user", "NAME"]))  # fmt: skip


def following(
    ctx: typer.Context,
    shelf: SHELF,
    user: USER,
    count: Annotated[int, typer.Option("--n", metavar="N", min=1, help="How many")] = 5,
    again: Annotated[bool, typer.Option("--again", help="Also those that the user gave feedback on")] = False,
) -> None:
    """What to show next."""
    screen = screen_of(ctx)
    from langwright.tasks.together.recommending import open_shelf

    found = open_shelf(Path(shelf)).recommend(user, count, again=again)
    heads = [say(word) for word in ("item", "value", "expected", "unsure", "text")]
    rows = [
        [one.item.id, f"{one.score:.3f}", f"{one.expected:.3f}", f"{one.unsure:.3f}", one.item.text[:40]]
        for one in found
    ]
    screen.table([heads, *rows])
    data = [{"id": one.item.id, "score": one.score, "expected": one.expected, "unsure": one.unsure} for one in found]
    first = found[0].item.id if found else "ITEM"
    screen.answer({"user": user, "items": data}, next=shlex.join(["langwright", "recommend", "feedback", shelf, first, "1", "--user", user]))  # fmt: skip


def feedback(
    ctx: typer.Context,
    shelf: SHELF,
    item: Annotated[str, typer.Argument(metavar="ITEM", help="The id of what was shown")],
    reward: Annotated[float, typer.Argument(metavar="REWARD", help="What it was worth, from 0 to 1")],
    user: USER,
) -> None:
    """Learn from what a user did."""
    screen = screen_of(ctx)
    from langwright.tasks.together.recommending import open_shelf

    held = open_shelf(Path(shelf))
    held.feedback(user, item, reward)
    held.save(Path(shelf))
    screen.line(say("{user} has given feedback {count} times", user=user, count=held.taste(user).count))
    screen.answer({"user": user, "count": held.taste(user).count}, next=shlex.join(["langwright", "recommend", "next", shelf, "--user", user]))  # fmt: skip


RECOMMEND = (
    Command(
        name="recommend shelve",
        section="Use a model",
        summary="Put items on a shelf to be recommended, placed by a model's vectors",
        examples=(
            "langwright recommend shelve runs/shelf runs/embedder articles.jsonl",
            "langwright recommend shelve runs/shelf runs/embedder articles.jsonl --set explore=0.3 --set forget=0.99",
        ),
        run=shelve,
    ),
    Command(
        name="recommend next",
        section="Use a model",
        summary="Show what to recommend to a user next",
        examples=("langwright recommend next runs/shelf --user ann --n 3",),
        run=following,
    ),
    Command(
        name="recommend feedback",
        section="Use a model",
        summary="Learn from what a user did with an item",
        examples=("langwright recommend feedback runs/shelf a17 1 --user ann",),
        run=feedback,
    ),
)
