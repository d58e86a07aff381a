"""/v1/jobs: start a stage, watch it, cancel it, go on with it, delete what it left."""

from __future__ import annotations

from asyncio import to_thread
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from langwright.errors import UserError
from langwright.serving.access.guards import read_body
from langwright.serving.access.scopes import needs
from langwright.serving.complaints import ApiError
from langwright.serving.house import House, asked_of, documented, query
from langwright.serving.jobs import watching
from langwright.serving.jobs.asking import JobRequest, ResumeRequest
from langwright.serving.jobs.shown import JobDetails, JobList, all_shown, one_shown
from langwright.serving.jobs.watching import Curves, EventPage
from langwright.serving.streaming import RETRY_AFTER_S, EventStream, stopping
from langwright.settings import Settings


class Nothing(Settings):
    """A query without anything in it."""


class PageQuery(Settings):
    """GET /v1/jobs/{name}/events."""

    after: Annotated[int, Field(ge=0, description="The number of the last line that was seen")] = 0
    limit: Annotated[int, Field(ge=1, le=5000, description="Most lines to look at")] = 500


class CurveQuery(Settings):
    """GET /v1/jobs/{name}/curves."""

    points: Annotated[int, Field(ge=4, le=5000, description="Most points of a curve")] = 1000


class Confirmed(Settings):
    """DELETE of something by its name, said twice."""

    confirm: Annotated[str, Field(description="The same name again", examples=['"base"'])]


class Deleted(BaseModel):
    """What was deleted."""

    name: str
    deleted: bool = True


def job_routes(house: House) -> APIRouter:
    """The routes, over the jobs of a house."""
    router = APIRouter(tags=["Jobs"])
    add_asking(router, house)
    add_watching(router, house)

    @router.get("/v1/jobs", dependencies=[needs("read")])
    async def list_jobs(request: Request) -> JobList:
        """Everything that waits, runs, was stopped or is finished, whoever began it, and how the cores are shared."""
        query(request, Nothing)
        return await to_thread(all_shown, house.jobs)

    @router.get("/v1/jobs/{name:path}", dependencies=[needs("read")])
    async def one_job(name: str, request: Request) -> JobDetails:
        """One of them, with why it failed and the end of what its command said."""
        query(request, Nothing)
        return await to_thread(one_shown, name, house.jobs)

    return router


def add_asking(router: APIRouter, house: House) -> None:
    """The routes that change something."""

    @router.post("/v1/jobs", status_code=202, dependencies=[needs("train")], openapi_extra=documented(JobRequest))
    async def start(request: Request) -> JobDetails:
        """Put a stage into the queue; it runs as a process of its own, which outlives the server."""
        asked = await house.read(request, JobRequest)
        run = await house.desk.aside(house.jobs.start, asked)
        return await to_thread(one_shown, run.name, house.jobs)

    @router.post("/v1/jobs/{name:path}/cancel", status_code=202, dependencies=[needs("train")])
    async def cancel(name: str, request: Request) -> JobDetails:
        """Take a job out of the queue, or ask it to save and stop."""
        query(request, Nothing)
        await refuse_body(request)
        await to_thread(house.jobs.cancel, name)
        return await to_thread(one_shown, name, house.jobs)

    @router.post(
        "/v1/jobs/{name:path}/resume", status_code=202, dependencies=[needs("train")],
        openapi_extra=documented(ResumeRequest),
    )  # fmt: skip
    async def resume(name: str, request: Request) -> JobDetails:
        """Put a job that was stopped, or failed, into the queue again; it goes on from its last checkpoint."""
        asked = await house.read(request, ResumeRequest)
        await house.desk.aside(house.jobs.resume, name, asked)
        return await to_thread(one_shown, name, house.jobs)

    @router.delete("/v1/jobs/{name:path}", dependencies=[needs("train")], openapi_extra=asked_of(Confirmed))
    async def delete(name: str, request: Request) -> Deleted:
        """Delete a run that neither waits nor runs, with its checkpoints or what it made; its name is said twice."""
        confirmed(name, query(request, Confirmed))
        house.served.refuse_served((await to_thread(house.jobs.find, name)).out)
        await to_thread(house.jobs.delete, name)
        return Deleted(name=name)


