"""/v1/runs: what was made, from what, with which settings and results; the difference of two; reports and their pages."""

from __future__ import annotations

from asyncio import to_thread
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field, JsonValue

from langwright.artifacts import Ability, Artifact, DatasetFacts, ModelFacts, Origin, TokenizerFacts, open_artifact
from langwright.errors import UserError, unknown
from langwright.measures import Measure, read_report
from langwright.serving.access.scopes import needs
from langwright.serving.complaints import ApiError
from langwright.serving.house import House, asked_of, query
from langwright.serving.jobs.keeping import Jobs
from langwright.serving.jobs.routes import Nothing
from langwright.settings import Settings, differences
from langwright.workspace import Run, read_request

KINDS = ("dataset", "tokenizer", "model", "index", "report")
HTML: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}
POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"


class RunShown(BaseModel):
    """One run in a list."""

    object: Literal["run"] = "run"
    name: str
    stage: str
    status: str
    kind: str | None
    began: float | None
    heard: float | None
    step: int | None
    steps: int | None


class RunList(BaseModel):
    """The answer of GET /v1/runs."""

    object: Literal["list"] = "list"
    data: list[RunShown]


class RunDetails(RunShown):
    """One run with all that is known of it. What a run that is not finished has not yet is empty.

    inputs  what it was made from, each with its own inputs, down to the raw files
    """

    command: list[str] = []
    settings: dict[str, JsonValue] = {}
    inputs: list[Origin] = []
    digest: str | None = None
    bytes: int = 0
    files: dict[str, int] = {}
    results: list[Measure] = []
    abilities: list[Ability] = []
    dataset: DatasetFacts | None = None
    tokenizer: TokenizerFacts | None = None
    model: ModelFacts | None = None
    versions: dict[str, str] = {}
    made: str = ""
    seconds: float = 0.0
    pages: list[str] = []


class ChangeShown(BaseModel):
    """One setting, or one input, that differs."""

    key: str
    before: JsonValue
    after: JsonValue


class Difference(BaseModel):
    """The answer of GET /v1/runs/{name}/diff: `before` is of this run, `after` of the other."""

    object: Literal["diff"] = "diff"
    before: str
    after: str
    stages: tuple[str, str]
    settings: list[ChangeShown]
    inputs: list[ChangeShown]
    results: list[ChangeShown]


class RunsQuery(Settings):
    """GET /v1/runs."""

    kind: Annotated[str | None, Field(description="Only what is of this kind, such as model or dataset")] = None
    stage: Annotated[str | None, Field(description="Only what this stage made")] = None


class DiffQuery(Settings):
    """GET /v1/runs/{name}/diff."""

    to: Annotated[str, Field(description="The name of the other run", examples=['"chat"'])]


