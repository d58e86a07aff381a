"""`langwright serve MODEL...`: models over HTTP, in OpenAI's interface, until told to stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import Field

from langwright.cli.sampling import BackendName, GuessBy, PrecisionName, StretchBy, Strict, Ways, read_ways
from langwright.cli.screen import Screen, screen_of
from langwright.cli.stores import SealKey, StoreUrl, opened
from langwright.cli.teaching import Command
from langwright.cli.watermark import WatermarkFile
from langwright.cli.way import way_of
from langwright.errors import UserError
from langwright.settings import Settings, parse_value, read_settings
from langwright.tasks import TASKS
from langwright.tasks.declaration import Task
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.inference.watermark.keys import Mark
    from langwright.tasks.front.loading import Model


class Address(Settings):
    """Where the server listens."""

    host: Annotated[str, Field(description="Address to listen on; 127.0.0.1 is this computer alone")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port to listen on; 0 picks a free one")] = 8000


HostName = Annotated[
    str | None, typer.Option("--host", metavar="H", help="Address to listen on; 127.0.0.1 is this computer alone")
]
PortNumber = Annotated[str | None, typer.Option("--port", metavar="P", help="Port to listen on; 0 picks a free one")]
ServerSets = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting of the server; may be given again")
]


def serve(
    ctx: typer.Context,
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL", help="Models: their folders, names of runs, or hf:owner/name")
    ],
    host: HostName = None,
    port: PortNumber = None,
    max_batch: Annotated[
        str, typer.Option("--max-batch", metavar="N", help="Most texts a model writes at the same time")
    ] = "8",
    adapters: Annotated[
        list[str] | None,
        typer.Option(
            "--adapter",
            metavar="NAME=DIR",
            help="A LoRA adapter beside the first model, asked for as MODEL:NAME; its own adapters need no =DIR",
        ),
    ] = None,
    watermark: WatermarkFile = None,
    precision: PrecisionName = None,
    strict: Strict = False,
    guess: GuessBy = None,
    backend: BackendName = None,
    stretch: StretchBy = None,
    store: StoreUrl = None,
    seal_key: SealKey = None,
    tls_cert: Annotated[
        str | None, typer.Option("--tls-cert", metavar="FILE", help="Encrypt what travels: the certificate, in PEM")
    ] = None,
    tls_key: Annotated[
        str | None, typer.Option("--tls-key", metavar="FILE", help="The certificate's private key, in PEM")
    ] = None,
    sets: ServerSets = None,
) -> None:
    """Claim the port, load the models, answer until Ctrl-C or SIGTERM."""
    screen = screen_of(ctx)
    address = read_settings(Address, given={"host": host, "port": None if port is None else parse_value(port)})
    batch = parse_value(max_batch)
    if not isinstance(batch, int) or batch < 1:
        raise UserError(
            "setting {key} = {value!r} is not allowed", fix="give {allowed}", key="max_batch", value=max_batch,
            allowed=say("a whole number") + ", " + say("at least {bound}", bound=1),
        )  # fmt: skip
    computed = read_ways(precision, strict, guess, backend, stretch)
    from langwright.inference.watermark.keys import read_mark
    from langwright.serving.access.tls import read_tls
    from langwright.serving.running import listen, url_of
    from langwright.serving.running import serve as answer
    from langwright.serving.settings import ServingSettings
    from langwright.serving.stores.opening import serving

    settings = read_settings(ServingSettings, sets=sets or ())
    mark = None if watermark is None else read_mark(Path(watermark))
    tls = read_tls(tls_cert, tls_key)
    listener = listen(address.host, address.port)  # a taken port is said before a model is loaded
    with closing(listener), opened(store, seal_key, texts=True) as stores, serving(stores):
        ready = open_all(screen, models, batch, computed, mark, adapters or ())
        url = url_of(address.host, listener, tls)
        answer(
            ready, address.host, address.port, settings=settings, stores=stores, tls=tls, listener=listener,
            ready=lambda _: announce(screen, url, ready),
        )  # fmt: skip
    screen.note(say("stopped"))


def open_all(
    screen: Screen,
    names: Sequence[str],
    max_batch: int,
    computed: Ways,
    watermark: Mark | None = None,
    adapters: Sequence[str] = (),
) -> dict[str, Model]:
    """The models by the name requests ask for: a folder's own name, with an adapter of it behind a colon.

    raises  UserError when two have the same, or adapters are to be put beside one that does not write
    """
    from langwright.tasks.front.loading import load

    found: dict[str, Model] = {}
    for name in names:
        called = Path(name.removeprefix("hf:")).name
        if called in found:
            raise UserError("two models are called {name!r}", fix="rename one of the folders", name=called)
        screen.note(say("loading {name}", name=name))
        plain = "" if adapters and not found else None  # adapters are put beside the plain model
        model = load(name, max_batch=max_batch, watermark=watermark, adapter=plain, **computed)
        found[called], model.name = model, called
        try:
            if plain is not None or model.text is not None:
                model.local("serve").name = called
            if plain is not None:
                found |= beside(model, adapters)
        except BaseException:
            for one in found.values():
                one.close()
            raise
        if way := way_of(model):
            screen.note(way)
    return found


def beside(model: Model, adapters: Sequence[str]) -> dict[str, Model]:
    """The model once with each of these adapters, by the names requests ask for."""
    from langwright.models.adapters import named_adapter
    from langwright.tasks.front.loading import Model

    found: dict[str, Model] = {}
    base = model.local("serve")
    for given in adapters:
        name, _, folder = given.partition("=")
        assert model.artifact is not None  # a model behind a URL is not served
        lies = Path(folder) if folder else named_adapter(model.artifact.path, name)
        base.engine.load_adapter(name, lies)  # type: ignore[attr-defined]
        twin = base.with_adapter(name)
        twin.name = f"{base.name}:{name}"
        found[twin.name] = Model(twin.name, model.artifact, text=twin)
    return found


def announce(screen: Screen, url: str, models: Mapping[str, Model]) -> None:
    """Say where it is and how to call it."""
    name, first = next(iter(models.items()))
    if first.text is not None:
        body, path = f'{{"model": "{name}", "prompt": "1 + 1 =", "max_tokens": 16}}', "completions"
    else:
        task = TASKS[next(iter(first.abilities))]
        fields = ", ".join(f'"{field}": ...' for field in needed_of(task))
        body, path = f'{{"model": "{name}", "input": {{{fields}}}}}', f"tasks/{task.name}"
    call = f"curl {url}/v1/{path} -H 'Content-Type: application/json' -d '{body}'"
    screen.line(say("ready: {url}  (documentation: {url}/docs, stop: Ctrl-C)", url=url))
    screen.answer({"url": url, "models": list(models), "next": call}, next=call)


def needed_of(task: Task) -> list[str]:
    """The fields that a task must be given."""
    return [name for name, field in task.input.model_fields.items() if field.is_required()]


SERVE = Command(
    name="serve",
    section="Use a model",
    summary="Answer over HTTP, in OpenAI's interface",
    examples=(
        "langwright serve runs/chat",
        "langwright serve runs/base runs/chat --port 8080",
        "langwright serve runs/base --adapter law=runs/law/adapters/law --adapter jokes=runs/jokes/adapters/jokes",
    ),
    run=serve,
)
