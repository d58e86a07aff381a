"""`langwright recipe STAGE`: every setting of a stage with its default, its help and what it accepts, as TOML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from langwright.cli.screen import screen_of
from langwright.cli.teaching import Command
from langwright.errors import unknown
from langwright.settings import recipe as written
from langwright.stages import STAGES
from langwright.stages.declaration import Stage
from langwright.stages.execution import shown


def recipe(
    ctx: typer.Context,
    stage: Annotated[list[str], typer.Argument(metavar="STAGE", help="A stage, such as pretrain or data clean")],
) -> None:
    """Print it, ready to edit."""
    screen = screen_of(ctx)
    found = stage_named(stage)
    text = written(found.settings)
    screen.piece(text if text.endswith("\n") else text + "\n")
    words = found.words
    inputs = " ".join(shown(declared) for declared in found.inputs)
    screen.answer(
        {"stage": found.name, "recipe": text, "schema": found.settings.model_json_schema()},
        next=f"langwright recipe {words} > my.toml && langwright {words} {inputs} OUT --recipe my.toml",
        beside=True,
    )


def stage_named(words: Sequence[str]) -> Stage:
    """A stage by its command's words or its name; UserError with the nearest one."""
    name = "-".join(words).replace("_", "-")
    if name not in STAGES:
        raise unknown("stage", " ".join(words), [stage.words for stage in STAGES.values()])
    return STAGES[name]


RECIPE = Command(
    name="recipe",
    section="Look after runs",
    summary="Write a stage's settings as a TOML recipe to edit",
    examples=("langwright recipe pretrain > pretrain.toml",),
    run=recipe,
)
