"""Charts: points where they belong, round ticks, every value within the frame, valid XML, nothing unescaped."""

from __future__ import annotations

import doctest
import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from langwright.evaluation.pages import charts, numbers
from langwright.evaluation.pages.bilingual import Words, plain
from langwright.evaluation.pages.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    MOST_POINTS,
    RIGHT,
    TOP,
    WIDTH,
    Bar,
    Scale,
    Series,
    bar_chart,
    cleaned,
    legend,
    line_chart,
    log_ticks,
    rounded,
    ticks,
)

NAMES = (plain("t"), plain("x"), plain("y"))
values = st.floats(-1e6, 1e6).filter(lambda v: v == 0 or abs(v) > 1e-6)


@pytest.mark.parametrize("module", [charts, numbers])
def test_examples_in_the_docstrings(module):
    assert doctest.testmod(module).failed == 0


def points_of(svg: str) -> list[tuple[float, float]]:
    """The corners of the first line."""
    (path,) = re.findall(r'<path class="line c0" d="M([^"]+)"', svg)
    return [tuple(map(float, pair.split())) for pair in path.split(" L")]


def test_points_stand_where_their_values_say():
    svg = line_chart(*NAMES, [Series(plain("s"), ((0, 0.0), (5, 5.0), (10, 10.0)))])
    left, right, top, bottom = LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM
    assert points_of(svg) == [(left, bottom), ((left + right) / 2, (top + bottom) / 2), (right, top)]


def test_a_logarithmic_axis_has_equal_steps_for_equal_ratios():
    svg = line_chart(*NAMES, [Series(plain("s"), ((0, 1.0), (1, 10.0), (2, 100.0)))], log_y=True)
    (_, a), (_, b), (_, c) = points_of(svg)
    assert a - b == pytest.approx(b - c, abs=0.11)
    assert (a, c) == (HEIGHT - BOTTOM, TOP)
    assert "<title>2: 100</title>" in svg


@given(st.lists(st.tuples(values, values), min_size=1, max_size=20), st.booleans())
def test_every_point_lies_in_the_frame_and_the_svg_is_whole(points, log_y):
    svg = line_chart(*NAMES, [Series(plain("s"), tuple(points))], log_y=log_y)
    if not svg:
        assert log_y
        assert not any(y > 0 for _, y in points)
        return
    ElementTree.fromstring(svg)
    drawn = [(float(x), float(y)) for x, y in re.findall(r'<circle class="dot" cx="([^"]+)" cy="([^"]+)"', svg)]
    assert drawn
    for x, y in drawn:
        assert LEFT - 0.1 <= x <= WIDTH - RIGHT + 0.1
        assert TOP - 0.1 <= y <= HEIGHT - BOTTOM + 0.1


@given(values, values)
@example(1000000.0, 999999.9999999999)
def test_ticks_are_round_and_within(a, b):
    low, high = rounded(min(a, b), max(a, b))
    found = ticks(low, high, 5)
    assert low <= min(a, b)
    assert high >= max(a, b)
    assert 2 <= len(found) <= 12
    step = found[1] - found[0]
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(mantissa - m) for m in (1, 2, 5, 10)) < 1e-3


def test_log_ticks_are_powers_where_the_range_is_wide():
    assert log_ticks(1, 1000) == [1, 10, 100, 1000] or len(log_ticks(1, 1000)) <= 8
    assert log_ticks(1e-6, 1e6)[0] == 1e-6
    assert all(math.log10(t) == pytest.approx(round(math.log10(t))) for t in log_ticks(1e-6, 1e6))


def test_many_points_are_averaged_by_neighbourhood():
    points = tuple((i, float(i % 2)) for i in range(24_000))
    kept = cleaned(points, False)
    assert len(kept) == MOST_POINTS
    assert all(y == pytest.approx(0.5) for _, y in kept)
    assert kept[-1][0] == 23_999


def test_what_cannot_be_drawn_is_left_out():
    assert cleaned(((0, math.nan), (1, math.inf), (2, 3.0)), False) == ((2, 3.0),)
    assert line_chart(*NAMES, [Series(plain("s"), ((0, math.nan),))]) == ""
    assert line_chart(*NAMES, []) == ""
    assert '<circle class="line c0"' in line_chart(*NAMES, [Series(plain("s"), ((3, 1.0),))])


def test_bars_are_as_long_as_their_values_and_whiskers_reach_the_interval():
    svg = bar_chart(*NAMES[:2], [Bar(plain("a"), 2.0, 1.5, 3.0, mark=True), Bar(plain("b"), 4.0)])
    ElementTree.fromstring(svg)
    (a, b) = [float(w) for w in re.findall(r'<rect class="bar [^"]+"[^>]* width="([^"]+)"', svg)]
    assert b == pytest.approx(2 * a, abs=0.1)
    low, high = map(float, re.search(r'class="whisker" d="M([\d.]+) .* H([\d.]+) M', svg).groups())
    across = Scale(0, 4.0, charts.SIDE, WIDTH - charts.BEHIND)
    assert (low, high) == pytest.approx((across(1.5), across(3.0)), abs=0.1)
    assert bar_chart(*NAMES[:2], []) == ""


def test_names_are_escaped_and_stand_in_both_languages():
    svg = line_chart(
        Words("A & <b>", "甲"), plain("x"), Words("loss", "损失"), [Series(plain("s"), ((0, 1.0), (1, 2.0)))]
    )
    assert 'aria-label="甲 · A &amp; &lt;b&gt;"' in svg
    assert ">loss</text>" in svg
    assert ">损失</text>" in svg
    ElementTree.fromstring(svg)


def test_a_legend_names_several_lines_only():
    one, two = Series(plain("one"), ((0, 1.0),)), Series(Words("<two>", "二"), ((0, 1.0),), faint=True)
    assert legend([one]) == ""
    assert "&lt;two&gt;" in legend([one, two])
    assert 'class="key faint"' in legend([one, two])
