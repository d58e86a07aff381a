"""/v1/checks: models that are evaluated again. /v1/served/NAME/exchange, rollback, versions: which model a name leads to."""

from __future__ import annotations

from asyncio import to_thread
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from langwright.errors import unknown
from langwright.serving.access.scopes import needs
from langwright.serving.complaints import ApiError
from langwright.serving.house import House, documented, query
from langwright.serving.jobs.routes import Nothing
from langwright.serving.monitoring.checking import Checking, Outcome
from langwright.serving.monitoring.lines import stamp
from langwright.serving.monitoring.schedule import Check
from langwright.serving.monitoring.versions import Version, Why, stack
from langwright.settings import Settings


class ExchangeRequest(Settings):
    """POST /v1/served/{name}/exchange: have a name lead to another model."""

    run: Annotated[str, Field(description="The name of a run that is a model", examples=['"topics-2"'])]
    wait_s: Annotated[
        float, Field(ge=0, le=600, description="Seconds that open answers have to end by themselves; default 10")
    ] = 10.0


class RollbackRequest(Settings):
    """POST /v1/served/{name}/rollback: have a name lead to the model it led to before."""

    wait_s: Annotated[
        float, Field(ge=0, le=600, description="Seconds that open answers have to end by themselves; default 10")
    ] = 10.0


class VersionShown(BaseModel):
    """What a name led to from a time on; `present` marks the one it leads to now."""

    time: str
    folder: str
    digest: str
    why: Why
    present: bool


class VersionList(BaseModel):
    """The answer of GET /v1/served/{name}/versions, oldest first."""

    object: Literal["list"] = "list"
    name: str
    data: list[VersionShown]


class OutcomeShown(BaseModel):
    """What came of one evaluation; `missed` are demands that were not met."""

    began: str
    ended: str
    digest: str
    report: str
    passed: bool
    missed: list[str]
    problem: str


class CheckShown(BaseModel):
    """One model that is evaluated again.

    running  name of the job that evaluates it now; empty when none does
    next     when it is due
    failing  it did not meet its gate when these very files were last evaluated
    """

    model: str
    dataset: str
    gate: str
    every_h: float
    running: str
    next: str
    failing: bool
    outcomes: list[OutcomeShown]


class CheckList(BaseModel):
    """The answer of GET /v1/checks."""

    object: Literal["list"] = "list"
    data: list[CheckShown]


MOST_SHOWN = 20  # outcomes of each model


def version_routes(house: House) -> APIRouter:
    """The routes, over what a house serves."""
    router = APIRouter(tags=["Monitoring"])
    exchange = house.rounds.exchange

    @router.get("/v1/served/{name:path}/versions", dependencies=[needs("read")])
    async def versions(name: str, request: Request) -> VersionList:
        """Which models a name led to."""
        query(request, Nothing)
        history = await to_thread(exchange.versions.of, name)
        if not history:
            house.served.find(name)
        present = stack(history)[-1].digest if history else ""
        last = max((at for at, one in enumerate(history) if one.digest == present), default=-1)
        return VersionList(name=name, data=[shown(one, at == last) for at, one in enumerate(history)])

    @router.post(
        "/v1/served/{name:path}/exchange", dependencies=[needs("manage")], openapi_extra=documented(ExchangeRequest)
    )
    async def put(name: str, request: Request) -> VersionShown:
        """Open another model and answer with it from then on; what is open ends with the old one."""
        asked = await house.read(request, ExchangeRequest)
        return shown(await exchange.to_run(name, asked.run, asked.wait_s), present=True)

    @router.post(
        "/v1/served/{name:path}/rollback", dependencies=[needs("manage")], openapi_extra=documented(RollbackRequest)
    )
    async def back(name: str, request: Request) -> VersionShown:
        """Answer with the model that the name led to before."""
        asked = await house.read(request, RollbackRequest)
        return shown(await exchange.back(name, asked.wait_s), present=True)

    add_checks(router, house)
    return router


def add_checks(router: APIRouter, house: House) -> None:
    """The routes over evaluations."""
    checking = house.rounds.checking

    @router.get("/v1/checks", dependencies=[needs("read")])
    async def checks(request: Request) -> CheckList:
        """The models that are evaluated again, with what came of it."""
        query(request, Nothing)
        return CheckList(data=[await to_thread(check_shown, checking, check) for check in checking.checks])

    @router.post("/v1/checks/{model:path}", dependencies=[needs("train")], openapi_extra=documented(Nothing))
    async def run(model: str, request: Request) -> CheckShown:
        """Evaluate a model again now, not when it is due."""
        await house.read(request, Nothing)
        found = {check.model: check for check in checking.checks}
        if model not in found:
            raise ApiError(unknown("model", model, found), status=404, param="model")
        await to_thread(checking.begin, found[model])
        return await to_thread(check_shown, checking, found[model])


def shown(version: Version, present: bool) -> VersionShown:
    """A version, its folder by its last part: the API shows no paths."""
    return VersionShown(
        time=stamp(version.time), folder=Path(version.folder).name, digest=version.digest, why=version.why,
        present=present,
    )  # fmt: skip


def check_shown(checking: Checking, check: Check) -> CheckShown:
    """A check with its outcomes, the newest first. Blocks."""
    begun = checking.begun.get(check.model)
    outcomes = checking.outcomes(check.model)[: -MOST_SHOWN - 1 : -1]
    return CheckShown(
        model=check.model, dataset=check.dataset, gate=Path(check.gate).name, every_h=check.every_h,
        running=begun.report if begun else "", next=stamp(checking.due(check) or checking.clock()),
        failing=checking.fails(check.model), outcomes=[outcome_shown(one) for one in outcomes],
    )  # fmt: skip


def outcome_shown(one: Outcome) -> OutcomeShown:
    """An outcome as the API shows it."""
    return OutcomeShown(
        began=stamp(one.began), ended=stamp(one.ended), digest=one.digest, report=one.report, passed=one.passed,
        missed=list(one.missed), problem=one.problem,
    )  # fmt: skip
