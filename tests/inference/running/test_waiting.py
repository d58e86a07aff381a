"""Order of the line, and that nobody waits for ever."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from langwright.inference.running.waiting import PATIENCE, WaitingLine


def test_first_come_first_served_among_equals() -> None:
    line: WaitingLine[str] = WaitingLine()
    for name in "abcdef":
        line.add(name, 0)
    assert [line.take() for _ in range(6)] == list("abcdef")


def test_higher_priority_goes_first() -> None:
    line: WaitingLine[str] = WaitingLine()
    for name, priority in [("low", -1), ("mid", 0), ("high", 5)]:
        line.add(name, priority)
    assert line.first() == "high"
    assert [line.take() for _ in range(3)] == ["high", "mid", "low"]


def test_a_stream_of_urgent_requests_starves_nobody() -> None:
    line: WaitingLine[str] = WaitingLine()
    line.add("patient", -10)
    taken = []
    while "patient" not in taken:
        line.add("urgent", 9)
        taken.append(line.take())
        assert len(taken) <= PATIENCE
    assert taken == ["urgent"] * (PATIENCE - 1) + ["patient"]


def test_sweeping_and_clearing() -> None:
    line: WaitingLine[str] = WaitingLine()
    assert line.first() is None
    for name in "abc":
        line.add(name, 0)
    line.sweep(lambda name: name == "b")
    assert len(line) == 2
    assert line.clear() == ["a", "c"]
    assert len(line) == 0


LIFE = st.lists(st.integers(-5, 9), max_size=60)  # -5 one leaves, -4 one is taken, else one comes with that priority


@pytest.mark.spec("C8", "whoever waits gets a place after at most four for each that came before, whatever comes later")
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(life=LIFE, urgent=st.integers(1, 30))
def test_nobody_waits_longer_than_those_before_him_make_it(life: list[int], urgent: int) -> None:
    """Whatever comes, goes and is served, and however urgent what comes later is, everyone's wait is bounded."""
    line: WaitingLine[int] = WaitingLine()
    most: dict[int, int] = {}  # how many places may still be given to others before each
    came = 0

    def add(priority: int) -> None:
        nonlocal came
        most[came] = PATIENCE * (len(line) + 1) - 1
        line.add(came, priority)
        came += 1

    def take() -> None:
        first = line.first()
        taken = line.take()
        assert taken == first
        del most[taken]
        for one in most:
            most[one] -= 1
            assert most[one] >= 0, one

    for what in [*life, *[9, -4] * urgent]:
        if what > -4:
            add(what)
        elif what == -4 and len(line):
            take()
        elif what == -5 and most:
            gone = min(most)
            del most[gone]
            line.sweep(lambda one: one == gone)  # noqa: B023
    while len(line):
        take()
    assert not most
