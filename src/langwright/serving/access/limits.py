"""How many requests a minute: a token bucket for each key, by a clock that nobody can set.

Source: RFC 2697 §3.1 has the bucket; here a token is a request, and the bucket holds a minute's worth.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

MOST = 10_000  # buckets kept; full ones are dropped beyond


@dataclass(frozen=True)
class Taken:
    """What came of asking for one request.

    left     requests that could follow at once
    wait_s   seconds until the next one is possible; 0.0 when this one was
    full_s   seconds until the bucket is full
    """

    granted: bool
    limit: int
    left: int
    wait_s: float
    full_s: float

    def headers(self) -> dict[str, str]:
        """As OpenAI names them; in a refusal also how long to wait."""
        found = {
            "x-ratelimit-limit-requests": str(self.limit),
            "x-ratelimit-remaining-requests": str(self.left),
            "x-ratelimit-reset-requests": f"{self.full_s:.3f}s",
        }
        return found if self.granted else {**found, "Retry-After": str(max(1, math.ceil(self.wait_s)))}


class Buckets:
    """One bucket for each name. Lives on one event loop: what it does is not interrupted."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: dict[str, tuple[float, float]] = {}  # name -> (requests left, when that was so)

    def take(self, name: str, per_minute: int) -> Taken:
        """Take one request out of a bucket that gets `per_minute` a minute and holds as many."""
        at, rate = self._clock(), per_minute / 60
        left, since = self._held.get(name, (float(per_minute), at))
        left = min(float(per_minute), left + (at - since) * rate)
        granted = left >= 1
        if granted:
            left -= 1
        if len(self._held) >= MOST and name not in self._held:
            self._held = {n: held for n, held in self._held.items() if at - held[1] < 60}
        self._held[name] = (left, at)
        return Taken(granted, per_minute, int(left), 0.0 if granted else (1 - left) / rate, (per_minute - left) / rate)
