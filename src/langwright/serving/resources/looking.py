"""What someone looks at before and after the work: samples to begin with, a preflight, what cleaning dropped, a text as tokens."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from asyncio import to_thread
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from langwright.data.cleaning import Drops
from langwright.errors import UserError, unknown
from langwright.files import full_disk, write_whole
from langwright.serving.access.scopes import needs
from langwright.serving.complaints import ApiError
from langwright.serving.house import House, documented, query
from langwright.serving.jobs.asking import UPLOADS, JobRequest, wanted
from langwright.serving.jobs.keeping import SECRETS, Jobs
from langwright.serving.jobs.routes import Nothing, refuse_body
from langwright.serving.jobs.shown import Why
from langwright.serving.resources.datasets import DatasetShown, file_shown
from langwright.serving.resources.runs import artifact_of
from langwright.serving.streaming import RETRY_AFTER_S
from langwright.settings import Settings
from langwright.tokenizers.inspection import Inspection
from langwright.training.preflight import Preflight
from langwright.wording import current_language

SAMPLES = ("conversations.en.jsonl", "conversations.zh.jsonl", "paraphrases.jsonl")  # in langwright/data/shipped
LONGEST_LOOK_S = 300.0


class SampleShown(BaseModel):
    """A file that Langwright brings along; `taken` says whether it is among the uploaded ones already."""

    name: str
    bytes: int
    rows: int
    licence: str
    taken: bool


class SampleList(BaseModel):
    """The answer of GET /v1/samples."""

    object: Literal["list"] = "list"
    data: list[SampleShown]


class Looked(BaseModel):
    """The answer of POST /v1/preflight.

    settings  all of them, as the job would have them
    found     what its rows are like; null for a stage that does not train
    refused   why the job would break down
    """

    object: Literal["preflight"] = "preflight"
    command: str
    settings: dict[str, Any]
    found: Preflight | None = None
    refused: Why | None = None


class TokensRequest(Settings):
    """POST /v1/runs/{name}/tokens: a text as a tokenizer cuts it."""

    text: Annotated[str, Field(max_length=20_000, description="The text")]


def looking_routes(house: House) -> APIRouter:
    """The routes, over the workspace of a house."""
    router = APIRouter()
    jobs = house.jobs
    looks: list[str] = []

    @router.get("/v1/samples", dependencies=[needs("read")], tags=["Data sets"])
    async def list_samples(request: Request) -> SampleList:
        """Small files to begin with, which came with the program."""
        query(request, Nothing)
        return await to_thread(all_samples, jobs)

    @router.post("/v1/samples/{name}", status_code=201, dependencies=[needs("data")], tags=["Data sets"])
    async def take_sample(name: str, request: Request) -> DatasetShown:
        """Put one among the uploaded files; nothing happens when it is there already."""
        query(request, Nothing)
        await refuse_body(request)
        return await to_thread(taken, jobs, name)

    @router.get("/v1/runs/{name:path}/drops", dependencies=[needs("read")], tags=["Runs"])
    async def drops(name: str, request: Request) -> Drops:
        """What cleaning dropped, by rule, with examples."""
        query(request, Nothing)
        return await to_thread(dropped, jobs, name)

    @router.post(
        "/v1/runs/{name:path}/tokens",
        dependencies=[needs("read")],
        tags=["Runs"],
        openapi_extra=documented(TokensRequest),
    )
    async def tokens(name: str, request: Request) -> Inspection:
        """A text as the tokenizer of a run, or of a model, cuts it."""
        asked = await house.read(request, TokensRequest)
        return await house.desk.aside(cut, jobs, name, asked.text)

    @router.post("/v1/preflight", dependencies=[needs("train")], tags=["Jobs"], openapi_extra=documented(JobRequest))
    async def preflight(request: Request) -> Looked:
        """Everything that can be known of a job before it is begun; one is looked at at a time."""
        asked = await house.read(request, JobRequest)
        if looks:
            raise ApiError(
                UserError("another job is being looked at", fix="ask again when that is done"),
                status=503, headers={"Retry-After": str(RETRY_AFTER_S)},
            )  # fmt: skip
        looks.append(asked.name)
        try:
            return await house.desk.aside(looked, jobs, asked)
        finally:
            looks.clear()

    return router


def shipped(name: str) -> Path:
    """Where a sample lies."""
    return Path(str(resources.files("langwright") / "data" / "shipped" / name))


def all_samples(jobs: Jobs) -> SampleList:
    """Every sample."""
    there = jobs.workspace.folder / UPLOADS
    found = [(name, shipped(name).read_bytes()) for name in SAMPLES]
    return SampleList(
        data=[
            SampleShown(
                name=name, bytes=len(data), rows=data.count(b"\n"), licence="CC0-1.0", taken=(there / name).is_file()
            )
            for name, data in found
        ]
    )


def taken(jobs: Jobs, name: str) -> DatasetShown:
    """A sample among the uploaded files; ApiError 404 when there is none of this name."""
    if name not in SAMPLES:
        raise ApiError(unknown("sample", name, SAMPLES), status=404, param="name")
    target = jobs.workspace.folder / UPLOADS / name
    if not target.exists():
        with full_disk(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, shipped(name).read_bytes())
    return file_shown(target)


def dropped(jobs: Jobs, name: str) -> Drops:
    """What cleaning dropped; ApiError 404 for what was not made by cleaning."""
    file = artifact_of(jobs, name).path / "drops.json"
    if not file.is_file():
        raise ApiError(
            UserError("{name} was not made by cleaning", fix="clean it with a job of stage data-clean", name=name),
            status=404, param="name",
        )  # fmt: skip
    return Drops.model_validate_json(file.read_bytes())


def cut(jobs: Jobs, name: str, text: str) -> Inspection:
    """A text as tokens."""
    from langwright.tokenizers.inspection import inspect
    from langwright.tokenizers.loading import load_tokenizer

    return inspect(load_tokenizer(artifact_of(jobs, name).path), text)


def looked(jobs: Jobs, asked: JobRequest) -> Looked:
    """What `langwright check` says of a job, in a process of its own, so that what it opens is closed again.

    raises  ApiError or UserError for what is wrong with the request
    """
    found = wanted(jobs.workspace, asked.model_copy(update={"on": None}))  # one process looks, however many train
    command = shlex.join(("langwright", *found.words))
    words = ("check", *found.words, "--json", "--lang", current_language())
    environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
    environment["OMP_NUM_THREADS"] = str(jobs.sharing.each)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "langwright.cli.main", *words], cwd=jobs.workspace.folder.absolute(), env=environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST_LOOK_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ApiError(
            UserError("looking took longer than {seconds} s", fix="begin the job", seconds=round(LONGEST_LOOK_S)),
            status=503,
        ) from None
    settings = found.prepared.request.settings
    answer = json.loads(done.stdout) if done.stdout.strip() else {}
    if "error" in answer:
        why = Why(problem=answer["error"]["problem"], fix=answer["error"]["fix"])
        return Looked(command=command, settings=settings, refused=why)
    if done.returncode:
        raise UserError("looking ended with code {code}", fix="see the server's log", code=done.returncode)
    return Looked(command=command, settings=answer["settings"], found=answer["found"])
