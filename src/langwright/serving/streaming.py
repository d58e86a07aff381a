"""From the engine's threads to the event loop: a bounded number of open continuations, each read by one thread.

A continuation blocks while the model computes, so a thread reads it and hands its pieces to the loop.
When the caller goes away, or the server stops, the continuations are cancelled in the engine.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from fastapi import Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from langwright.errors import UserError
from langwright.inference.control.settings import Control
from langwright.inference.protocol import Sampling
from langwright.inference.texts.text import TextModel, TextStream
from langwright.inference.texts.written import TextCompletion, TextPiece
from langwright.serving.access.visits import read, visiting, written
from langwright.serving.complaints import ApiError
from langwright.serving.hands import hands
from langwright.serving.monitoring.meters import Meters, Writing

RETRY_AFTER_S = 1
ASIDE = 8  # threads at most for work beside the continuations
DONE = b"data: [DONE]\n\n"
log = logging.getLogger("langwright.serving")
T = TypeVar("T")


@dataclass(frozen=True)
class Ask:
    """One continuation to make. `prompt` is token ids: the server tokenizes once, to count before it begins."""

    prompt: Sequence[int]
    sampling: Sampling
    stop: tuple[str, ...] = ()
    top_logprobs: int = 0
    control: Control | None = None

    def begin(self, model: TextModel) -> TextStream:
        """Submit it. UserError when the prompt is empty or does not fit the context."""
        return model.stream_ids(
            self.prompt, self.sampling, stop=self.stop, top_logprobs=self.top_logprobs, control=self.control
        )


class Desk:
    """Takes on continuations up to a number, and knows which are open. Lives on one event loop."""

    def __init__(self, places: int, meters: Meters | None = None) -> None:
        self.places = places
        self.meters = meters or Meters()
        self.taken = 0
        self.leaving = False  # asked to stop: not ready, though it still answers
        self.closing = False
        self.heard: dict[TextModel, float] = {}  # when each model last wrote something, by the monotonic clock
        self._open: set[Answers] = set()
        self._aside = asyncio.Semaphore(ASIDE)
        self._working: set[object] = set()  # a mark for each piece of work aside

    async def open(self, model: TextModel, asks: Sequence[Ask]) -> Answers:
        """Begin continuations, all or none.

        raises  ApiError 429 when there is no room, 503 when the server is stopping; what the engine refuses
        """
        self._take(len(asks))
        try:
            asked = time.monotonic()
            await claim(asks)
            streams = await self.aside(begin_all, model, asks)
        except BaseException:
            self._release(len(asks))
            raise
        for prompt in {id(ask.prompt): ask.prompt for ask in asks}.values():
            self.meters.heed(model.name, prompt)
        counts = [self.meters.writing(model.name, len(ask.prompt), asked) for ask in asks]
        answers = Answers(model, streams, self, counts)
        self._open.add(answers)
        if self.closing:
            answers.cancel()
        answers.read()
        return answers

    async def aside(self, work: Callable[..., T], *values: Any) -> T:
        """The result of work that would block the loop, such as tokenizing a long text; a few at a time."""
        async with self._aside:
            mark = object()
            self._working.add(mark)
            try:
                return await in_thread(work, *values)
            finally:
                self._working.discard(mark)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold one place for work that is not a continuation, such as scoring."""
        self._take(1)
        try:
            yield
        finally:
            self._release(1)

    def cancel_all(self) -> None:
        """Take on nothing more and end what is open."""
        self.closing = True
        for answers in list(self._open):
            answers.cancel()

    async def let_go(self, models: Sequence[TextModel], within_s: float) -> tuple[int, int]:
        """Have no more to do with models that nobody can ask any more.

        What is open has so many seconds to end by itself; then it ends with an error that says why.

        returns  how many requests ended by themselves, and how many were ended
        """
        mine = [answers for answers in self._open if answers.model in models]
        before = set(self._working)
        until = asyncio.get_running_loop().time() + within_s
        while any(one.left for one in mine) or before & self._working:
            if asyncio.get_running_loop().time() > until:
                break
            await asyncio.sleep(0.01)
        left = [answers for answers in mine if answers.left]
        for answers in left:
            answers.cancel(unloaded(answers.model.name))
        for model in models:
            self.heard.pop(model, None)
        return len(mine) - len(left), len(left)

    async def empty(self, within_s: float) -> bool:
        """Wait until nothing is open; False when it takes longer."""
        until = asyncio.get_running_loop().time() + within_s
        while self.taken and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.01)
        return self.taken == 0

    def ended(self, answers: Answers) -> None:
        """One continuation of these was read to its end."""
        self._release(1)
        if answers.left == 0:
            self._open.discard(answers)

    def _take(self, count: int) -> None:
        if self.closing:
            raise stopping()
        if self.taken + count > self.places:
            raise ApiError(
                UserError(
                    "the server is busy: {taken} of {places} continuations are open",
                    fix="ask again in {seconds} s, or for fewer at once",
                    taken=self.taken,
                    places=self.places,
                    seconds=RETRY_AFTER_S,
                ),
                status=429,
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        self.taken += count

    def _release(self, count: int) -> None:
        self.taken -= count


class Answers:
    """Continuations that belong to one request, in the order asked."""

    def __init__(self, model: TextModel, streams: Sequence[TextStream], desk: Desk, counts: Sequence[Writing]) -> None:
        self.left = len(streams)
        self._counts = counts
        self.model = model
        self._why: ApiError | None = None  # it was cancelled, where not by its caller or the end of the server
        self._streams = streams
        self._loop = asyncio.get_running_loop()
        self._desk = desk
        self._events: asyncio.Queue[tuple[int, TextPiece | TextCompletion | Exception]] = asyncio.Queue()

    def read(self) -> None:
        """Set a thread to read each continuation."""
        for index in range(len(self._streams)):
            hands().do(partial(self._read, index))

    def cancel(self, why: ApiError | None = None) -> None:
        """End what still runs, and say why to who reads it; the engine frees its places."""
        self._why = self._why or why
        for stream in self._streams:
            stream.cancel()

    async def events(self) -> AsyncIterator[tuple[int, TextPiece | TextCompletion]]:
        """Pieces as they are written, with the number of their continuation; each ends with its completion.

        raises  what the engine raised; ApiError 503 when the server stopped them, or unloaded the model
        """
        left = len(self._streams)
        while left:
            index, event = await self._events.get()
            if isinstance(event, Exception):
                raise event
            if isinstance(event, TextPiece):
                written(len(event.tokens))
            else:
                left -= 1
                if event.finish_reason not in ("stop", "length"):
                    raise self._why or stopping()
            yield index, event

    async def completions(self) -> list[TextCompletion]:
        """All of them, read to the end."""
        done: dict[int, TextCompletion] = {}
        async for index, event in self.events():
            if isinstance(event, TextCompletion):
                done[index] = event
        return [done[index] for index in range(len(self._streams))]

    def _read(self, index: int) -> None:
        stream, count = self._streams[index], self._counts[index]
        last: TextCompletion | Exception
        try:
            for piece in stream:
                self._desk.heard[self.model] = now = time.monotonic()
                count.wrote(len(piece.tokens), now)
                tell(self._loop, self._events.put_nowait, (index, piece))
            last = stream.completion
        except Exception as error:
            stream.cancel()
            last = error
        count.ended(last)
        tell(self._loop, self._end, index, last)

    def _end(self, index: int, last: TextCompletion | Exception) -> None:
        self.left -= 1
        self._desk.ended(self)  # before its caller hears of it, who may ask again at once
        self._events.put_nowait((index, last))


async def claim(asks: Sequence[Ask]) -> None:
    """Count what is read for the request that asks, and set aside what it may write; each prompt counts once.

    raises  ApiError 429 when the caller's day has not so many tokens left
    """
    visit = visiting()
    if visit is not None:
        tokens = sum({id(ask.prompt): len(ask.prompt) for ask in asks}.values())
        await visit.claim(tokens + sum(ask.sampling.max_new_tokens for ask in asks))
        read(tokens)


def begin_all(model: TextModel, asks: Sequence[Ask]) -> list[TextStream]:
    """Submit all; when one is refused the others are taken back."""
    streams: list[TextStream] = []
    try:
        for ask in asks:
            streams.append(ask.begin(model))
    except BaseException:
        for stream in streams:
            stream.cancel()
        raise
    return streams


def tell(loop: asyncio.AbstractEventLoop, what: Callable[..., object], *values: Any) -> None:
    """Have the loop do something, from another thread."""
    with suppress(RuntimeError):  # the loop is closed: the server has stopped and nobody listens
        loop.call_soon_threadsafe(what, *values)


async def in_thread(work: Callable[..., T], *values: Any) -> T:
    """The result of blocking work, done by a thread."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(done: Callable[[Any], None], value: Any) -> None:
        if not result.done():  # it was cancelled meanwhile
            done(value)

    def run() -> None:
        try:
            value = work(*values)
        except Exception as error:
            tell(loop, settle, result.set_exception, error)
        else:
            tell(loop, settle, result.set_result, value)

    hands().do(run)
    return await result


def stopping() -> ApiError:
    """What a caller is told whose answer the server could not end."""
    return ApiError(
        UserError("the server is stopping", fix="ask again when it is back"),
        status=503,
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def unloaded(name: str) -> ApiError:
    """What a caller is told whose model was unloaded before the answer was written."""
    return ApiError(
        UserError("the model {name} was unloaded", fix="ask again when it is loaded, or ask another one", name=name),
        status=503,
    )


def broken() -> ApiError:
    """What a caller is told of an error that is ours; its traceback goes to the server's log."""
    return ApiError(
        UserError("the server made a mistake", fix="see its log, and report it with the request that caused it"),
        status=500,
    )


# --- answering -----------------------------------------------------------------------------------


async def unless_gone(receive: Receive, work: Awaitable[T]) -> T:
    """The result of the work, unless the caller closes the connection before; then the work is cancelled.

    raises  ClientDisconnect
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(closed(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def closed(receive: Receive) -> None:
    """Return when the caller has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        continue


class EventStream(Response):
    """Server-sent events; `close` is called however it ends: at its end, by an error, or when the caller goes away."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes], close: Callable[[], None]) -> None:
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events = events
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await unless_gone(receive, self._send(send))
        except ClientDisconnect:
            log.debug("the caller closed the connection of a stream")
        finally:
            self._close()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        last = b""
        async for event in said_in_stream(self._events):
            if event == DONE:  # leaves with the end of the answer, which the audit log has first
                last = event
                continue
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": last, "more_body": False})


async def said_in_stream(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The events; an error among them becomes the last one, since the status was sent long ago."""
    refusal: ApiError | None = None
    try:
        async for event in events:
            yield event
    except ApiError as error:
        refusal = error
    except UserError as error:
        refusal = ApiError(error)
    except Exception:
        log.exception("a stream broke")
        refusal = broken()
    if refusal is not None:
        visit = visiting()
        if visit is not None:
            visit.decision, visit.code = "failed", refusal.error.code
        yield event_of(refusal.body())


def event_of(model: BaseModel) -> bytes:
    """One server-sent event: JSON has no raw line breaks, so it is one line."""
    return b"data: " + model.model_dump_json().encode() + b"\n\n"
