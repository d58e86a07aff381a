"""The HTTP application over some text models: OpenAI's interface, tasks, the tutorials' routes, health, one page of docs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from langwright.errors import UserError, unknown
from langwright.inference.texts.text import TextModel
from langwright.serving.access.gate import Gate
from langwright.serving.access.guards import Audience, Guard
from langwright.serving.access.retaining import retaining
from langwright.serving.access.routes import access_routes
from langwright.serving.access.scopes import Scope, needs, undeclared
from langwright.serving.access.senders import Pace
from langwright.serving.access.visits import visiting
from langwright.serving.complaints import ApiError, ErrorBody
from langwright.serving.dialogue.bodies import DIALOGUE_BODIES
from langwright.serving.dialogue.profiles import profile_routes
from langwright.serving.dialogue.routes import conversation_routes
from langwright.serving.docs_page import BODIES, docs_routes
from langwright.serving.doing.tasks import task_routes
from langwright.serving.doing.tutorials import tutorial_routes
from langwright.serving.hands import hands
from langwright.serving.health import health_routes
from langwright.serving.house import House
from langwright.serving.jobs.asking import JobRequest, ResumeRequest
from langwright.serving.jobs.cores import Sharing, Threads
from langwright.serving.jobs.keeping import Jobs
from langwright.serving.jobs.routes import Nothing, job_routes
from langwright.serving.monitoring.meters import Meters, engines, places
from langwright.serving.monitoring.rounds import Rounds
from langwright.serving.monitoring.routes import monitoring_routes
from langwright.serving.monitoring.version_routes import ExchangeRequest, RollbackRequest, version_routes
from langwright.serving.monitoring.watch import Watch
from langwright.serving.openai.embeddings import embedding_routes
from langwright.serving.openai.not_done import not_done_routes
from langwright.serving.openai.routes import openai_routes
from langwright.serving.openai.tokens import token_routes
from langwright.serving.resources.datasets import dataset_routes
from langwright.serving.resources.looking import TokensRequest, looking_routes
from langwright.serving.resources.models import AdapterRequest, LoadRequest, UnloadRequest, model_routes
from langwright.serving.resources.runs import run_routes
from langwright.serving.resources.served import Served
from langwright.serving.resources.stages import stage_routes
from langwright.serving.settings import ServingSettings
from langwright.serving.stores.complaints import StoreError
from langwright.serving.stores.opening import Stores, in_memory
from langwright.serving.streaming import RETRY_AFTER_S, Desk, broken
from langwright.serving.studio import studio_routes
from langwright.tasks.front.model import Model
from langwright.training.cores import physical_cores
from langwright.workspace import Workspace

REFUSALS: dict[int | str, dict[str, Any]] = {"4XX": {"model": ErrorBody}, "5XX": {"model": ErrorBody}}
ROUTES: tuple[tuple[Callable[[House], APIRouter], Scope | None], ...] = (  # None: each route names its own, or is open
    (openai_routes, "ask"),
    (embedding_routes, "ask"),
    (token_routes, "ask"),
    (task_routes, "ask"),
    (tutorial_routes, "ask"),
    (conversation_routes, "ask"),
    (profile_routes, "ask"),
    (access_routes, None),
    (job_routes, None),
    (dataset_routes, None),
    (looking_routes, None),  # before those of runs, whose names may hold slashes
    (run_routes, None),
    (stage_routes, None),
    (version_routes, None),  # before those of models, whose names may hold slashes
    (model_routes, None),
    (health_routes, None),
    (monitoring_routes, "read"),
    (docs_routes, None),
    (studio_routes, None),
    (not_done_routes, "ask"),  # behind all others
)
RESOURCES: tuple[type[BaseModel], ...] = (  # bodies that are sent to them
    JobRequest,
    ResumeRequest,
    LoadRequest,
    UnloadRequest,
    AdapterRequest,
    ExchangeRequest,
    RollbackRequest,
    TokensRequest,
    Nothing,
)
CLIENT_CLOSED = 499  # nginx's number for a caller that did not wait; nobody reads it


def build_app(
    models: Mapping[str, TextModel | Model],
    *,
    audience: Audience | None = None,
    settings: ServingSettings | None = None,
    stores: Stores | None = None,
    workspace: Workspace | None = None,
) -> FastAPI:
    """The application.

    models    of any kind, by the name that requests ask for; not closed by the application. None will do: the
              workspace is shown, and a model of it loaded
    audience  whom it listens to; callers on this computer only when left out
    stores    for keys, the audit log, conversations; in memory when left out. Not closed by the application
    workspace whose runs and data it shows and makes; the current folder when left out

    Its `state.desk` knows what is open.
    """
    settings = settings or ServingSettings()
    audience = audience or Audience()
    doing = {
        name: model if isinstance(model, Model) else Model(name, None, text=model) for name, model in models.items()
    }
    writers = {name: model.text for name, model in doing.items() if isinstance(model.text, TextModel)}
    meters = Meters()
    desk = Desk(settings.max_open, meters)
    meters.look_at(lambda: [*engines(writers), *places(desk.taken, desk.places)])
    jobs = jobs_of(workspace or Workspace(), settings, doing)
    served = Served(writers, doing, desk, jobs)
    rounds = Rounds(settings.monitoring, meters, served, lambda name: house.digest(name))
    house = House(writers, doing, desk, settings, stores or in_memory(), rounds, jobs, served)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with retaining(house.stores, settings), rounds.going():
            jobs.open()
            yield
            jobs.close()
            house.desk.cancel_all()
            await house.desk.empty(within_s=5.0)
        served.close()

    app = FastAPI(
        title="Langwright", docs_url=None, redoc_url=None, lifespan=lifespan, redirect_slashes=False, responses=REFUSALS
    )
    app.state.desk, app.state.rounds = house.desk, rounds
    for routes, scope in ROUTES:
        router = routes(house)
        bare = undeclared(router.routes) if scope is None else []
        assert not bare, f"name the scope that these routes need: {bare}"
        app.include_router(router, dependencies=[] if scope is None else [needs(scope)])
    add_refusals(app)
    required = audience.any_address or settings.require_key
    app.add_middleware(Gate, stores=house.stores, settings=settings, required=required, digest=house.digest)
    if audience.origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=sorted(audience.origins), allow_methods=["*"], allow_headers=["*"]
        )
    app.add_middleware(Guard, audience=audience, pace=Pace(settings.sender_s, settings.sender_bytes_s))
    app.add_middleware(Watch, meters=meters, lines=rounds.lines)
    app.openapi = lambda: openapi(app)  # type: ignore[method-assign]
    return app


def jobs_of(workspace: Workspace, settings: ServingSettings, doing: Mapping[str, Model]) -> Jobs:
    """The jobs of a workspace, which share the cores with what these models compute."""
    sharing = Sharing(physical_cores(), settings.max_jobs, settings.job_threads)
    computing = Threads(
        lambda: [hands(), *(getattr(model.text, "engine", None) for model in list(doing.values()))], sharing.cores
    )
    return Jobs(workspace, sharing, computing, settings.job_stop_s)


def add_refusals(app: FastAPI) -> None:
    """Every answer that is not a success in one shape, in the caller's language."""

    @app.exception_handler(ApiError)
    async def refused(request: Request, error: ApiError) -> Response:
        return answered(error)

    @app.exception_handler(StoreError)
    async def stuck(request: Request, error: StoreError) -> Response:
        return answered(ApiError(error, status=503, headers={"Retry-After": str(RETRY_AFTER_S)}))

    @app.exception_handler(UserError)
    async def mistaken(request: Request, error: UserError) -> Response:
        return answered(ApiError(error))

    @app.exception_handler(HTTPException)
    async def routed(request: Request, error: HTTPException) -> Response:
        return answered(not_routed(app, request, error))

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=CLIENT_CLOSED)

    @app.exception_handler(Exception)
    async def ours(request: Request, error: Exception) -> Response:
        return broken().response()


def answered(error: ApiError) -> Response:
    """A refusal as an answer; the audit log is told its code."""
    visit = visiting()
    if visit is not None:
        visit.code = error.error.code
    return error.response()


def not_routed(app: FastAPI, request: Request, error: HTTPException) -> ApiError:
    """A path or method that is not there."""
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        problem = UserError(
            "{path} does not take {method}",
            fix="use {allowed}",
            path=request.url.path,
            method=request.method,
            allowed=allowed,
        )
        return ApiError(problem, status=405, headers=error.headers)
    paths = {path for path in app.openapi()["paths"] if "{" not in path} | {"/docs"}
    return ApiError(unknown("path", request.url.path, paths), status=error.status_code, headers=error.headers)


def openapi(app: FastAPI) -> dict[str, Any]:
    """The interface for programs: FastAPI's, with the schemas of the bodies that routes read themselves."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
        _, bodies = models_json_schema(
            [(body, "validation") for body in (*BODIES.values(), *DIALOGUE_BODIES, *RESOURCES)],
            ref_template="#/components/schemas/{model}",
        )
        schema["components"]["schemas"] |= bodies["$defs"]
        app.openapi_schema = schema
    return app.openapi_schema
