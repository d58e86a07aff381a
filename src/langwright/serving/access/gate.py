"""In front of every route but the open ones: is there a key, does it allow this, is it within its limits?

At the end a row goes into the audit log, before the last byte of the answer leaves: what was answered is on record.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from langwright.errors import UserError
from langwright.serving.access.limits import Buckets
from langwright.serving.access.scopes import is_open
from langwright.serving.access.visits import Caller, Visit, arrive, until_midnight, used_up
from langwright.serving.complaints import ApiError
from langwright.serving.settings import ServingSettings
from langwright.serving.stores.audit import Record, note
from langwright.serving.stores.complaints import StoreError
from langwright.serving.stores.keys import Key, any_key, find_key
from langwright.serving.stores.opening import Stores
from langwright.serving.stores.quotas import Used, used
from langwright.serving.stores.times import now
from langwright.serving.streaming import event_of

STRANGERS_RECORDED = 60  # refusals a minute that are written down without a key: a flood must not fill the disk
BUSY_S = 1
log = logging.getLogger("langwright.serving")


class Gate:
    """Lets in whom the keys allow, and writes down what they asked.

    required  whether a key is needed even before the first one is made
    digest    the digest of a model by the name that requests ask for
    """

    def __init__(
        self, app: ASGIApp, stores: Stores, settings: ServingSettings, required: bool, digest: Callable[[str], str]
    ) -> None:
        self.app = app
        self.stores = stores
        self.settings = settings
        self.required = required
        self.digest = digest
        self.buckets = Buckets()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(scope["path"]) or scope["method"] == "OPTIONS":
            await self.app(scope, receive, send)
            return
        visit = Visit(
            scope["state"]["request_id"], self.stores, Caller(scopes=frozenset()), scope["method"], time.monotonic()
        )  # fmt: skip
        arrive(visit)
        answer = Answer(self, visit, scope, send, {})
        refusal = await self.admit(Headers(scope=scope), answer)
        try:
            if refusal is not None:
                await answer.refuse(refusal)
            else:
                await self.app(scope, answer.hear(receive), answer.send)
        except BaseException:
            visit.decision = "failed"
            visit.status = visit.status or 500
            raise
        finally:
            await asyncio.shield(answer.end("cut off"))

    async def admit(self, headers: Headers, answer: Answer) -> ApiError | None:
        """Why a request is not let in; None when it is."""
        try:
            await self.look(headers, answer)
        except ApiError as refusal:
            return refusal
        except StoreError as error:
            return ApiError(error, status=503, headers={"Retry-After": str(BUSY_S)})
        return None

    async def look(self, headers: Headers, answer: Answer) -> None:
        """Find out who asks, and take one request from what they may; ApiError when they may not."""
        visit = answer.visit
        given = headers.getlist("authorization")
        # A reader of SQLite's file waits for nobody and takes about a tenth of a millisecond: not worth a thread.
        at_once = self.stores.file is not None
        caller, tokens = self.recognise(given) if at_once else await asyncio.to_thread(self.recognise, given)
        visit.caller = caller
        if caller.requests_per_minute is not None:
            taken = self.buckets.take(caller.key, caller.requests_per_minute)
            answer.headers |= taken.headers()
            if not taken.granted:
                raise ApiError(
                    UserError(
                        "{limit} requests a minute are more than this key may make",
                        fix="ask again in {seconds} s",
                        limit=taken.limit,
                        seconds=taken.headers()["Retry-After"],
                    ),
                    status=429,
                )
        if caller.tokens_per_day is not None:
            left = max(0, caller.tokens_per_day - tokens)
            answer.headers |= {
                "x-ratelimit-limit-tokens": str(caller.tokens_per_day),
                "x-ratelimit-remaining-tokens": str(left),
                "x-ratelimit-reset-tokens": f"{until_midnight()}s",
            }
            if left == 0:
                raise used_up(1, 0, caller.tokens_per_day)

    def recognise(self, authorization: list[str]) -> tuple[Caller, int]:
        """Who sends this header, and the tokens they used today.

        raises  ApiError 401 for no key where one is needed, and for one that is not good
        """
        secret = bearer(authorization)
        key = find_key(self.stores, secret) if secret is not None else None
        if key is None and not self.required and not any_key(self.stores):
            return self.local(), 0
        if key is None:
            raise no_key(given=secret is not None)
        state = key.state(now())
        if state != "good":
            raise ended(key, state)
        caller = Caller(
            key.id, key.owner, key.name, key.purpose, frozenset(key.scopes),
            key.requests_per_minute or self.settings.requests_per_minute,
            key.tokens_per_day or self.settings.tokens_per_day,
        )  # fmt: skip
        return caller, used(self.stores, key.id).tokens if caller.tokens_per_day is not None else 0

    def local(self) -> Caller:
        """A person at this computer, before there are keys."""
        return Caller(requests_per_minute=self.settings.requests_per_minute)

    def worth_recording(self, visit: Visit) -> bool:
        """Whether a visit is written down: all but a flood of those without a key."""
        return bool(visit.caller.scopes) or self.buckets.take("?", STRANGERS_RECORDED).granted

    def write(self, visit: Visit, route: str, prompt: bytes | None) -> None:
        """The row of the audit log, and what was used."""
        record = Record(
            request=visit.id, key=visit.caller.key, owner=visit.caller.owner if visit.caller.scopes else "",
            method=visit.method[:16], route=route, decision=visit.decision, subject=visit.subject,
            model=visit.model, digest=self.digest(visit.model) if visit.model else "", code=visit.code,
            status=visit.status, seconds=round(time.monotonic() - visit.began, 6), bytes_in=visit.bytes_in,
            bytes_out=visit.bytes_out, tokens_in=visit.tokens_in, tokens_out=visit.tokens_out,
            prompt=None if prompt is None else prompt.decode(errors="replace"),
        )  # fmt: skip
        tokens = visit.tokens_in + visit.tokens_out - visit.reserved
        counts = [Used(visit.caller.key, visit.day, 1, tokens)] if visit.caller.key else []
        note(self.stores, [record], counts)


class Answer:
    """One answer on its way out: counted, with the headers of its limits, its end held back until it is on record."""

    def __init__(self, gate: Gate, visit: Visit, scope: Scope, send: Send, headers: dict[str, str]) -> None:
        self.gate = gate
        self.visit = visit
        self.scope = scope
        self.headers = headers
        self._send = send
        self._held: Message | None = None  # the status of an answer of which nothing else is there yet
        self._begun = self._ended = self._events = False
        self._body = bytearray() if gate.settings.audit_prompts else None

    def hear(self, receive: Receive) -> Receive:
        """The request's body, counted."""

        async def heard() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                self.visit.bytes_in += len(message.get("body", b""))
                if self._body is not None:  # of a file that is uploaded, its beginning
                    self._body += message.get("body", b"")[: self.gate.settings.max_body_bytes - len(self._body)]
            return message

        return heard

    async def send(self, message: Message) -> None:
        """Send a part of the answer; the last one after its row is written."""
        if message["type"] == "http.response.start":
            self.visit.status = message["status"]
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in self.headers.items():
                headers.setdefault(name, value)
            message["headers"] = headers.raw
            self._events = headers.get("content-type", "").startswith("text/event-stream")
            if self._events:
                await self._forward(message)
            else:
                self._held = message
            return
        if message["type"] == "http.response.body":
            self.visit.bytes_out += len(message.get("body", b""))
            if not message.get("more_body", False) and not await self.end(decision(self.visit.status)):
                return
        if self._held is not None:
            held, self._held = self._held, None
            await self._forward(held)
        await self._forward(message)

    async def end(self, otherwise: str) -> bool:
        """Write the row, once; False when it could not be written, and the caller was told so instead of the end."""
        if self._ended:
            return True
        self._ended = True
        self.visit.decision = self.visit.decision or otherwise
        if not self.gate.worth_recording(self.visit):
            return True
        try:
            asked = None if self._body is None else bytes(self._body)
            await asyncio.to_thread(self.gate.write, self.visit, route_of(self.scope), asked)
        except StoreError as error:
            log.error("the audit log could not be written: %s", error)
            refusal = ApiError(error, status=503, headers={"Retry-After": str(BUSY_S)})
            if self._events:
                await self._send({"type": "http.response.body", "body": event_of(refusal.body())})
            elif not self._begun:
                self._held, self._begun = None, True
                await refusal.response()(self.scope, nothing, self._send)
            return False
        return True

    async def refuse(self, refusal: ApiError) -> None:
        """Answer with a refusal, unless something was sent already."""
        self.visit.code = refusal.error.code
        self.visit.subject = self.visit.subject or str(refusal.error.params.get("key", ""))
        if not self._begun:
            self.visit.decision = ""
            await refusal.response()(self.scope, nothing, self.send)

    async def _forward(self, message: Message) -> None:
        self._begun = True
        await self._send(message)


