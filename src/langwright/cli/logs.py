"""`langwright logs OUT --licence NAME`: conversations whose owners agreed become a dataset."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from langwright.artifacts import refuse_existing
from langwright.cli.screen import screen_of
from langwright.cli.stage import make
from langwright.cli.stores import SECTION, SealKey, StoreUrl, opened
from langwright.cli.teaching import Command
from langwright.errors import UserError, unknown
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.wording import say

SCHEMAS: tuple[Literal["chat", "preference"], ...] = ("chat", "preference")


def logs(
    ctx: typer.Context,
    out: Annotated[str, typer.Argument(metavar="OUT", help="Folder to make; it must not exist yet")],
    schema: Annotated[
        str,
        typer.Option(
            "--schema", metavar="chat|preference", help="Conversations, or answers of which one was preferred"
        ),
    ] = "chat",
    licence: Annotated[
        str | None,
        typer.Option("--licence", metavar="NAME", help="The licence under which people agreed that it is used"),
    ] = None,
    store: StoreUrl = None,
    seal_key: SealKey = None,
) -> None:
    """Write rows, and have them read as any other data."""
    from langwright.serving.dialogue.logs import Counted, rows

    screen = screen_of(ctx)
    kind = next((one for one in SCHEMAS if one == schema), None)
    if kind is None:
        raise unknown("schema", schema, SCHEMAS)
    if not licence:
        raise UserError(
            "it is not said under which licence the rows may be used",
            fix="say what people agreed to, such as --licence CC0-1.0 or --licence internal",
        )
    refuse_existing(Path(out))
    counted = Counted()
    with tempfile.TemporaryDirectory(prefix="langwright-logs-") as folder:
        file = Path(folder) / "logs.jsonl"
        with opened(store, seal_key, texts=True) as stores, file.open("w", encoding="utf-8") as stream:
            file.chmod(0o600)
            stream.writelines(row.model_dump_json() + "\n" for row in rows(stores, kind, licence, counted))
        screen.note(
            say(
                "{rows} rows of {conversations} conversations; {refused} without consent, {empty} without anything to learn",
                rows=counted.rows, conversations=counted.conversations, refused=counted.refused, empty=counted.empty,
            )
        )  # fmt: skip
        if not counted.rows:
            raise UserError(
                "there is nothing to make a dataset of",
                fix="conversations count once their owners say learn = true, and have answers, or for preference judgements",
            )
        stage = STAGES["data-read"]
        settings = read_settings(stage.settings, given={"schema_name": kind, "licence": licence})
        make(screen, stage, [str(file), out], settings, restart=True)


LOGS = Command(
    name="logs",
    section=SECTION,
    summary="Make a dataset of conversations whose owners agreed to it",
    examples=(
        "langwright logs runs/talks --licence internal",
        "langwright logs runs/choices --schema preference --licence CC-BY-4.0",
    ),
    run=logs,
)
