"""Every few seconds: how long is the queue, does an alert change its state, is there a window of requests to look at?"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric

from langwright.inference.occupied import Counted
from langwright.inference.texts.text import TextModel
from langwright.serving.monitoring.alerts import Alert, Alerts
from langwright.serving.monitoring.checking import Checking
from langwright.serving.monitoring.drift import Drift, Looked
from langwright.serving.monitoring.exchanging import Exchange
from langwright.serving.monitoring.lines import Lines, stamp
from langwright.serving.monitoring.meters import Meters
from langwright.serving.monitoring.rules import read_rules
from langwright.serving.monitoring.schedule import read_schedule
from langwright.serving.monitoring.settings import MonitoringSettings
from langwright.serving.monitoring.telling import Post, notice_of
from langwright.serving.resources.served import Served
from langwright.serving.streaming import in_thread

EVERY_S = 5.0
log = logging.getLogger("langwright.serving")


class Rounds:
    """What is looked at beside the requests themselves."""

    def __init__(
        self, settings: MonitoringSettings, meters: Meters, served: Served, digest_of: Callable[[str], str]
    ) -> None:
        """digest_of: the digest of a model by the name that requests ask for.

        raises  UserError for a log, an alert file or a file of checks that cannot be had
        """
        writers, doing = served.writers, served.doing
        rules = read_rules(Path(settings.alerts)) if settings.alerts else None
        self.settings, self.meters, self.writers, self.doing = settings, meters, writers, doing
        self.lines = Lines(settings, meters.dropped.inc)
        self.drift = Drift(settings.drift, doing.get)
        checks = read_schedule(Path(settings.checks)) if settings.checks else ()
        self.checking = Checking(checks, served.jobs, doing.get, digest_of)
        self.exchange = Exchange(served)
        self.failing: list[str] = []  # as of the last round
        self.alerts = Alerts(
            rules.rule if rules else (), meters.recent,
            {"drift": self.drift.changed, "failing": lambda: float(len(self.failing))},
        )  # fmt: skip
        self.post = Post(rules.post) if rules and rules.post else None
        self.every_s = rules.every_s if rules else EVERY_S
        meters.heed = self.drift.saw
        meters.look_at(self.metrics)

    @asynccontextmanager
    async def going(self) -> AsyncIterator[None]:
        """Go round while the block runs; the log is open meanwhile."""
        self.lines.open()
        task = asyncio.create_task(self.go())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self.lines.close()

    async def go(self) -> None:
        """Until cancelled. What goes wrong once is written down and does not end it."""
        await self.safely(lambda: asyncio.to_thread(self.exchange.note_all))
        await self.safely(lambda: asyncio.to_thread(self.checking.adopt))
        if self.settings.drift.window and self.settings.drift.data:
            await self.safely(self.begin_drift)
        while True:
            await asyncio.sleep(self.every_s)
            await self.safely(self.go_round)

    async def safely(self, work: Callable[[], object]) -> None:
        """Do something that may go wrong."""
        try:
            found = work()
            if asyncio.iscoroutine(found):
                await found
        except Exception:
            log.exception("the server could not look after itself")

    async def begin_drift(self) -> None:
        """Take the texts of a data set as the reference of every model."""
        texts = await asyncio.to_thread(texts_of, Path(self.settings.drift.data), self.settings.drift.reference)
        for name in list(self.doing):
            await in_thread(self.drift.begin, name, texts)

    async def go_round(self) -> None:
        """Look at everything once."""
        now, clock = time.monotonic(), time.time()
        self.meters.recent.waiting.append((now, float(sum(waiting_in(self.writers)))))
        for name, looked in await in_thread(self.drift.look, now, clock):
            self.say_drift(name, looked)
        for outcome in await asyncio.to_thread(self.checking.look):
            self.lines.write({"event": "check", **outcome.model_dump(), "time": stamp(outcome.ended)})
        self.failing = await asyncio.to_thread(self.checking.failing)
        for alert in self.alerts.look(now):
            self.say(alert, clock)
        if self.post is not None:
            await self.post.send()

    def say(self, alert: Alert, clock: float) -> None:
        """An alert fires or is resolved: into the log, and to whom a person named."""
        notice = notice_of(alert, stamp(clock))
        log.warning("alert %s: %s", alert.rule.name, alert.state)
        self.lines.write({"event": "alert", **notice.body})
        if self.post is not None:
            self.post.waiting.append(notice)

    def say_drift(self, model: str, looked: Looked) -> None:
        """A window was looked at."""
        found = {one.property: round(one.p, 6) for one in looked.findings}
        self.lines.write(
            {
                "event": "drift", "time": stamp(looked.time), "model": model, "requests": looked.requests,
                "changed": list(looked.changed), "p": found,
            }
        )  # fmt: skip

    def metrics(self) -> Iterable[Metric]:
        """States of alerts, and what was found of drift."""
        firing = GaugeMetricFamily("langwright_alert_firing", "1 for an alert that fires", labels=["alert"])
        for alert in self.alerts.all:
            firing.add_metric([alert.rule.name], alert.state == "firing")
        changed = GaugeMetricFamily(
            "langwright_drift_changed", "1 for a property that changed in the last window", labels=["model", "property"]
        )
        p = GaugeMetricFamily("langwright_drift_p", "The p-value of the last window", labels=["model", "property"])
        for name, stream in list(self.drift.streams.items()):
            for one in stream.last.findings if stream.last else ():
                changed.add_metric([name, one.property], one.changed)
                p.add_metric([name, one.property], one.p)
        failing = GaugeMetricFamily(
            "langwright_model_failing", "1 for a model that did not meet its gate", labels=["model"]
        )
        for check in self.checking.checks:
            failing.add_metric([check.model], check.model in self.failing)
        return [firing, changed, p, failing]


def waiting_in(models: Mapping[str, TextModel]) -> Iterable[int]:
    """How many requests wait in each engine behind these models."""
    engines = {id(model.engine): model.engine for model in list(models.values())}
    return [engine.occupied().waiting for engine in engines.values() if isinstance(engine, Counted)]


def texts_of(path: Path, most: int) -> list[str]:
    """The first texts of a data set; UserError when it is none."""
    from itertools import islice

    from langwright.data.dataset import open_dataset

    dataset = open_dataset(path)
    return list(islice(dataset.texts(dataset.splits[0]), most))
