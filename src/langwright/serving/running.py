"""Serving until told to stop: the socket, the line that says where, and an orderly end."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager

import uvicorn

from langwright.errors import UserError
from langwright.inference.texts.text import TextModel
from langwright.serving.access.guards import audience, is_loopback
from langwright.serving.access.senders import Pace, wire
from langwright.serving.access.tls import Tls
from langwright.serving.app import build_app
from langwright.serving.docs_page import curl
from langwright.serving.settings import ServingSettings
from langwright.serving.stores.keys import any_key
from langwright.serving.stores.opening import Stores
from langwright.serving.streaming import Desk
from langwright.serving.supervisor import notify
from langwright.tasks.front.model import Model
from langwright.wording import say

LAST_RESORT_S = 5.0  # after the drain, for answers that are already cancelled to leave


def serve(
    models: Mapping[str, TextModel | Model],
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    settings: ServingSettings | None = None,
    stores: Stores | None = None,
    tls: Tls | None = None,
    listener: socket.socket | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve models until Ctrl-C or SIGTERM, then let open answers end and close the engines.

    port      0 picks a free one
    stores    for keys, the audit log, conversations; in memory when left out. Held (`opening.serving`) and closed
              by the caller
    tls       the certificate; unencrypted when left out
    listener  from `listen(host, port)`, for callers that claim the port before they load a model
    ready     is told the URL when requests are answered; lines on standard error when left out
    raises    UserError when the port or the address cannot be had, or a setting could never work
    """
    with closing(listener or listen(host, port)) as bound:
        try:
            server = server_for(models, host, bound, settings=settings, stores=stores, tls=tls, ready=ready)
            server.run(sockets=[bound])
        finally:
            for model in models.values():
                model.close()


def server_for(
    models: Mapping[str, TextModel | Model],
    host: str,
    listener: socket.socket,
    *,
    settings: ServingSettings | None = None,
    stores: Stores | None = None,
    tls: Tls | None = None,
    ready: Callable[[str], None] | None = None,
) -> Server:
    """A server that is not yet running: `run(sockets=[listener])` blocks, `should_exit = True` ends it in an orderly way."""
    settings = settings or ServingSettings()
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; connections have it from the socket that accepts them
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(settings.reader_s * 1000) or 1)
    listened = audience(host, settings.allowed_hosts, settings.allowed_origins)
    app = build_app(models, audience=listened, settings=settings, stores=stores)
    url = url_of(host, listener, tls)
    if not is_loopback(host) or settings.require_key:
        say_who_may_ask(url, stores, tls, others=not is_loopback(host))
    announce = ready or (lambda url: print_ready(url, next(iter(models), "MODEL")))
    config = uvicorn.Config(
        app,
        http=wire(Pace(settings.sender_s, settings.sender_bytes_s)),  # type: ignore[arg-type]  # called like a class
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        ssl_certfile=None if tls is None else str(tls.cert),
        ssl_keyfile=None if tls is None else str(tls.key),
        timeout_graceful_shutdown=int(settings.drain_s + LAST_RESORT_S) + 1,
    )
    return Server(config, app.state.desk, settings, lambda: announce(url))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    raises  UserError when the port is taken or not ours to take, or the address is not this computer's
    """
    if not 0 <= port <= 65535:
        raise UserError("there is no port {port}", fix="give a port from 0 to 65535; 0 picks a free one", port=port)
    listener: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port whose last connections just closed
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise cannot_listen(host, port, error) from None
    return listener


def cannot_listen(host: str, port: int, error: OSError) -> UserError:
    """Why an address could not be had."""
    if error.errno == errno.EADDRINUSE:
        return UserError(
            "port {port} of {host} is in use",
            fix="stop what uses it, or give another port: --port 0 picks a free one",
            port=port,
            host=host,
        )
    if error.errno == errno.EACCES:
        return UserError(
            "port {port} may not be used by this account", fix="give a port above 1023, such as --port 8000", port=port
        )
    return UserError(
        "cannot listen on {host}: {reason}",
        fix="give an address of this computer, such as 127.0.0.1",
        host=host,
        reason=error.strerror or str(error),
    )


def say_who_may_ask(url: str, stores: Stores | None, tls: Tls | None, others: bool) -> None:
    """What someone should know whose server asks for keys; others: whether it can be reached from elsewhere."""
    if stores is None or not any_key(stores):
        print(say("nobody can use {url} yet: make a key with `langwright keys create`", url=url), file=sys.stderr)
    if others and tls is None:
        print(
            say("warning: keys and texts travel unencrypted to {url}: give --tls-cert and --tls-key", url=url),
            file=sys.stderr,
        )


def url_of(host: str, listener: socket.socket, tls: Tls | None = None) -> str:
    """Where the server is called; a server on every interface is shown by its local address."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host.strip("[]"), host.strip("[]"))
    port = listener.getsockname()[1]
    kind = "http" if tls is None else "https"
    return f"{kind}://[{name}]:{port}" if ":" in name else f"{kind}://{name}:{port}"


def print_ready(url: str, model: str) -> None:
    """Where it is, and a command that tries it."""
    print(say("ready: {url}  (documentation: {url}/docs, stop: Ctrl-C)", url=url), file=sys.stderr)
    print(say("try:   {command}", command=curl("/v1/chat/completions", model, url)), file=sys.stderr, flush=True)


class Server(uvicorn.Server):
    """uvicorn's server, which says when it is ready and ends open answers in an orderly way."""

    def __init__(
        self, config: uvicorn.Config, desk: Desk, settings: ServingSettings, ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._desk = desk
        self._leave_s, self._drain_s = settings.leave_s, settings.drain_s
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()
        notify("READY=1")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """It says that it is not ready, and answers for `leave_s` yet; then nothing new is taken on.

        Open answers have `drain_s` to end by themselves, then they are told why not. A second signal waits for nothing.
        """
        notify("STOPPING=1")
        self._desk.leaving = True
        until = time.monotonic() + self._leave_s
        while time.monotonic() < until and not self.force_exit:
            await asyncio.sleep(0.05)
        self._desk.closing = True
        last_call = asyncio.get_running_loop().call_later(self._drain_s, self._desk.cancel_all)
        await super().shutdown(sockets)
        last_call.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but the signal is not raised again afterwards: a stop that was asked for is no failure."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
