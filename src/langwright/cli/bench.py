"""`langwright bench serve URL|MODEL`: put a server under load and say what its users would meet."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from langwright.cli.plot import curve
from langwright.cli.sampling import read_input
from langwright.cli.screen import measure_rows, screen_of
from langwright.cli.teaching import Command
from langwright.errors import UserError
from langwright.inference.remote.addresses import is_url
from langwright.settings import parse_value, read_settings
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.serving.measured.load import LoadSettings, Outcome

START_S = 600.0  # for a server of a large model


def bench_serve(
    ctx: typer.Context,
    target: Annotated[
        str,
        typer.Argument(
            metavar="URL|MODEL", help="A server's URL, with #NAME where it has several models, or a model to serve here"
        ),
    ],
    rate: Annotated[
        str | None,
        typer.Option("--rate", metavar="R", help="Requests a second, which come at random and wait for nobody"),
    ] = None,
    users: Annotated[
        str | None,
        typer.Option("--users", metavar="N", help="Instead of a rate: users who ask when they were answered"),
    ] = None,
    requests: Annotated[str | None, typer.Option("--requests", metavar="N", help="How many requests are made")] = None,
    prompts: Annotated[
        str | None,
        typer.Option(
            "--prompts", metavar="@FILE", help="Prompts to take in turn, one a line; invented ones when left out"
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="DIR", help="Write report.json, a page with a chart, and every request there"),
    ] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting of the load; may be given again")
    ] = None,
) -> None:
    """Find or start the server, make the load, show the measures."""
    screen = screen_of(ctx)
    settings = settings_of(rate, users, requests, sets or ())
    lines = [line for line in read_input(prompts).splitlines() if line.strip()] if prompts else []
    folder = Path(out) if out else None
    if folder is not None and folder.exists():
        raise UserError("{path} already exists", fix="name another file", path=folder)
    from langwright.serving.measured.load_report import chart, first_tokens, measures_of, write_outcomes

    with served(target, settings) as (url, name):
        screen.note(say("{requests} requests to {name}", requests=settings.requests, name=f"{url} ({name})"))
        outcomes = asyncio.run(under_load(url, name, settings, lines))
    measures = measures_of(outcomes, settings, name, shlex.join(screen.command))
    screen.table(measure_rows(measures))
    screen.line(say("seconds to the first token, in order of arrival:"))
    for row in curve(first_tokens(outcomes)):
        screen.line(row)
    if folder is not None:
        from langwright.measures import write_report

        folder.mkdir(parents=True)
        write_report(folder / "report.json", measures)
        write_outcomes(folder / "requests.jsonl", outcomes)
        (folder / "page.html").write_text(chart(outcomes, measures), encoding="utf-8")
    screen.answer({"measures": [measure.model_dump(mode="json") for measure in measures]})


def settings_of(rate: str | None, users: str | None, requests: str | None, sets: Sequence[str]) -> LoadSettings:
    """The load's settings; UserError where a rate and users are both given."""
    from langwright.serving.measured.load import LoadSettings

    if rate is not None and users is not None:
        raise UserError(
            "a rate and users are two kinds of load", fix="give --rate for a crowd, or --users for users who wait"
        )
    given: dict[str, Any] = {} if requests is None else {"requests": parse_value(requests)}
    if rate is not None:
        given["arrivals"] = {"kind": "open", "rate": parse_value(rate)}
    if users is not None:
        given["arrivals"] = {"kind": "closed", "users": parse_value(users)}
    return read_settings(LoadSettings, given=given, sets=sets)


@contextmanager
def served(target: str, settings: LoadSettings) -> Iterator[tuple[str, str]]:
    """(URL, name of the model) of a server: the one named, or one of the model, started and stopped here."""
    from langwright.inference.remote.children import Child
    from langwright.inference.remote.model import open_remote

    if is_url(target):
        remote = open_remote(target)
        remote.close()
        yield remote.wire.url, remote.name
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "langwright", "serve", target, "--port", "0", "--json", "--max-batch", "32",
                   "--set", f"max_open={max(64, settings.requests)}"]  # fmt: skip
        child = Child(command, Path(folder, "log"))
        try:
            said = child.wait_for(lambda: object_in(child.said()), START_S)
            if "error" in said:
                raise not_served(target, said["error"])
            yield f"{said['url']}/v1", said["models"][0]
        finally:
            child.close()


def not_served(target: str, error: dict[str, str]) -> UserError:
    """What `langwright serve` says when it does not start."""
    return UserError(
        "{name} is not served: {reason}", fix="{remedy}", name=target, reason=error["problem"], remedy=error["fix"]
    )


def object_in(log: str) -> dict[str, Any] | None:
    """The object that a command wrote, once it has."""
    line = next((line for line in log.splitlines() if line.startswith("{")), None)
    found: dict[str, Any] | None = None if line is None else json.loads(line)
    return found


async def under_load(url: str, name: str, settings: LoadSettings, prompts: Sequence[str]) -> list[Outcome]:
    """Make the load over HTTP."""
    from langwright.inference.remote.model import KEY
    from langwright.serving.measured.load import HttpTarget, load

    target = HttpTarget(url, name, os.environ.get(KEY, ""))
    try:
        return await load(target, settings, prompts)
    finally:
        await target.aclose()


BENCH = Command(
    name="bench serve",
    section="Use a model",
    summary="Put a server under load: latencies, throughput, goodput",
    examples=(
        "langwright bench serve http://127.0.0.1:8000 --rate 2 --requests 200",
        "langwright bench serve runs/chat --users 16 --set cancelled=0.1 --out load",
    ),
    run=bench_serve,
)
