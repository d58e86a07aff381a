"""`langwright studio [MODEL...]`: the studio in a browser, over the server of this folder, which is started when none runs."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from langwright.cli.sampling import read_ways
from langwright.cli.screen import Screen, screen_of
from langwright.cli.serve import Address, HostName, PortNumber, ServerSets, open_all
from langwright.cli.stores import SealKey, StoreUrl, opened
from langwright.cli.teaching import Command
from langwright.settings import parse_value, read_settings
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.tasks.front.loading import Model

MAX_BATCH = 8
ANSWERS_S = 2.0


def studio(
    ctx: typer.Context,
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]", help="Models to load at once; others are loaded in the studio"),
    ] = None,
    host: HostName = None,
    port: PortNumber = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only say where it is")] = False,
    store: StoreUrl = None,
    seal_key: SealKey = None,
    sets: ServerSets = None,
) -> None:
    """Open the browser on a server that runs already, or start one and answer until Ctrl-C or SIGTERM."""
    screen = screen_of(ctx)
    address = read_settings(Address, given={"host": host, "port": None if port is None else parse_value(port)})
    running = f"http://{address.host}:{address.port}"
    if address.port and answers(running):
        screen.note(say("a server is there already; it shows the folder that it was started in"))
        opened_at(screen, running, browser=not no_browser)
        return
    from langwright.serving.running import listen, serve, url_of
    from langwright.serving.settings import ServingSettings
    from langwright.serving.stores.opening import serving

    settings = read_settings(ServingSettings, sets=sets or ())
    listener = listen(address.host, address.port)
    with closing(listener), opened(store, seal_key, texts=True) as stores, serving(stores):
        ready: dict[str, Model] = open_all(screen, models or (), MAX_BATCH, read_ways(None, False, None, None, None))
        url = url_of(address.host, listener)
        serve(
            ready, address.host, address.port, settings=settings, stores=stores, listener=listener,
            ready=lambda _: opened_at(screen, url, browser=not no_browser),
        )  # fmt: skip
    screen.note(say("stopped"))


def answers(url: str) -> bool:
    """Whether a server of ours is there."""
    import httpx

    try:
        found = httpx.get(f"{url}/health/live", timeout=ANSWERS_S, trust_env=False)
        return found.status_code == 200 and found.json() == {"status": "alive"}
    except (httpx.HTTPError, ValueError):
        return False


def opened_at(screen: Screen, url: str, *, browser: bool) -> None:
    """Say where the studio is, and show it."""
    import webbrowser

    screen.line(say("the studio: {url}  (stop: Ctrl-C)", url=url))
    screen.answer({"url": url})
    if browser and not webbrowser.open(url):
        screen.note(say("no browser could be opened; open that address in one"))


STUDIO = Command(
    name="studio",
    section="Use a model",
    summary="Everything without code: data, training and models in a browser",
    examples=("langwright studio", "langwright studio runs/chat --no-browser --port 8080"),
    run=studio,
)
