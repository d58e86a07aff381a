"""Who hears of an alert: the log, and one URL that a person named. Nothing else leaves the machine."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field

import httpx

from langwright.serving.monitoring.alerts import Alert

WITHIN_S = 5.0
TRIES = 60  # at as many looks
MOST_WAITING = 100
log = logging.getLogger("langwright.serving")


@dataclass
class Notice:
    """What is said of an alert."""

    body: dict[str, object]
    tries: int = 0


def notice_of(alert: Alert, time: str) -> Notice:
    """An alert as it is now."""
    return Notice(
        {
            "alert": alert.rule.name, "state": alert.state, "kind": alert.rule.on.kind, "value": alert.value,
            "above": alert.rule.above, "time": time,
        }
    )  # fmt: skip


@dataclass
class Post:
    """Tells a URL, one notice after the other in their order; again at the next look when it was not reached."""

    url: str
    waiting: deque[Notice] = field(default_factory=lambda: deque(maxlen=MOST_WAITING))

    async def send(self) -> None:
        """Tell what waits to be told, until something is not heard."""
        if not self.waiting:
            return
        # no proxy of the environment, no redirects: what is said goes to the URL that was named and nowhere else
        async with httpx.AsyncClient(timeout=WITHIN_S, follow_redirects=False, trust_env=False) as client:
            while self.waiting and await self._heard(client, self.waiting[0]):
                self.waiting.popleft()

    async def _heard(self, client: httpx.AsyncClient, notice: Notice) -> bool:
        """Whether a notice needs no other try."""
        try:
            answer = await client.post(self.url, json=notice.body)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            notice.tries += 1
            if notice.tries < TRIES:
                return False
            log.warning("an alert could not be posted: %s", error)
        return True