def add_watching(router: APIRouter, house: House) -> None:
    """The routes that tell what happens."""
    watchers: list[str] = []

    @router.get("/v1/jobs/{name:path}/events", dependencies=[needs("read")], openapi_extra=asked_of(PageQuery))
    async def events(name: str, request: Request) -> EventPage:
        """What happened in a run, some lines of its log at a time."""
        asked = query(request, PageQuery)
        run = await to_thread(house.jobs.find, name)
        return await to_thread(watching.page, run.out, asked.after, asked.limit)

    @router.get("/v1/jobs/{name:path}/curves", dependencies=[needs("read")], openapi_extra=asked_of(CurveQuery))
    async def curves(name: str, request: Request) -> Curves:
        """The numbers that were logged over the steps, thinned out for a chart."""
        asked = query(request, CurveQuery)
        run = await to_thread(house.jobs.find, name)
        return await to_thread(watching.curves, run.out, asked.points)

    @router.get(
        "/v1/jobs/{name:path}/stream", dependencies=[needs("read")], response_model=None,
        openapi_extra=RESUMABLE, responses=STREAMED,
    )  # fmt: skip
    async def stream(name: str, request: Request) -> Response:
        """Server-sent events as they happen; `Last-Event-ID` takes up a stream that broke off."""
        query(request, Nothing)
        after = last_event(request)
        run = await to_thread(house.jobs.find, name)
        if after and await to_thread(watching.is_over, run.out, after):
            return Response(status_code=204)  # by which an EventSource knows not to ask again
        if house.desk.closing:
            raise stopping()
        if len(watchers) >= house.settings.max_watchers:
            raise too_many(house.settings.max_watchers)
        watchers.append(name)
        said = watching.stream(run.out, after, lambda: one_shown(name, house.jobs), lambda: house.desk.closing)
        return EventStream(said, close=lambda: leave(watchers, name))


STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
    204: {"description": "Nothing more will come after Last-Event-ID"},
}
RESUMABLE: dict[str, Any] = {
    "parameters": [
        {"name": "Last-Event-ID", "in": "header", "required": False, "schema": {"type": "integer", "minimum": 0}}
    ]
}


async def refuse_body(request: Request) -> None:
    """ApiError 422 for a body where nothing reads one."""
    if await read_body(request, 1024) not in (b"", b"{}"):
        raise ApiError(UserError("nothing reads a body here", fix="send none"), status=422)


def leave(watchers: list[str], name: str) -> None:
    """One watcher less."""
    with suppress(ValueError):
        watchers.remove(name)


def last_event(request: Request) -> int:
    """The number of the last event that a caller saw; ApiError 422 for what is none."""
    given = request.headers.get("last-event-id", "") or "0"
    if not (given.isascii() and given.isdigit() and len(given) < 16):
        raise ApiError(
            UserError(
                "{given!r} is not the number of an event", fix="send the id of the last event, or leave Last-Event-ID out",
                given=given[:40],
            ), status=422, param="Last-Event-ID",
        )  # fmt: skip
    return int(given)


def confirmed(name: str, asked: Confirmed) -> None:
    """ApiError 422 unless the name was said twice."""
    if asked.confirm != name:
        raise ApiError(
            UserError(
                "{name} is deleted only when its name is given again", fix="add ?confirm={name}", name=name
            ), status=422, param="confirm",
        )  # fmt: skip


def too_many(most: int) -> ApiError:
    """As many callers follow events as may."""
    return ApiError(
        UserError("{most} callers follow events already", fix="ask for pages of events instead, or later", most=most),
        status=429, headers={"Retry-After": str(RETRY_AFTER_S)},
    )  # fmt: skip
