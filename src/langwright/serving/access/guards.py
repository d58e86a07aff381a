"""Who may ask, and how much: the Host header, the Origin of a web page, the size and kind of a body.

A page on any web site can make a browser send requests to a server on the same computer. Two checks
stop that while there are no keys: the Host header must be a name of this server (a site that points
its own name at 127.0.0.1, "DNS rebinding", sends its own name), and a request that names an Origin
must come from a page of this server or from one that was allowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from langwright.errors import UserError
from langwright.serving.access.senders import Pace, in_time
from langwright.serving.complaints import ApiError, preferred
from langwright.wording import use_language

LOOPBACK = ("localhost", "127.0.0.1", "::1")
HOST_HEADER = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(:\d{1,5})?", re.IGNORECASE)


@dataclass(frozen=True)
class Audience:
    """Whom the server listens to.

    hosts        names it may be addressed by, lower case, without port
    any_address  whether any literal IP address will do as a name: one cannot be rebound to another server, and
                 a server bound to every interface does not know its addresses
    origins      web origins, besides its own, that may call it from a browser
    """

    hosts: frozenset[str] = frozenset(LOOPBACK)
    any_address: bool = False
    origins: frozenset[str] = frozenset()

    def addressed(self, host: str) -> bool:
        """Whether a Host header names this server."""
        name = host_name(host)
        return name is not None and (name in self.hosts or (self.any_address and is_address(name)))

    def welcomes(self, origin: str, host: str) -> bool:
        """Whether a page of this origin may ask: its own pages, and those allowed."""
        if origin.lower() in self.origins:
            return True
        try:
            parts = urlsplit(origin.lower())
        except ValueError:  # such as an unclosed bracket
            return False
        return parts.scheme in ("http", "https") and parts.netloc == host.lower()


def audience(host: str, hosts: tuple[str, ...] = (), origins: tuple[str, ...] = ()) -> Audience:
    """Whom a server bound to `host` listens to.

    raises  UserError for an allowed host or origin that could never match
    """
    for name in hosts:
        if host_name(name) != name.lower().strip("[]"):
            raise UserError(
                "{name!r} is not the name of a host", fix="give a name or address without scheme or port", name=name
            )
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or f"{parts.scheme}://{parts.netloc}" != origin:
            raise UserError(
                "{origin!r} is not a web origin",
                fix="give scheme, host and port only, such as https://notes.example",
                origin=origin,
            )
    bound = host.lower().strip("[]")
    return Audience(
        hosts=frozenset({*LOOPBACK, bound, *(name.lower().strip("[]") for name in hosts)}),
        any_address=not is_loopback(bound),
        origins=frozenset(origin.lower() for origin in origins),
    )


def host_name(header: str) -> str | None:
    """The name in a Host header, without port or brackets; None when it is no Host header.

    >>> host_name("[::1]:8000"), host_name("Localhost."), host_name("a b")
    ('::1', 'localhost', None)
    """
    match = HOST_HEADER.fullmatch(header)
    return match[1].lower().strip("[]").removesuffix(".") if match else None


def is_address(name: str) -> bool:
    """Whether a name is a literal IP address."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(name: str) -> bool:
    """Whether a name or address can be reached from this computer only."""
    return name == "localhost" or (is_address(name) and ip_address(name).is_loopback)


class Guard:
    """In front of everything: speaks the caller's language, turns away whom the server does not listen to, waits for
    nobody for ever."""

    def __init__(self, app: ASGIApp, audience: Audience, pace: Pace) -> None:
        self.app = app
        self.audience = audience
        self.pace = pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            language = preferred(headers.get("accept-language", ""))
            if language is not None:
                use_language(language)
            refusal = self.refusal(headers, scope["method"])
            if refusal is not None:
                await refusal.response()(scope, receive, send)
                return
            receive = in_time(receive, self.pace)
        await self.app(scope, receive, send)

    def refusal(self, headers: Headers, method: str) -> ApiError | None:
        """Why a request with these headers is turned away; None when it is not."""
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        host = ", ".join(hosts)  # none or several make no name
        if not self.audience.addressed(host):
            return ApiError(
                UserError(
                    "the Host header {host!r} is no name of this server",
                    fix="use the address that the server printed, or let it know this name with allowed_hosts",
                    host=host,
                ),
                status=403,
            )
        foreign = [origin for origin in origins if not self.audience.welcomes(origin, host)]
        followed_link = method in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
        if not origins and headers.get("sec-fetch-site") == "cross-site" and not followed_link:
            foreign = ["?"]  # a browser that names no Origin, as some did not for forms
        if foreign:
            return ApiError(
                UserError(
                    "a web page of {origin!r} may not call this server",
                    fix="call it from its own pages or from a program, or let this origin in with allowed_origins",
                    origin=foreign[0],
                ),
                status=403,
            )
        return None


async def read_body(request: Request, limit: int) -> bytes:
    """The body of a request.

    limit   bytes
    raises  ApiError 413 as soon as it is longer
    """
    too_large = ApiError(
        UserError(
            "the body is longer than {limit} bytes",
            fix="send less, or let more in with the server's max_body_bytes",
            limit=limit,
        ),
        status=413,
        headers={"Connection": "close"},
    )
    stated = request.headers.get("content-length", "")
    if stated.isascii() and stated.isdigit() and int(stated) > limit:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)


def media_type(request: Request, *allowed: str) -> str:
    """The media type of the body, one of those allowed.

    raises  ApiError 415 for another, for none, and for a character set other than UTF-8
    """
    kind, _, rest = request.headers.get("content-type", "").partition(";")
    kind = kind.strip().lower()
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", rest, re.IGNORECASE)
    if kind not in allowed or (charset is not None and charset[1].lower() not in ("utf-8", "utf8")):
        raise ApiError(
            UserError(
                "the Content-Type {given!r} is not understood here",
                fix="send {allowed}, in UTF-8",
                given=request.headers.get("content-type", ""),
                allowed=", ".join(allowed),
            ),
            status=415,
        )
    return kind