def route_of(scope: Scope) -> str:
    """The path as it is declared, so that a row holds nothing of the caller's; "" when none was reached."""
    path = getattr(scope.get("route"), "path", "")
    return path if isinstance(path, str) else ""


async def nothing() -> Message:
    """What is received by an answer that reads no request."""
    return {"type": "http.disconnect"}


def decision(status: int) -> str:
    """What a status says was decided."""
    if status < 400:
        return "answered"
    if status == 499:
        return "cut off"
    return "refused" if status < 500 else "failed"


def bearer(authorization: list[str]) -> str | None:
    """The secret of an Authorization header; None without one. Of several headers none counts."""
    if len(authorization) != 1:
        return None
    kind, _, secret = authorization[0].partition(" ")
    return secret.strip() if kind.lower() == "bearer" and secret.strip() else None


def no_key(*, given: bool) -> ApiError:
    """401: none, or one that was never given out."""
    if given:
        problem = UserError("the API key is not one of this server's", fix="check it, or have one made: `langwright keys create`")  # fmt: skip
    else:
        problem = UserError(
            "this server asks for an API key",
            fix="send it as `Authorization: Bearer lw-…`; `langwright keys create` makes one",
        )
    return ApiError(problem, status=401, headers={"WWW-Authenticate": "Bearer"})


def ended(key: Key, state: str) -> ApiError:
    """401: it was good once."""
    problem = (
        UserError("the key {key} was revoked", fix="have another one made: `langwright keys create`", key=key.id)
        if state == "revoked"
        else UserError("the key {key} has expired", fix="have another one made: `langwright keys create`", key=key.id)
    )
    return ApiError(problem, status=401, headers={"WWW-Authenticate": "Bearer"})
