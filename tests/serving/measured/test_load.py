"""The load generator against servers with known times, by a clock that runs as fast as it can."""

from __future__ import annotations

import asyncio
import collections
import itertools
import json
import math
import selectors
import statistics
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from langwright.errors import UserError
from langwright.inference.fake import parrot
from langwright.metrics.intervals import quantile
from langwright.serving.measured.load import (
    Counted,
    Errand,
    HttpTarget,
    LoadSettings,
    Outcome,
    Poisson,
    Users,
    errands,
    load,
)
from langwright.serving.measured.load_report import chart, measures_of


class Hurry(selectors.SelectSelector):
    """Waits for no time at all, and counts what it should have waited."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.now += timeout or 0.0
        return super().select(0)


class Hurried(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next thing to do."""

    def __init__(self) -> None:
        self.hurry = Hurry()
        super().__init__(self.hurry)

    def time(self) -> float:
        return self.hurry.now


def hurried(work: Coroutine[Any, Any, list[Outcome]]) -> list[Outcome]:
    loop = Hurried()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


class Known:
    """A server that answers after `first` seconds, then a token each `gap`; one at a time where it is narrow.

    stall  (from, until): nothing happens between these
    """

    def __init__(
        self, first: float = 0.5, gap: float = 0.09, places: int = 1000, stall: tuple[float, float] = (0, 0)
    ) -> None:
        self.first, self.gap, self.stall = first, gap, stall
        self.places = asyncio.Semaphore(places)
        self.given_up = 0

    async def ask(self, errand: Errand) -> AsyncIterator[Counted | None]:
        async with self.places:
            try:
                await self.take(self.first)
                yield None
                for _ in range(errand.new_tokens - 1):
                    await self.take(self.gap)
                    yield None
            except GeneratorExit:
                self.given_up += 1
                raise

    async def take(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        now = asyncio.get_running_loop().time()
        if self.stall[0] <= now < self.stall[1]:
            await asyncio.sleep(self.stall[1] - now)


EVEN = {"max_new_tokens": (10, 10), "seed": 3}


def named(outcomes: list[Outcome], settings: LoadSettings) -> dict[str, Any]:
    return {measure.name: measure for measure in measures_of(outcomes, settings, "known", "again")}


@pytest.mark.spec("C8", "a load generator finds the known times of a server: first token, between tokens, goodput")
def test_known_times_are_found() -> None:
    settings = LoadSettings(arrivals=Poisson(rate=20), requests=400, **EVEN)
    outcomes = hurried(load(Known(), settings))
    assert all(one.first_token_s == pytest.approx(0.5) and one.tokens == 10 for one in outcomes)
    assert all(one.each_token_s == pytest.approx(0.09) for one in outcomes)
    found = named(outcomes, settings)
    for name, value in (("time to the first token", 0.5), ("time between tokens", 0.09), ("time to the end", 1.31)):
        for at in ("p50", "p99"):
            assert found[f"{name}, {at}"].value == pytest.approx(value)
    assert found["requests within the limits"].value == 1.0
    took = max(one.ended for one in outcomes)
    assert found["throughput"].value == pytest.approx(400 / took) == pytest.approx(found["goodput"].value)
    assert found["tokens written"].value == pytest.approx(4000 / took)
    assert found["lateness of the load itself, p99"].value == pytest.approx(0, abs=1e-9)


def test_arrivals_are_a_poisson_process_and_the_same_for_a_seed() -> None:
    settings = LoadSettings(arrivals=Poisson(rate=5), requests=3000)
    due = [errand.due for errand in errands(settings)]
    gaps = [b - a for a, b in itertools.pairwise([0.0, *due])]  # type: ignore[list-item,operator]
    assert stats.kstest(gaps, "expon", args=(0, 1 / 5)).pvalue > 0.01
    assert (
        errands(settings) == errands(settings) != errands(LoadSettings(arrivals=Poisson(rate=5), requests=3000, seed=1))
    )
    lengths = collections.Counter(errand.new_tokens for errand in errands(settings))
    assert min(lengths) == 16 and max(lengths) == 128


@pytest.mark.spec("C8", "a stall is seen by every request that was due in it, not by the one that met it alone")
def test_a_stall_is_not_left_out() -> None:
    """A server of one place that stops for 30 s: users who wait see one long answer, a crowd sees hundreds."""
    crowd = LoadSettings(arrivals=Poisson(rate=4), requests=400, max_new_tokens=(1, 1))
    server = {"first": 0.1, "places": 1, "stall": (20.0, 50.0)}
    outcomes = hurried(load(Known(**server), crowd))  # type: ignore[arg-type]
    waited = [one.first_token_s for one in outcomes]
    for one in outcomes:
        if 20 < one.due < 49:
            assert one.first_token_s is not None and one.first_token_s > 50 - one.due
    assert named(outcomes, crowd)["time to the first token, p99"].value > 25
    assert sum(first > 5 for first in waited if first) > 80
    one_user = LoadSettings(arrivals=Users(users=1), requests=400, max_new_tokens=(1, 1))
    kinder = hurried(load(Known(**server), one_user))  # type: ignore[arg-type]
    assert sum(first > 5 for first in (one.first_token_s for one in kinder) if first) == 1
    assert "kinder" in named(kinder, one_user)["time to the first token, p99"].method


def test_users_wait_for_their_answers() -> None:
    settings = LoadSettings(arrivals=Users(users=4), requests=40, **EVEN)
    outcomes = hurried(load(Known(first=1.0, gap=0.0), settings))
    assert [one.errand.number for one in outcomes] == list(range(40))
    assert max(one.ended for one in outcomes) == pytest.approx(10.0)
    open_at = [sum(one.sent <= at < one.ended for one in outcomes) for at in (0.5, 4.5, 9.5)]
    assert open_at == [4, 4, 4]


def test_those_who_give_up_leave_and_are_counted() -> None:
    settings = LoadSettings(arrivals=Poisson(rate=10), requests=200, cancelled=0.3, max_new_tokens=(20, 20))
    server = Known()
    outcomes = hurried(load(server, settings))
    gone = [one for one in outcomes if one.end == "cancelled"]
    assert all(len(one.events) == one.errand.patience for one in gone)
    assert server.given_up == len(gone) and stats.binomtest(len(gone), 200, 0.3).pvalue > 0.001
    found = named(outcomes, settings)
    assert found["requests given up"].value == len(gone) / 200
    assert found["requests within the limits"].value == 1 - len(gone) / 200


def test_refusals_and_breaks_are_outcomes() -> None:
    class Failing(Known):
        async def ask(self, errand: Errand) -> AsyncIterator[Counted | None]:
            if errand.number % 4 == 0:
                raise UserError("the server is busy", fix="wait")
            async for part in super().ask(errand):
                yield part
                if errand.number % 4 == 1:
                    raise UserError("it broke", fix="mend it")

    settings = LoadSettings(arrivals=Poisson(rate=10), requests=100, **EVEN)
    outcomes = hurried(load(Failing(), settings))
    assert collections.Counter(one.end for one in outcomes) == {"done": 50, "refused": 25, "failed": 25}
    assert outcomes[0].problem == "the server is busy"
    found = named(outcomes, settings)
    assert found["requests refused"].value == found["requests that broke off"].value == 0.25
    low, high = found["requests refused"].low, found["requests refused"].high
    assert low < 0.25 < high


def test_limits_make_goodput() -> None:
    narrow = LoadSettings(arrivals=Poisson(rate=1.0), requests=300, first_token_s=2.0, each_token_s=0.2, **EVEN)
    outcomes = hurried(load(Known(places=1, first=0.2, gap=0.07), narrow))
    good = [one for one in outcomes if one.first_token_s is not None and one.first_token_s <= 2.0]
    assert 0 < len(good) < 300
    assert named(outcomes, narrow)["requests within the limits"].value == len(good) / 300
    tight = narrow.model_copy(update={"each_token_s": 0.05})
    assert named(outcomes, tight)["goodput"].value == 0


@pytest.mark.spec("C8", "bench serve asks a real server over HTTP and counts its tokens")
def test_a_real_server(serving: Callable[..., Any], tmp_path: Path) -> None:
    running = serving(parrot())
    settings = LoadSettings(
        arrivals=Users(users=4), requests=12, max_new_tokens=(5, 9), prompt_words=(8, 12), cancelled=0.2, seed=5
    )

    async def ask() -> list[Outcome]:
        target = HttpTarget(f"{running.url}/v1", "parrot")
        try:
            return await load(target, settings)
        finally:
            await target.aclose()

    outcomes = asyncio.run(ask())
    assert {one.end for one in outcomes} == {"done", "cancelled"}
    for one in outcomes:
        assert one.end == "cancelled" or one.tokens == one.errand.new_tokens  # bytes, several of which make a part
        assert 0 < len(one.events) <= one.errand.new_tokens
        assert all(a <= b for a, b in itertools.pairwise([one.due, one.sent, *one.events, one.ended]))
    page = chart(outcomes, measures_of(outcomes, settings, "parrot", "langwright bench serve …"))
    assert page.startswith("<!doctype html>") and "<path" in page and "首个词元" in page

    async def ask_nobody() -> list[Outcome]:
        target = HttpTarget(f"{running.url}/v1", "nobody")
        try:
            return await load(target, settings)
        finally:
            await target.aclose()

    refused = asyncio.run(ask_nobody())
    assert {one.end for one in refused} == {"refused"} and "404" in refused[0].problem
    assert math.isclose(named(refused, settings)["goodput"].value, 0.0)


def test_quantiles_and_their_intervals() -> None:
    values = [float(number) for number in range(1, 101)]
    assert quantile(values, 0.5)[0] == statistics.quantiles(values, n=2, method="inclusive")[0] - 0.5
    assert quantile(values, 0.99) == (99.0, None) and quantile([3.0], 0.5) == (3.0, None)
    with pytest.raises(ValueError):
        quantile([], 0.5)
    covered = 0
    draw = stats.expon.rvs(size=(400, 50), random_state=1)
    for row in draw:
        _, interval = quantile(list(row), 0.5)
        assert interval is not None
        covered += interval.low <= math.log(2) <= interval.high
    assert covered >= 370  # at least 95 % of them, as promised


def test_the_command(tmp_path: Path, serving: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    from langwright.cli.main import main

    running = serving(parrot())
    out = tmp_path / "load"
    words = ["bench", "serve", running.url, "--users", "2", "--requests", "6", "--set", "max_new_tokens=[3, 6]"]
    assert main([*words, "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {measure["model"] for measure in found["measures"]} == {"parrot"}
    assert len((out / "requests.jsonl").read_text(encoding="utf-8").splitlines()) == 6
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["measures"] == found["measures"]
    assert main([*words, "--out", str(out)]) == 2
    assert main([*words, "--rate", "3"]) == 2
    assert main(words) == 0 and "p99" in capsys.readouterr().out
