"""Callers who send slowly, or for ever: how long a request may take to come.

Without a limit, a caller who sends a byte now and then holds a connection, and with many of them all that the server
has ("slowloris"). A request has some seconds, and one more for each so many bytes of it that came: a large file may
take long, a trickle may not. The head of a request is timed here by the connection itself, since nothing else sees it;
so is what still comes behind an answer. A body is timed where it is read, and whoever asked is told.

Source   Apache HTTP Server, mod_reqtimeout: RequestReadTimeout with MinRate (the same rule)
Differs  one limit for head and body, and no largest number of seconds: sizes are limited elsewhere
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import h11
from starlette.types import Message, Receive
from uvicorn.protocols.http.h11_impl import H11Protocol

from langwright.errors import UserError
from langwright.serving.complaints import ApiError

SHORTEST_S = 0.01  # between two looks at a clock


@dataclass(frozen=True)
class Pace:
    """How fast a request has to come.

    seconds  for all of it
    bytes_s  so many bytes of it give one second more
    """

    seconds: float
    bytes_s: int

    def allowed(self, came: int) -> float:
        """Seconds that a request may take of which so many bytes came.

        >>> Pace(20, 500).allowed(1000)
        22.0
        """
        return self.seconds + came / self.bytes_s

    def late(self) -> ApiError:
        """408: what a caller is told who took longer."""
        return ApiError(
            UserError(
                "the request did not come whole in time: {seconds:g} s, and one more for each {bytes_s} bytes of it",
                fix="send it faster, or start the server with a larger sender_s",
                seconds=self.seconds,
                bytes_s=self.bytes_s,
            ),
            status=408,
            headers={"Connection": "close"},
        )


def in_time(receive: Receive, pace: Pace) -> Receive:
    """The body of a request, with what its caller keeps the reader waiting counted; ApiError 408 when it is too long."""
    waited, came, whole = 0.0, 0, False

    async def heard() -> Message:
        nonlocal waited, came, whole
        if whole:
            return await receive()
        began = time.monotonic()
        try:
            async with asyncio.timeout(max(SHORTEST_S, pace.allowed(came) - waited)):
                message = await receive()
        except TimeoutError:
            raise pace.late() from None
        waited += time.monotonic() - began
        came += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        return message

    return heard


class Wire(H11Protocol):
    """uvicorn's connection with a clock, which runs while its caller has something to send that nobody reads."""

    def __init__(self, pace: Pace, **given: Any) -> None:
        super().__init__(**given)
        self._pace = pace
        self._came = 0  # bytes of this request
        self._since = 0.0
        self._clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        self._came += len(data)
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    @property
    def _due(self) -> bool:
        """Whether it is the caller's turn: a head, or the rest of a body; between requests, uvicorn has a clock."""
        if self.conn.their_state is h11.IDLE:
            return self.timeout_keep_alive_task is None
        return self.conn.their_state is h11.SEND_BODY

    @property
    def _read(self) -> bool:
        """Whether a body is on its way that the application reads, or that we do not want to read just now."""
        answering = self.cycle is not None and not self.cycle.response_complete
        return self.flow.read_paused or (answering and self.conn.their_state is h11.SEND_BODY)

    def _look(self) -> None:
        """Run the clock exactly while it is the caller's turn."""
        if not self._due or self.transport.is_closing():
            self._stop()
        elif self._clock is None:
            self._since = self.loop.time()
            self._again(self._pace.seconds)

    def _again(self, seconds: float) -> None:
        self._clock = self.loop.call_later(max(SHORTEST_S, seconds), self._ring)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self._clock, self._came = None, 0

    def _ring(self) -> None:
        now = self.loop.time()
        if self._read:
            self._since = now
        left = self._since + self._pace.allowed(self._came) - now
        if left > 0:
            self._again(left)
            return
        if self.conn.their_state is h11.IDLE and self._came:
            self._tell_late()
        self.transport.close()

    def _tell_late(self) -> None:
        answer = self._pace.late().response()
        head = h11.Response(status_code=answer.status_code, headers=answer.raw_headers, reason=b"Request Timeout")
        for event in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")


def wire(pace: Pace) -> Callable[..., Wire]:
    """What uvicorn makes a connection with."""
    return partial(Wire, pace)
