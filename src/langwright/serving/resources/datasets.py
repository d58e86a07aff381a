"""/v1/datasets: files that were uploaded, and the data sets that were read from such; by name, never by path."""

from __future__ import annotations

from asyncio import to_thread
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from langwright.artifacts import open_artifact
from langwright.data.schemas import SCHEMAS
from langwright.errors import UserError, unknown
from langwright.serving.access.scopes import needs
from langwright.serving.complaints import ApiError
from langwright.serving.house import House, asked_of, query
from langwright.serving.jobs.asking import UPLOADS
from langwright.serving.jobs.keeping import Jobs, in_use
from langwright.serving.jobs.routes import Confirmed, Deleted, Nothing, confirmed
from langwright.serving.resources.names import may_exist
from langwright.serving.resources.preview import Preview, preview_dataset, preview_file
from langwright.serving.resources.uploads import receive
from langwright.serving.streaming import RETRY_AFTER_S
from langwright.settings import Settings
from langwright.workspace import Run

AT_ONCE = 4  # uploads


class DatasetShown(BaseModel):
    """An uploaded file, or a data set.

    schema_name, splits  of a data set: the kind of its rows, and how many each split has
    bytes                of the file; of a data set, of its texts
    """

    object: Literal["dataset"] = "dataset"
    name: str
    kind: Literal["file", "dataset"]
    bytes: int
    made: str  # ISO 8601
    schema_name: str | None = None
    splits: dict[str, int] = {}
    digest: str | None = None


class DatasetList(BaseModel):
    """The answer of GET /v1/datasets."""

    object: Literal["list"] = "list"
    data: list[DatasetShown]


class UploadQuery(Settings):
    """PUT /v1/datasets/{name}."""

    sha256: Annotated[
        str | None, Field(description="What the bytes of the file come to, in hex; another one is refused")
    ] = None


class PreviewQuery(Settings):
    """GET /v1/datasets/{name}/preview."""

    rows: Annotated[int, Field(ge=1, le=200, description="How many rows")] = 20
    schema_name: Annotated[
        str | None, Field(description="The kind of rows to read a file as; the likeliest when left out")
    ] = None
    split: Annotated[str | None, Field(description="Which split of a data set; the first when left out")] = None


def dataset_routes(house: House) -> APIRouter:
    """The routes, over the workspace of a house."""
    router = APIRouter(tags=["Data sets"])
    jobs = house.jobs
    folder = jobs.workspace.folder / UPLOADS
    coming: list[str] = []

    @router.get("/v1/datasets", dependencies=[needs("read")])
    async def list_datasets(request: Request) -> DatasetList:
        """Uploaded files first, then data sets."""
        query(request, Nothing)
        return await to_thread(all_datasets, jobs)

    @router.get("/v1/datasets/{name:path}/preview", dependencies=[needs("read")], openapi_extra=asked_of(PreviewQuery))
    async def preview(name: str, request: Request) -> Preview:
        """The first rows, and what kinds of rows a file can be read as."""
        asked = query(request, PreviewQuery)
        if asked.schema_name is not None and asked.schema_name not in SCHEMAS:
            raise ApiError(unknown("schema", asked.schema_name, SCHEMAS), status=422, param="schema_name")
        found = await to_thread(place_of, jobs, name)
        if isinstance(found, Path):
            return await house.desk.aside(preview_file, found, asked.schema_name, asked.rows)
        return await house.desk.aside(preview_dataset, found.out, name, asked.split, asked.rows)

    @router.get("/v1/datasets/{name:path}", dependencies=[needs("read")])
    async def one_dataset(name: str, request: Request) -> DatasetShown:
        """One of them."""
        query(request, Nothing)
        found = await to_thread(place_of, jobs, name)
        return await to_thread(file_shown, found) if isinstance(found, Path) else await to_thread(run_shown, found)

    @router.put(
        "/v1/datasets/{name}",
        status_code=201,
        dependencies=[needs("data")],
        openapi_extra={**asked_of(UploadQuery), **BYTES},
    )
    async def upload(name: str, request: Request) -> DatasetShown:
        """Store a file, sent as the body as it is; a job of stage `data-read` makes a data set of it."""
        asked = query(request, UploadQuery)
        if len(coming) >= AT_ONCE:
            raise ApiError(
                UserError("{most} files are coming in already", fix="send it when one of them is there", most=AT_ONCE),
                status=429, headers={"Retry-After": str(RETRY_AFTER_S)},
            )  # fmt: skip
        coming.append(name)
        try:
            file = await receive(request, folder, name, house.settings.max_upload_bytes, asked.sha256)
        finally:
            coming.remove(name)
        return file_shown(file)

    @router.delete("/v1/datasets/{name:path}", dependencies=[needs("data")], openapi_extra=asked_of(Confirmed))
    async def delete(name: str, request: Request) -> Deleted:
        """Delete a file or a data set that no job needs; its name is said twice."""
        confirmed(name, query(request, Confirmed))
        await to_thread(deleted, jobs, name)
        return Deleted(name=name)

    return router


BYTES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def all_datasets(jobs: Jobs) -> DatasetList:
    """Everything there is."""
    folder = jobs.workspace.folder / UPLOADS
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [file_shown(file) for file in files if file.is_file() and may_exist(file.name)]
    runs = [run for run in jobs.workspace.runs() if run.kind == "dataset"]
    return DatasetList(data=[*found, *(run_shown(run) for run in runs)])


def place_of(jobs: Jobs, name: str) -> Path | Run:
    """An uploaded file by its name, else a data set; ApiError 404 when there is neither."""
    file = jobs.workspace.folder / UPLOADS / name
    if may_exist(name) and "/" not in name and file.is_file():
        return file
    names = [one.name for one in all_datasets(jobs).data]
    if name not in names:
        raise ApiError(unknown("dataset", name, names), status=404, param="name")
    return jobs.find(name)


def file_shown(file: Path) -> DatasetShown:
    """An uploaded file."""
    status = file.stat()
    made = datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="seconds")
    return DatasetShown(name=file.name, kind="file", bytes=status.st_size, made=made)


def run_shown(run: Run) -> DatasetShown:
    """A data set."""
    artifact = open_artifact(run.out, "dataset")
    card = artifact.card
    assert card is not None  # or it would not be known to be a data set
    facts = card.dataset
    return DatasetShown(
        name=run.name, kind="dataset", bytes=facts.bytes if facts else 0, made=card.made_at,
        schema_name=facts.schema_name if facts else None, splits=facts.splits if facts else {}, digest=artifact.digest,
    )  # fmt: skip


def deleted(jobs: Jobs, name: str) -> None:
    """Delete a file or a data set; ApiError 409 while a job needs it."""
    found = place_of(jobs, name)
    if not isinstance(found, Path):
        jobs.delete(name)
        return
    with jobs.alone():
        user = jobs.user_of(found)
        if user is not None:
            raise in_use(name, user)
        found.unlink()
