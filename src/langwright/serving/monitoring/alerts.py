"""Alerts: rules over what happened in the last seconds, and for each the state that it is in.

    ok -> pending -> firing -> resolved -> ok

as Prometheus' alerting rules (`for`, `keep_firing_for`), with the state `resolved` for as long as a person may ask what
that was. A short spell of `pending` tells nobody. What has too few requests to be judged counts as nothing wrong.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from langwright.serving.monitoring.rules import Errors, Latency, Queue, Rule

State = Literal["ok", "pending", "firing", "resolved"]
SHOWN_S = 900.0  # that a resolved alert is shown as such
MOST = 5_000  # values that are kept of one kind: a window on a busy server holds the newest ones


@dataclass
class Recent:
    """What happened lately, each with its time in seconds of the monotonic clock."""

    seconds: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=MOST))
    firsts: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=MOST))
    failed: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=MOST))
    waiting: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=MOST))

    def answered(self, now: float, seconds: float, failed: bool) -> None:
        """One request has ended. How long a failed one took says nothing of how long answers take."""
        self.failed.append((now, float(failed)))
        if not failed:
            self.seconds.append((now, seconds))


@dataclass
class Alert:
    """One rule and the state it is in.

    value    what was seen last; None where there was too little
    since    when the state began, in seconds of the monotonic clock
    """

    rule: Rule
    state: State = "ok"
    value: float | None = None
    since: float = 0.0
    _other: float | None = None  # when the condition last turned against the state

    def look(self, value: float | None, now: float) -> bool:
        """Take notice of a value; True when the alert fires or is resolved by it."""
        self.value = value
        wrong = value is not None and value > self.rule.above
        if self.state == "firing":
            if wrong:
                self._other = None
                return False
            self._other = now if self._other is None else self._other
            return now - self._other >= self.rule.clear_s and self._enter("resolved", now)
        if not wrong:
            if self.state == "pending" or (self.state == "resolved" and now - self.since >= SHOWN_S):
                self._enter("ok", now)
            return False
        if self.state != "pending":
            self._enter("pending", now)
        return now - self.since >= self.rule.for_s and self._enter("firing", now)

    def _enter(self, state: State, now: float) -> bool:
        self.state, self.since, self._other = state, now, None
        return True


class Alerts:
    """All rules of a server.

    recent  what happened lately
    counts  what kinds of rules ask of others: how many properties drifted, how many models fail
    """

    def __init__(self, rules: Sequence[Rule], recent: Recent, counts: dict[str, Callable[[], float | None]]) -> None:
        self.all = [Alert(rule) for rule in rules]
        self.recent, self.counts = recent, counts

    def look(self, now: float) -> list[Alert]:
        """Judge every rule; those that fire or are resolved by it."""
        return [alert for alert in self.all if alert.look(self.value(alert.rule, now), now)]

    def value(self, rule: Rule, now: float) -> float | None:
        """What a rule looks at; None where there is too little."""
        since, recent, on = now - rule.window_s, self.recent, rule.on
        if isinstance(on, Latency):
            values = within(recent.firsts if on.of == "first_token" else recent.seconds, since)
            return quantile(values, on.quantile) if len(values) >= rule.least else None
        if isinstance(on, Errors):
            values = within(recent.failed, since)
            return math.fsum(values) / len(values) if len(values) >= rule.least else None
        if isinstance(on, Queue):
            values = within(recent.waiting, since)
            return math.fsum(values) / len(values) if values else None
        return self.counts[on.kind]()


def within(values: Iterable[tuple[float, float]], since: float) -> list[float]:
    """Those that are not older."""
    return [value for at, value in list(values) if at >= since]


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values do not exceed.

    >>> quantile([4.0, 1.0, 3.0, 2.0], 0.5), quantile([4.0, 1.0, 3.0, 2.0], 0.51)
    (2.0, 3.0)
    """
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
