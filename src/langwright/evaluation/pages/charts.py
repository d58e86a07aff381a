"""Charts as inline SVG: lines over steps, and bars with intervals. Colours come from the page's style sheet.

Every chart has axes with units and ticks, a description for those who do not see it, and the value of a point
where the pointer rests on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from langwright.evaluation.pages.bilingual import Words
from langwright.evaluation.pages.numbers import number, short

WIDTH, HEIGHT = 480, 250
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 12, 46
SIDE, BEHIND = 16, 64  # beside the bars: half a tick's label on the left, a value on the right
MOST_POINTS = 240  # of one line; more are averaged
MOST_TITLES = 60  # points that say their value
BAR = 44  # height of a bar with its label


@dataclass(frozen=True)
class Series:
    """One line. `faint` is for what lies behind, such as single updates behind their mean."""

    name: Words
    points: tuple[tuple[float, float], ...]
    faint: bool = False


@dataclass(frozen=True)
class Bar:
    """One bar with its interval."""

    name: Words
    value: float
    low: float | None = None
    high: float | None = None
    mark: bool = False  # stands out: the model that the chart is about


@dataclass(frozen=True)
class Scale:
    """Values to positions, plain or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (at - low) / (high - low)


# --- lines ---------------------------------------------------------------------------------------


def line_chart(title: Words, x: Words, y: Words, series: Sequence[Series], *, log_y: bool = False) -> Markup:
    """Lines over a common x axis; the empty string where there is no finite point.

    log_y  logarithmic y axis; points that are not positive are left out
    """
    kept = [Series(s.name, cleaned(s.points, log_y), s.faint) for s in series]
    kept = [s for s in kept if s.points]
    if not kept:
        return Markup("")
    xs = [point[0] for s in kept for point in s.points]
    ys = [point[1] for s in kept for point in s.points]
    across = Scale(*widened(min(xs), max(xs)), LEFT, WIDTH - RIGHT)
    low, high = (min(ys), max(ys)) if log_y else rounded(min(ys), max(ys))
    if log_y and low == high:
        low, high = low / 2, high * 2
    up = Scale(low, high, HEIGHT - BOTTOM, TOP, log_y)
    parts = [frame(across, up, log_y), axis_names(x, y)]
    strong = 0
    for s in kept:
        kind = "line faint" if s.faint else f"line c{strong}"
        strong += not s.faint
        parts.append(path(s, across, up, kind))
        if not s.faint:
            parts.append(titles(s, across, up))
    return figure(title, HEIGHT, Markup("").join(parts))


