"""/metrics for Prometheus, /v1/alerts and /v1/drift for people and programs."""

from __future__ import annotations

import time
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from langwright.serving.house import House
from langwright.serving.monitoring.alerts import Alert, State
from langwright.serving.monitoring.drift import Looked
from langwright.serving.monitoring.lines import stamp
from langwright.serving.monitoring.meters import CONTENT_TYPE


class AlertShown(BaseModel):
    """One rule and the state it is in.

    value  what was seen at the last look; null where there was too little
    since  when the state began
    """

    name: str
    kind: str
    state: State
    value: float | None
    above: float
    since: str | None


class AlertList(BaseModel):
    """The answer of GET /v1/alerts."""

    object: Literal["list"] = "list"
    data: list[AlertShown]


class FindingShown(BaseModel):
    """One property of a window beside the reference.

    test   smirnov, pearson or discrepancy; statistic: its value
    index  population stability index, where there are classes
    """

    property: str
    test: str
    statistic: float
    p: float
    index: float | None
    changed: bool


class DriftShown(BaseModel):
    """What is asked of one model.

    reference  texts that windows are compared with; 0 while they are gathered
    gathered   requests towards the next window, or towards the reference
    findings   of the last window; empty before there was one
    """

    model: str
    reference: int
    gathered: int
    windows: int
    looked: str | None
    requests: int
    changed: list[str]
    findings: list[FindingShown]


class DriftList(BaseModel):
    """The answer of GET /v1/drift."""

    object: Literal["list"] = "list"
    window: int
    data: list[DriftShown]


def monitoring_routes(house: House) -> APIRouter:
    """The routes, over what a house counts and looks after."""
    router = APIRouter(tags=["Monitoring"])
    rounds = house.rounds

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """What the server counts, in Prometheus' text form."""
        return Response(rounds.meters.page(), headers={"Content-Type": CONTENT_TYPE})

    @router.get("/v1/alerts")
    async def alerts() -> AlertList:
        """Each alert and the state it is in."""
        return AlertList(data=[shown(alert) for alert in rounds.alerts.all])

    @router.get("/v1/drift")
    async def drift() -> DriftList:
        """Whether what is asked of each model has changed."""
        data = []
        for name, stream in list(rounds.drift.streams.items()):
            last = stream.last or Looked(0.0, 0, ())
            findings = [FindingShown.model_validate(one, from_attributes=True) for one in last.findings]
            data.append(
                DriftShown(
                    model=name, reference=len(stream.reference), gathered=len(stream.prompts), windows=stream.looks,
                    looked=stamp(last.time) if stream.last else None, requests=last.requests,
                    changed=list(last.changed), findings=findings,
                )
            )  # fmt: skip
        return DriftList(window=rounds.settings.drift.window, data=data)

    return router


def shown(alert: Alert) -> AlertShown:
    """An alert as it is now."""
    ago = time.monotonic() - alert.since
    since = stamp(time.time() - ago) if alert.since else None
    return AlertShown(
        name=alert.rule.name, kind=alert.rule.on.kind, state=alert.state, value=alert.value, above=alert.rule.above,
        since=since,
    )  # fmt: skip
