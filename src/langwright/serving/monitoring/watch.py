"""Around everything else: each request gets a name, is counted, and leaves a line in the log when it has ended."""

from __future__ import annotations

import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from langwright.serving.access.visits import Visit, visiting
from langwright.serving.monitoring.lines import Lines, plain_id, stamp
from langwright.serving.monitoring.meters import Meters
from langwright.serving.stores.times import new_id

HEADER = "x-request-id"
GONE = 499  # nginx's number for a caller that did not wait
BROKEN = 500


class Watch:
    """Knows of each request when it came, what it was answered, and when the last byte left."""

    def __init__(self, app: ASGIApp, meters: Meters, lines: Lines) -> None:
        self.app, self.meters, self.lines = app, meters, lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        made = new_id("req")  # which the audit log uses, whatever a caller calls it
        seen = Seen(made, plain_id(Headers(scope=scope).getlist(HEADER)) or made, send)
        scope.setdefault("state", {})["request_id"] = made
        self.meters.open.inc()
        try:
            await self.app(scope, receive, seen.send)
        except Exception:
            seen.status = seen.status or BROKEN  # which is answered further out
            raise
        finally:
            self.meters.open.dec()
            self.ended(seen, scope)

    def ended(self, seen: Seen, scope: Scope) -> None:
        """Count it and write its line."""
        now, route, visit = time.monotonic(), route_of(scope), visiting()
        status = seen.status or GONE
        code = visit.code if visit is not None else ""
        failed = status >= BROKEN or (visit is not None and visit.decision == "failed")
        self.meters.answered(scope["method"], route, status, now - seen.began, failed)
        if code:
            self.meters.refusals.labels(code).inc()
        self.lines.write(
            {
                "time": stamp(seen.came), "event": "request", "request": seen.id,
                "audit": seen.made if seen.made != seen.id else None, "method": scope["method"][:16],
                "route": route, "status": status, "seconds": round(now - seen.began, 6),
                "first_byte_s": None if seen.first is None else round(seen.first - seen.began, 6),
                "whole": seen.whole, **({} if visit is None else told(visit)),
            }
        )  # fmt: skip


class Seen:
    """One request, as seen from outside.

    made  the name that it was given here
    id    the name that its caller knows it by
    """

    def __init__(self, made: str, id: str, send: Send) -> None:
        self.made, self.id = made, id
        self.came, self.began = time.time(), time.monotonic()
        self.first: float | None = None
        self.status = 0
        self.whole = False  # whether the last byte of the answer was sent
        self._send = send

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers[HEADER] = self.id
            message["headers"] = headers.raw
        elif message["type"] == "http.response.body":
            if self.first is None:
                self.first = time.monotonic()
            self.whole = not message.get("more_body", False)
        await self._send(message)


def told(visit: Visit) -> dict[str, object]:
    """What the log says of who asked and what was done; nothing for what is empty."""
    found = {
        "key": visit.caller.key, "model": visit.model, "code": visit.code, "tokens_in": visit.tokens_in,
        "tokens_out": visit.tokens_out,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value}


def route_of(scope: Scope) -> str:
    """The path as it is declared; "" when none was reached."""
    path = getattr(scope.get("route"), "path", "")
    return path if isinstance(path, str) else ""
