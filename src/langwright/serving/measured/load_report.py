"""What a load showed, as measures: latencies with intervals, throughput, goodput, and who was not answered."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from langwright.measures import Measure
from langwright.metrics.intervals import quantile, wilson
from langwright.serving.measured.load import LoadSettings, Outcome, Poisson

COLUMNS = 60  # of the chart in the terminal

FIRST = ("time to the first token, p50", "time to the first token, p99")
BETWEEN = ("time between tokens, p50", "time between tokens, p99")
END = ("time to the end, p50", "time to the end, p99")
FROM_DUE = "seconds from when a request was due, sent late or not"
FROM_SENT = "seconds from when a user sent it, who waits for the last answer first: kinder than what a crowd would meet"


def measures_of(outcomes: Sequence[Outcome], settings: LoadSettings, on: str, command: str) -> tuple[Measure, ...]:
    """All that is said of a load.

    on       what was put under load
    command  what does it again
    """
    return tuple(found.model_copy(update={"model": on, "command": command}) for found in found_in(outcomes, settings))


def found_in(outcomes: Sequence[Outcome], settings: LoadSettings) -> Iterator[Measure]:
    """The measures, latencies first."""
    counted = FROM_DUE if isinstance(settings.arrivals, Poisson) else FROM_SENT
    done = [one for one in outcomes if one.end == "done" and one.events]
    begun = [one.first_token_s for one in outcomes if one.first_token_s is not None]
    yield from quantiles(FIRST, begun, counted)
    gaps = list(itertools.chain.from_iterable(one.gaps for one in outcomes))
    yield from quantiles(BETWEEN, gaps, "seconds between parts of an answer, all requests together")
    yield from quantiles(END, [one.ended - one.due for one in done], counted)
    took = max((one.ended for one in outcomes), default=0.0)
    if took > 0:
        good = sum(one.good(settings) for one in outcomes)
        limits = "answered whole, the first token and the others on average within their limits"
        yield plain("goodput", good / took, "requests/s", "higher", len(outcomes), limits)
        yield plain("throughput", len(done) / took, "requests/s", "higher", len(outcomes), "whole answers a second")
        tokens = sum(one.tokens for one in outcomes)
        yield plain(
            "tokens written", tokens / took, "tokens/s", "higher", len(outcomes), "of all answers, whole or not"
        )
        yield share("requests within the limits", good, len(outcomes), limits, "higher")
    for end, name in (
        ("refused", "requests refused"),
        ("failed", "requests that broke off"),
        ("cancelled", "requests given up"),
    ):
        yield share(name, sum(one.end == end for one in outcomes), len(outcomes), "counted", "neither")
    late, _ = quantile([one.sent - one.due for one in outcomes], 0.99)
    yield plain(
        "lateness of the load itself, p99", late, "s", "lower", len(outcomes),
        "seconds between due and sent: where it is not small, the machine that makes the load was too slow for it",
    )  # fmt: skip


def quantiles(names: tuple[str, str], values: Sequence[float], method: str) -> Iterator[Measure]:
    """The middle and the 99th percentile; nothing where there are no values."""
    for name, at in zip(names, (0.5, 0.99), strict=True):
        if values:
            value, interval = quantile(values, at)
            low, high = interval or (None, None)
            yield Measure(
                name=name, value=value, low=low, high=high, n=len(values), unit="s", better="lower", method=method
            )  # fmt: skip


def plain(name: str, value: float, unit: str, better: str, n: int, method: str) -> Measure:
    """A number without an interval."""
    return Measure.model_validate(
        {"name": name, "value": value, "n": n, "unit": unit, "better": better, "method": method}
    )


def share(name: str, count: int, of: int, method: str, better: str) -> Measure:
    """A share with Wilson's interval."""
    low, high = wilson(count, of)
    return Measure.model_validate(
        {
            "name": name,
            "value": count / of,
            "low": low,
            "high": high,
            "n": of,
            "unit": "share",
            "better": better,
            "method": method,
        }
    )


def first_tokens(outcomes: Sequence[Outcome]) -> list[float]:
    """Times to the first token in the order of arrival, the longest of each group where there are more than columns."""
    times = [one.first_token_s or 0.0 for one in outcomes]
    size = max(1, -(-len(times) // COLUMNS))
    return [max(times[at : at + size]) for at in range(0, len(times), size)]


def chart(outcomes: Sequence[Outcome], measures: Sequence[Measure]) -> str:
    """A page of its own: the times to the first token and to the end by when requests were due, and all measures."""
    from langwright.evaluation.pages.bilingual import both, plain
    from langwright.evaluation.pages.charts import Series, legend, line_chart
    from langwright.evaluation.pages.measured import measures_table
    from langwright.evaluation.pages.page import Commands, Figure, Figures, Page, Section, render_page
    from langwright.wording import current_language

    first = [(one.due, one.first_token_s) for one in outcomes if one.first_token_s is not None]
    whole = [(one.due, one.ended - one.due) for one in outcomes if one.end == "done"]
    lines = [Series(both("first token"), tuple(first)), Series(both("whole answer"), tuple(whole))]
    title = both("Seconds that users waited")
    drawn = Figure(title, line_chart(title, both("due, in seconds"), both("seconds"), lines), legend(lines))
    sections = [
        Section("waiting", title, [Figures((drawn,))]),
        Section("measures", both("Measures"), [measures_table(measures), Commands((measures[0].command,))]),
    ]
    return render_page(Page(both("Under load"), plain(measures[0].model), sections), current_language())


def write_outcomes(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Every request as a line of JSON."""
    import json

    with path.open("w", encoding="utf-8") as file:
        for one in outcomes:
            row = {
                "number": one.errand.number, "due": one.due, "sent": one.sent, "ended": one.ended, "end": one.end,
                "first_token_s": one.first_token_s, "events": one.events, "tokens": one.tokens, "problem": one.problem,
            }  # fmt: skip
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
