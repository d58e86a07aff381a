"""/v1/served: the models that are served, with what each costs and where it is from; load, unload, adapters."""

from __future__ import annotations

from asyncio import to_thread
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from langwright.artifacts import Origin
from langwright.serving.access.scopes import needs
from langwright.serving.house import House, documented, query
from langwright.serving.jobs.routes import Nothing
from langwright.serving.resources.served import Served, tier_of
from langwright.settings import Settings
from langwright.tasks.front.model import Model


class LoadRequest(Settings):
    """POST /v1/served: serve a model of the workspace."""

    name: Annotated[str, Field(description="The name of a run that is a model", examples=['"base"'])]
    max_batch: Annotated[int, Field(ge=1, le=256, description="Most texts it writes at the same time; default 8")] = 8


class UnloadRequest(Settings):
    """POST /v1/served/{name}/unload: serve a model no more."""

    wait_s: Annotated[
        float, Field(ge=0, le=600, description="Seconds that open answers have to end by themselves; default 10")
    ] = 10.0


class AdapterRequest(Settings):
    """POST /v1/served/{name}/adapters: serve a model with an adapter, beside the plain one."""

    adapter: Annotated[str, Field(description="The name of the adapter", examples=['"law"'])]
    run: Annotated[str | None, Field(description="The run whose adapter it is; the model itself when left out")] = None


class ServedShown(BaseModel):
    """One model.

    tier     how requests to it run together: packed, padded or single; empty for one that does not write
    why      why not in a better way
    tasks    what it does, and by which solver
    weights  bytes on disk, which is about what it takes in memory
    inputs   what it was made from, each with its own inputs
    """

    object: Literal["served"] = "served"
    name: str
    tier: str
    why: str
    tasks: dict[str, str]
    context: int | None
    adapters: list[str]
    weights: int
    digest: str | None
    stage: str | None
    inputs: list[Origin]


class ServedList(BaseModel):
    """The answer of GET /v1/served.

    memory  bytes that the server takes in all
    free    bytes that the system has to give
    """

    object: Literal["list"] = "list"
    data: list[ServedShown]
    memory: int
    free: int


class Unloaded(BaseModel):
    """What became of the answers that were open.

    finished  ended by themselves
    ended     ended with the error `the-model-was-unloaded`
    """

    name: str
    unloaded: bool = True
    finished: int
    ended: int


def model_routes(house: House) -> APIRouter:
    """The routes, over the models of a house."""
    router = APIRouter(tags=["Models"])
    served = house.served

    @router.get("/v1/served", dependencies=[needs("read")])
    async def list_served(request: Request) -> ServedList:
        """The models that can be asked now."""
        import psutil

        query(request, Nothing)
        data = [await to_thread(shown, name, served) for name in list(served.doing)]
        return ServedList(data=data, memory=psutil.Process().memory_info().rss, free=psutil.virtual_memory().available)

    @router.post("/v1/served", status_code=201, dependencies=[needs("manage")], openapi_extra=documented(LoadRequest))
    async def load(request: Request) -> ServedShown:
        """Load a model of the workspace, and answer by its name from then on."""
        asked = await house.read(request, LoadRequest)
        model = await served.load(asked.name, asked.max_batch)
        return await to_thread(shown, model.name, served)

    @router.post(
        "/v1/served/{name:path}/unload", dependencies=[needs("manage")], openapi_extra=documented(UnloadRequest)
    )
    async def unload(name: str, request: Request) -> Unloaded:
        """Find it no more at once; let open answers end, end those that take too long, and give its memory back."""
        asked = await house.read(request, UnloadRequest)
        finished, ended = await served.unload(name, asked.wait_s)
        return Unloaded(name=name, finished=finished, ended=ended)

    @router.post(
        "/v1/served/{name:path}/adapters", status_code=201, dependencies=[needs("manage")],
        openapi_extra=documented(AdapterRequest),
    )  # fmt: skip
    async def add_adapter(name: str, request: Request) -> ServedShown:
        """Answer as `NAME:ADAPTER` too; that name is unloaded like a model."""
        asked = await house.read(request, AdapterRequest)
        model = await served.add_adapter(name, asked.adapter, asked.run)
        return await to_thread(shown, model.name, served)

    @router.get("/v1/served/{name:path}", dependencies=[needs("read")])
    async def one_served(name: str, request: Request) -> ServedShown:
        """One of them."""
        query(request, Nothing)
        served.find(name)
        return await to_thread(shown, name, served)

    return router


def shown(name: str, served: Served) -> ServedShown:
    """A model with what is known of it."""
    model: Model = served.find(name)
    tier, why = tier_of(model)
    facts = served.facts(model)
    card = model.artifact.card if model.artifact is not None else None
    return ServedShown(
        name=name, tier=tier, why=why, tasks=model.abilities, context=getattr(model.text, "context", None),
        adapters=[other.rpartition(":")[2] for other in served.doing if served.is_twin(other, name)],
        weights=facts.weights, digest=facts.digest, stage=card.stage if card else None, inputs=list(facts.inputs),
    )  # fmt: skip