def cleaned(points: Sequence[tuple[float, float]], log_y: bool) -> tuple[tuple[float, float], ...]:
    """The points that can be drawn, at most MOST_POINTS, neighbours averaged."""
    good = [p for p in points if math.isfinite(p[0]) and math.isfinite(p[1]) and not (log_y and p[1] <= 0)]
    if len(good) <= MOST_POINTS:
        return tuple(good)
    found = []
    for part in range(MOST_POINTS):
        group = good[part * len(good) // MOST_POINTS : (part + 1) * len(good) // MOST_POINTS]
        found.append((group[-1][0], sum(y for _, y in group) / len(group)))
    return tuple(found)


def path(series: Series, across: Scale, up: Scale, kind: str) -> Markup:
    """The line itself; a single point as a dot."""
    at = [(across(x), up(y)) for x, y in series.points]
    if len(at) == 1:
        return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(kind, *at[0])
    steps = " L".join(f"{x:.1f} {y:.1f}" for x, y in at)
    return Markup('<path class="{}" d="M{}"/>').format(kind, steps)


def titles(series: Series, across: Scale, up: Scale) -> Markup:
    """Invisible dots that say their value."""
    every = max(1, math.ceil(len(series.points) / MOST_TITLES))
    shown = [p for i, p in enumerate(series.points) if i % every == 0 or i == len(series.points) - 1]
    dot = Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="8"><title>{}: {}</title></circle>')
    return Markup("").join(dot.format(across(x), up(y), number(x), number(y)) for x, y in shown)


def frame(across: Scale, up: Scale, log_y: bool) -> Markup:
    """Grid lines and tick labels."""
    parts = []
    for tick in log_ticks(up.low, up.high) if log_y else ticks(up.low, up.high, 5):
        at = up(tick)
        parts.append(Markup('<line class="grid" x1="{}" y1="{:.1f}" x2="{}" y2="{:.1f}"/>').format(LEFT, at, WIDTH - RIGHT, at))  # fmt: skip
        parts.append(Markup('<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(LEFT - 6, at + 4, short(tick)))  # fmt: skip
    for tick in ticks(across.low, across.high, 6):
        at = across(tick)
        parts.append(Markup('<line class="axis" x1="{:.1f}" y1="{}" x2="{:.1f}" y2="{}"/>').format(at, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 4))  # fmt: skip
        parts.append(Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(at, HEIGHT - BOTTOM + 17, short(tick)))  # fmt: skip
    base = Markup('<path class="axis" d="M{} {} V{} H{}"/>').format(LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT)
    return Markup("").join([*parts, base])


def axis_names(x: Words, y: Words) -> Markup:
    """What the axes show, with units."""
    bottom = svg_text(x, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, anchor="middle")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    return bottom + svg_text(y, 14, middle, anchor="middle", turned=True)


# --- bars ----------------------------------------------------------------------------------------


def bar_chart(
    title: Words, x: Words, bars: Sequence[Bar], *, most: float | None = None, form: Callable[[float], str] = number
) -> Markup:
    """Horizontal bars from zero, each under its name, with a whisker for its interval.

    most  where the axis ends, such as 1 for shares; default: beyond the largest value
    form  how values are written
    """
    if not bars:
        return Markup("")
    largest = max(max(bar.value, bar.high or bar.value) for bar in bars)
    across = Scale(0, most if most is not None else rounded(0, largest)[1], SIDE, WIDTH - BEHIND)
    bottom = TOP + BAR * len(bars)
    parts = []
    for tick in ticks(0, across.high, 5):
        at = across(tick)
        parts.append(Markup('<line class="grid" x1="{:.1f}" y1="{}" x2="{:.1f}" y2="{}"/>').format(at, TOP, at, bottom))
        parts.append(Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(at, bottom + 16, form(tick)))  # fmt: skip
    for place, bar in enumerate(bars):
        parts.append(one_bar(bar, TOP + BAR * place, across, form))
    parts.append(svg_text(x, (SIDE + WIDTH - BEHIND) / 2, bottom + 36, anchor="middle"))
    return figure(title, bottom + 44, Markup("").join(parts))


def one_bar(bar: Bar, top: float, across: Scale, form: Callable[[float], str]) -> Markup:
    """A bar, its name above it, its value behind it, its whisker on it."""
    middle = top + 29
    end = across(bar.value)
    parts = [
        svg_text(bar.name, SIDE, top + 14),
        Markup('<rect class="bar {}" x="{}" y="{}" width="{:.1f}" height="16" rx="2"><title>{}</title></rect>').format(
            "c0" if bar.mark else "other", SIDE, top + 21, max(end - SIDE, 0.5), form(bar.value)
        ),
    ]
    behind = end
    if bar.low is not None and bar.high is not None:
        low, behind = across(bar.low), max(end, across(bar.high))
        parts.append(
            Markup('<path class="whisker" d="M{:.1f} {} V{} M{:.1f} {} H{:.1f} M{:.1f} {} V{}"/>').format(
                low, middle - 5, middle + 5, low, middle, across(bar.high), across(bar.high), middle - 5, middle + 5
            )
        )
    parts.append(Markup('<text class="value" x="{:.1f}" y="{}">{}</text>').format(behind + 6, middle + 4, form(bar.value)))  # fmt: skip
    return Markup("").join(parts)


# --- shared --------------------------------------------------------------------------------------


def figure(title: Words, height: float, inside: Markup) -> Markup:
    """An SVG that grows with the page and says what it shows."""
    said = title.en if title.en == title.zh else f"{title.zh} · {title.en}"
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(WIDTH, height, said, inside)


def svg_text(words: Words, x: float, y: float, *, anchor: str = "start", turned: bool = False) -> Markup:
    """A text in both languages at one place."""
    turn = Markup(' transform="rotate(-90 {} {})"').format(x, y) if turned else Markup("")
    one = Markup('<text class="name{}" x="{}" y="{}" text-anchor="{}"{}>{}</text>')
    if words.en == words.zh:
        return one.format("", x, y, anchor, turn, words.en)
    return one.format(" en", x, y, anchor, turn, words.en) + one.format(" zh", x, y, anchor, turn, words.zh)


def legend(series: Sequence[Series]) -> Markup:
    """Names of the lines with their colours; empty for a single line."""
    named, strong = [], 0
    for s in series:
        kind = "faint" if s.faint else f"c{strong}"
        strong += not s.faint
        named.append(Markup('<li><i class="key {}"></i>{}</li>').format(kind, Markup(escape(s.name))))
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(named)) if len(named) > 1 else Markup("")


def widened(low: float, high: float) -> tuple[float, float]:
    """A range that is not empty, nor so narrow that ticks inside it could not be told apart."""
    size = max(abs(low), abs(high))
    if high - low > 1e-9 * size:
        return low, high
    margin = max(0.5, 1e-6 * size)
    return low - margin, high + margin


def rounded(low: float, high: float) -> tuple[float, float]:
    """A range that begins and ends at a tick and holds the given one."""
    low, high = widened(low, high)
    step = tick_step(low, high, 5)
    return math.floor(low / step) * step, math.ceil(high / step) * step


def tick_step(low: float, high: float, wanted: int) -> float:
    """1, 2 or 5 times a power of ten, so that about `wanted` steps fill the range."""
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    return float(next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999999))


def ticks(low: float, high: float, wanted: int) -> list[float]:
    """Round values inside a range.

    >>> ticks(0, 1, 5)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    step = tick_step(low, high, wanted)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten inside a range; powers alone where these would be too many.

    >>> log_ticks(0.5, 20)
    [0.5, 1.0, 2.0, 5.0, 10.0, 20.0]
    """
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    for factors in ((1, 2, 5), (1,)):
        found = [m * 10.0**p for p in powers for m in factors if low * (1 - 1e-9) <= m * 10.0**p <= high * (1 + 1e-9)]
        if len(found) <= 8:
            break
    return [float(f"{value:.12g}") for value in found]
