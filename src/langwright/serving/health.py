"""Is the process alive, and do its engines answer?"""

from __future__ import annotations

import asyncio
import math
import time
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from langwright.inference.protocol import Request, Sampling
from langwright.inference.texts.text import TextModel
from langwright.serving.house import House
from langwright.serving.streaming import Desk, in_thread, log

State = Literal["ready", "slow", "broken", "stopping"]


class Live(BaseModel):
    """The event loop answers."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Whether every engine made a token just now."""

    status: Literal["ready", "not ready"]
    models: dict[str, State]


def health_routes(house: House) -> APIRouter:
    """The routes, over the models of a house."""
    router = APIRouter(tags=["Health"])
    known: dict[TextModel, Probe] = {}

    def probes() -> dict[str, Probe]:
        """Of the models that are served now."""
        for model in [model for model in known if model not in house.models.values()]:
            del known[model]
        return {
            name: known.setdefault(model, Probe(model, house.desk, house.settings.ready_s))
            for name, model in house.models.items()
        }

    @router.get("/health/live")
    async def live() -> Live:
        """Says that the process runs; asks no model."""
        return Live()

    @router.get("/health/ready", responses={503: {"model": Ready}})
    async def ready(response: Response) -> Ready:
        """Has every model make one token; 503 when one does not in time, has died, or the server is stopping."""
        if house.desk.closing or house.desk.leaving:
            states: dict[str, State] = dict.fromkeys(house.models, "stopping")
        else:
            asked = probes()
            found = await asyncio.gather(*(probe.state() for probe in asked.values()))
            states = dict(zip(asked, found, strict=True))
        well = all(state == "ready" for state in states.values())
        response.status_code = 200 if well else 503
        return Ready(status="ready" if well else "not ready", models=states)

    return router


class Probe:
    """Asks one engine for one token, unless it wrote something just now. Callers at the same time share one question."""

    def __init__(self, model: TextModel, desk: Desk, within_s: float) -> None:
        self.model = model
        self.desk = desk
        self.within_s = within_s
        self._asking: asyncio.Future[bool] | None = None

    async def state(self) -> State:
        """What came of it; an engine whose thread or server has ended is broken, whatever it wrote just now."""
        if not self.model.engine.alive:
            return "broken"
        if time.monotonic() - self.desk.heard.get(self.model, -math.inf) < self.within_s:
            return "ready"
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(in_thread(self.makes_a_token))
        try:
            well = await asyncio.wait_for(asyncio.shield(self._asking), self.within_s)
        except TimeoutError:
            return "slow"
        except Exception:
            log.exception("the engine of %s does not answer", self.model.name)
            return "broken"
        return "ready" if well else "broken"

    def makes_a_token(self) -> bool:
        """Blocks until the engine has made one token, ahead of what waits."""
        stream = self.model.engine.submit(Request([0], Sampling(max_new_tokens=1), priority=1))
        for _ in stream:
            continue
        return stream.finish_reason in ("stop", "length")
