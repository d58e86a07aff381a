"""Order of the line, and that nobody waits for ever."""

from __future__ import annotations

from langwright.inference.waiting import PATIENCE, WaitingLine


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