def run_routes(house: House) -> APIRouter:
    """The routes, over the workspace of a house."""
    router = APIRouter(tags=["Runs"])
    jobs = house.jobs

    @router.get("/v1/runs", dependencies=[needs("read")], openapi_extra=asked_of(RunsQuery))
    async def list_runs(request: Request) -> RunList:
        """Every run of the workspace, in order of name."""
        asked = query(request, RunsQuery)
        if asked.kind is not None and asked.kind not in KINDS:
            raise ApiError(unknown("kind", asked.kind, KINDS), status=422, param="kind")
        runs = await to_thread(jobs.workspace.runs)
        return RunList(data=[shown(run) for run in runs if fits(run, asked)])

    @router.get("/v1/runs/{name:path}/diff", dependencies=[needs("read")], openapi_extra=asked_of(DiffQuery))
    async def diff(name: str, request: Request) -> Difference:
        """Where two runs differ, in settings, inputs and results."""
        asked = query(request, DiffQuery)
        return await to_thread(difference, jobs, name, asked.to)

    @router.get("/v1/runs/{name:path}/report", dependencies=[needs("read")], response_model=dict[str, Any])
    async def report(name: str, request: Request) -> Response:
        """A report's measures, as `report.json` holds them."""
        query(request, Nothing)
        file = (await to_thread(artifact_of, jobs, name)).path / "report.json"
        if not file.is_file():
            raise nothing_like(name, "report")
        found = await to_thread(read_report, file)
        return Response(found.model_dump_json(), media_type="application/json")

    @router.get("/v1/runs/{name:path}/page", dependencies=[needs("read")], response_model=None, responses=HTML)
    async def page(name: str, request: Request) -> FileResponse:
        """A report's page, one HTML file that needs nothing else; shown without scripts."""
        query(request, Nothing)
        file = (await to_thread(artifact_of, jobs, name)).path / "report.html"
        if not file.is_file():
            raise nothing_like(name, "page")
        return FileResponse(file, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": POLICY})

    @router.get("/v1/runs/{name:path}", dependencies=[needs("read")])
    async def one_run(name: str, request: Request) -> RunDetails:
        """One run with its settings, what it was made from, and its results."""
        query(request, Nothing)
        return await to_thread(details, jobs.find(name))

    return router


def fits(run: Run, asked: RunsQuery) -> bool:
    """Whether a run is of the kind and stage that are asked for."""
    return asked.kind in (None, run.kind) and asked.stage in (None, run.stage)


def shown(run: Run) -> RunShown:
    """A run in a list."""
    return RunShown(
        name=run.name, stage=run.stage, status=run.status, kind=run.kind, began=run.began, heard=run.heard, step=run.step,
        steps=run.steps,
    )  # fmt: skip


def details(run: Run) -> RunDetails:
    """A run with what its card, or what it was asked, says."""
    base = shown(run).model_dump()
    if run.status != "finished":
        request = read_request(run.folder)
        if request is None:
            return RunDetails(**base)
        return RunDetails(**base, command=list(request.command), settings=request.settings, inputs=list(request.inputs))
    artifact = open_artifact(run.out)
    card = artifact.card
    if card is None:
        return RunDetails(**base)
    sizes = {name: record.size for name, record in card.files.items()}
    pages = [name for name in ("report.html",) if name in sizes]
    return RunDetails(
        **base, command=list(card.command), settings=card.settings, inputs=list(card.inputs), digest=artifact.digest,
        bytes=sum(sizes.values()), files=sizes, results=list(card.results), abilities=list(card.abilities),
        dataset=card.dataset, tokenizer=card.tokenizer, model=card.model, versions=card.versions, made=card.made_at,
        seconds=card.seconds, pages=pages,
    )  # fmt: skip


def difference(jobs: Jobs, one: str, other: str) -> Difference:
    """Where two runs differ; ApiError 404 when one of them is not there."""
    before, after = details(jobs.find(one)), details(jobs.find(other))
    return Difference(
        before=one, after=other, stages=(before.stage, after.stage),
        settings=changes(before.settings, after.settings),
        inputs=changes(digests(before), digests(after)),
        results=changes(values(before), values(after)),
    )  # fmt: skip


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[ChangeShown]:
    """The entries that differ."""
    return [
        ChangeShown(key=one.key, before=plain(one.before), after=plain(one.after)) for one in differences(before, after)
    ]


def plain(value: Any) -> JsonValue:
    """A setting as JSON has it."""
    return list(value) if isinstance(value, tuple) else value


def digests(run: RunDetails) -> dict[str, Any]:
    """What a run was made from: role and number -> the beginning of its digest."""
    return {f"{origin.role} {number}": origin.digest[:16] for number, origin in enumerate(run.inputs, start=1)}


def values(run: RunDetails) -> dict[str, Any]:
    """What was measured, by name and data."""
    return {f"{one.name} ({one.data})" if one.data else one.name: one.value for one in run.results}


def artifact_of(jobs: Jobs, name: str) -> Artifact:
    """A finished run; ApiError 404 or 409 when there is none yet."""
    run = jobs.find(name)
    jobs.refuse_unless(run, "finished")
    return open_artifact(run.out)


def nothing_like(name: str, what: str) -> ApiError:
    """A run that has no report, or no page."""
    problem = (
        UserError("{name} has no measures", fix="a run of `evaluate` or `compare` has", name=name)
        if what == "report"
        else UserError("{name} has no page", fix="a run of `report` or `evaluate` has", name=name)
    )
    return ApiError(problem, status=404, param="name")
