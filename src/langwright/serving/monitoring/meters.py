"""What the server counts, as Prometheus reads it: requests, continuations, tokens, times, and how busy engines are.

Counters are kept in a registry of the application's own, so that two applications in a process do not mix. Names and
units follow Prometheus' conventions (prometheus.io/docs/practices/naming). What stands in a label comes from the
application (declared paths, names of served models, codes of refusals), never from a caller, so that nobody can make
the number of series grow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from langwright.inference.occupied import Counted
from langwright.inference.protocol import Tiered
from langwright.inference.texts.text import TextModel
from langwright.inference.texts.written import TextCompletion
from langwright.serving.monitoring.alerts import Recent

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
FIRST_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # upper ends of the buckets, in seconds
NEXT_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
WHOLE_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})


class Meters:
    """The counters of one application.

    recent  what happened lately, for alerts
    heed    is told of each text that a model is asked about
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.recent = Recent()
        self.heed: Callable[[str, str | Sequence[int]], object] = lambda model, prompt: None
        self.requests = self.counter("requests", "Requests, by declared path", "method", "route", "status")
        self.seconds = self.histogram(
            "request_seconds", "Seconds from a request to the end of its answer", WHOLE_S, "route"
        )
        self.open = Gauge("langwright_requests_in_progress", "Requests that are being answered", registry=self.registry)
        self.refusals = self.counter("refusals", "Requests that were refused, by the code of the refusal", "code")
        self.continuations = self.counter("continuations", "Continuations, by why they ended", "model", "reason")
        self.read = self.counter("prompt_tokens", "Tokens that were read", "model")
        self.written = self.counter("generated_tokens", "Tokens that were written", "model")
        self.first = self.histogram(
            "time_to_first_token_seconds",
            "Seconds from being asked for a continuation to its first token",
            FIRST_S,
            "model",
        )
        self.gap = self.histogram("inter_token_seconds", "Seconds between tokens of a continuation", NEXT_S, "model")
        self.dropped = self.counter("log_lines_dropped", "Lines of the log of requests that could not be written")
        ProcessCollector(namespace="", registry=self.registry)

    def counter(self, name: str, help: str, *labels: str) -> Counter:
        """One that only grows."""
        return Counter(f"langwright_{name}", help, labels, registry=self.registry)

    def histogram(self, name: str, help: str, buckets: Sequence[float], *labels: str) -> Histogram:
        """One of seconds, with these upper ends of its buckets."""
        return Histogram(f"langwright_{name}", help, labels, registry=self.registry, buckets=buckets)

    def look_at(self, look: Callable[[], Iterable[Metric]]) -> None:
        """Ask for these too whenever the counters are read."""
        self.registry.register(Looking(look))

    def answered(self, method: str, route: str, status: int, seconds: float, failed: bool) -> None:
        """Count one request that has ended now; `route` is the declared path, "" where there is none."""
        known = method if route and method in METHODS else "other"
        self.requests.labels(known, route or "unmatched", str(status)).inc()
        self.seconds.labels(route or "unmatched").observe(seconds)
        if route and method == "POST":  # what is asked of models; who looks at pages and counters would thin it out
            self.recent.answered(time.monotonic(), seconds, failed)

    def writing(self, model: str, prompt_tokens: int, asked: float) -> Writing:
        """Count one continuation that has begun; asked: when, in seconds of the monotonic clock."""
        self.read.labels(model).inc(prompt_tokens)
        return Writing(self, model, asked)

    def page(self) -> bytes:
        """All of them in Prometheus' text form."""
        return generate_latest(self.registry)


class Writing:
    """One continuation that is being written; told of its tokens by the thread that reads them."""

    def __init__(self, meters: Meters, model: str, asked: float) -> None:
        self.meters, self.model = meters, model
        self._written, self._gap = meters.written.labels(model), meters.gap.labels(model)
        self._asked = asked
        self._last: float | None = None

    def wrote(self, tokens: int, now: float) -> None:
        """So many tokens came at once: each after its share of the time."""
        if not tokens:
            return
        self._written.inc(tokens)
        if self._last is None:
            self.meters.first.labels(self.model).observe(now - self._asked)
            self.meters.recent.firsts.append((now, now - self._asked))
        else:
            for _ in range(tokens):
                self._gap.observe((now - self._last) / tokens)
        self._last = now

    def ended(self, last: TextCompletion | Exception) -> None:
        """It is over."""
        reason = last.finish_reason if isinstance(last, TextCompletion) else "failed"
        self.meters.continuations.labels(self.model, reason).inc()


class Looking(Collector):
    """Asks for numbers that others keep, at the moment they are wanted."""

    def __init__(self, look: Callable[[], Iterable[Metric]]) -> None:
        self.look = look

    def collect(self) -> Iterable[Metric]:
        return self.look()


def engines(models: Mapping[str, TextModel]) -> Iterable[Metric]:
    """How busy the engines behind models are; one that several models share is told of once, by its first name."""
    gauges = {
        name: GaugeMetricFamily(f"langwright_{name}", help, labels=["model"])
        for name, help in (
            ("running", "Continuations that an engine is writing"),
            ("waiting", "Continuations that wait for a place in an engine"),
            ("cache_positions", "Positions of the cache that running continuations are counted with"),
            ("cache_positions_limit", "Positions of the cache"),
            ("prefix_blocks", "Blocks of prompts that were read, kept for others that begin alike"),
            ("prefix_blocks_limit", "Most such blocks that are kept"),
        )
    }
    loaded = GaugeMetricFamily("langwright_model_loaded", "1 for a model that is served", labels=["model", "tier"])
    seen: set[int] = set()
    for name, model in list(models.items()):
        loaded.add_metric([name, model.engine.way("en")[0] if isinstance(model.engine, Tiered) else ""], 1)
        if id(model.engine) in seen or not isinstance(model.engine, Counted):
            continue
        seen.add(id(model.engine))
        now = model.engine.occupied()
        for gauge, value in zip(
            gauges.values(), (now.running, now.waiting, now.positions, now.of, now.kept, now.most_kept), strict=True
        ):
            gauge.add_metric([name], value)
    return [*gauges.values(), loaded]


def places(taken: int, limit: int) -> Iterable[Metric]:
    """How many continuations are open, and how many may be."""
    return [
        GaugeMetricFamily("langwright_places_taken", "Continuations that are open", taken),
        GaugeMetricFamily("langwright_places_limit", "Most continuations that may be open", limit),
    ]
